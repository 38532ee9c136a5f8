//! The system's disk with syncs that do nothing: what is measured on it is not the disk.

use std::{io, path::Path};

use tidegate::disk::{Disk, DiskFile, DiskLock, RealDisk};

pub(crate) struct Unsynced;

struct UnsyncedFile(Box<dyn DiskFile>);

fn unsynced(file: Box<dyn DiskFile>) -> Box<dyn DiskFile> {
    Box::new(UnsyncedFile(file))
}

impl Disk for Unsynced {
    fn create_dir_all(&self, path: &Path, private: bool) -> io::Result<()> {
        RealDisk.create_dir_all(path, private)
    }

    fn create(&self, path: &Path, private: bool) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.create(path, private).map(unsynced)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.open(path).map(unsynced)
    }

    fn open_writable(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        RealDisk.open_writable(path).map(unsynced)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<String>> {
        RealDisk.read_dir(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        RealDisk.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealDisk.remove(path)
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        RealDisk.lock(path)
    }

    fn lock_shared(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        RealDisk.lock_shared(path)
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        RealDisk.free_bytes(path)
    }
}

impl DiskFile for UnsyncedFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        self.0.append(bytes)
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }
}
