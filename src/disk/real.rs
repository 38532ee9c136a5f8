//! The operating system's file system.

use std::{
    fs::{DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt, FileExt, OpenOptionsExt},
    path::Path,
};

use super::{Disk, DiskFile, DiskLock, directory_of};

/// The operating system's file system.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealDisk;

impl Disk for RealDisk {
    fn create_dir_all(&self, path: &Path, private: bool) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        let parent = directory_of(path);
        if parent != path {
            self.create_dir_all(parent, private)?;
        }
        match DirBuilder::new().mode(if private { 0o700 } else { 0o777 }).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {}
            result => result?,
        }
        self.sync_dir(parent)
    }

    fn create(&self, path: &Path, private: bool) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new()
            .create_new(true)
            .append(true)
            .read(true)
            .mode(if private { 0o600 } else { 0o666 })
            .open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(RealFile(File::open(path)?)))
    }

    fn open_writable(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = OpenOptions::new().append(true).read(true).open(path)?;
        Ok(Box::new(RealFile(file)))
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path)? {
            names.extend(entry?.file_name().into_string());
        }
        Ok(names)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        #[cfg(feature = "fault-injection")]
        if super::unsynced::is_on() {
            return Ok(());
        }
        File::open(path)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(path)?;
        RealLock::taken(file.try_lock(), file)
    }

    fn lock_shared(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        match File::open(path) {
            Ok(file) => RealLock::taken(file.try_lock_shared(), file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let statistics = rustix::fs::statvfs(path)?;
        Ok(statistics.f_bavail.saturating_mul(statistics.f_frsize))
    }
}

struct RealFile(File);

impl DiskFile for RealFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        (&self.0).write_all(bytes)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        #[cfg(feature = "fault-injection")]
        if super::unsynced::is_on() {
            return Ok(());
        }
        self.0.sync_data()
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

/// The lock is the kernel's, on the open file: it ends when the file is closed.
struct RealLock {
    _file: File,
}

impl RealLock {
    fn taken(result: Result<(), TryLockError>, file: File) -> io::Result<Box<dyn DiskLock>> {
        match result {
            Ok(()) => Ok(Box::new(Self { _file: file })),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

impl DiskLock for RealLock {}
