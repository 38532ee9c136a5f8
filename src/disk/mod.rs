//! The only door to the file system: whatever is kept on disk passes through [`Disk`].
//!
//! Production has one implementation, [`RealDisk`]; tests have one that loses whatever was not synced, runs out of
//! space and fails on demand. Errors are [`io::Error`] with the operating system's kinds.
//!
//! What a caller may rely on: bytes are durable once [`DiskFile::sync_data`] returned; a name (created, renamed or
//! removed) is durable once [`Disk::sync_dir`] of its directory returned; a rename replaces its target in one step.
//! After a failed sync nothing may be assumed of the file: a second sync could succeed without having written.

mod real;
#[cfg(any(test, fuzzing))]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "for tests, which may")]
pub mod simulated;
#[cfg(feature = "fault-injection")]
mod unsynced;

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
};

pub use real::RealDisk;

/// A file system.
pub trait Disk: Send + Sync {
    /// Creates a directory and its missing parents, durably. Private ones are for their owner only (0700).
    fn create_dir_all(&self, path: &Path, private: bool) -> io::Result<()>;

    /// Creates a file that must not exist yet, to be appended to. Private ones are for their owner only (0600).
    fn create(&self, path: &Path, private: bool) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for reading.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file to append to it or to cut it.
    fn open_writable(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// The names in a directory, in no order. Names that are not Unicode are left out: none of ours are such.
    fn read_dir(&self, path: &Path) -> io::Result<Vec<String>>;

    /// Renames within one directory; an existing target is replaced in one step.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Takes the exclusive lock on a file, creating it where missing; [`io::ErrorKind::WouldBlock`] when another
    /// holds it. The lock ends with the guard, and with the process however it ends.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>>;

    /// Shares the lock on a file, which keeps out only who wants it for himself; `None` where the file is missing.
    /// Neither creates nor writes anything. [`io::ErrorKind::WouldBlock`] when another holds it exclusively.
    fn lock_shared(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>>;

    /// Bytes that we may still write on the file system that holds `path`.
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// An open file.
pub trait DiskFile: Send + Sync {
    /// Writes all bytes at the end. After an error any prefix of them may have been written.
    fn append(&self, bytes: &[u8]) -> io::Result<()>;

    /// Reads at an offset, as much as there is up to the buffer's length; 0 only at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;

    /// Makes contents and length durable.
    fn sync_data(&self) -> io::Result<()>;

    /// Cuts the file to this length.
    fn set_len(&self, length: u64) -> io::Result<()>;

    /// Length in bytes.
    fn len(&self) -> io::Result<u64>;

    /// Whether it holds no byte.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// Holds a lock until it is dropped.
pub trait DiskLock: Send + Sync {}

/// Whether an error says that space (or quota) is used up: the one kind of write error that passes by itself.
pub fn is_no_space(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// Whether an error says that the process, or the system, has no file handle left. It passes when connections close.
pub fn is_no_handle(error: &io::Error) -> bool {
    use rustix::io::Errno;
    matches!(Errno::from_io_error(error), Some(Errno::MFILE | Errno::NFILE))
}

/// Reads a whole file that is no longer than `bytes_max`; a longer one is [`io::ErrorKind::FileTooLarge`].
pub fn read(disk: &dyn Disk, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(path)?;
    let length = file.len()?;
    if length > bytes_max {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut bytes = vec![0; usize::try_from(length).map_err(|_| io::ErrorKind::FileTooLarge)?];
    let read = read_full(file.as_ref(), &mut bytes, 0)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// Reads until the buffer is full or the file ends; answers how much was read.
pub fn read_full(file: &dyn DiskFile, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, offset + filled as u64) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Puts a file in place so that a crash at any moment leaves the old contents or the new, never a mixture. Durable
/// when it returns. Two callers must not write one path at once: they would share the temporary file.
pub fn write_durable(disk: &dyn Disk, path: &Path, bytes: &[u8], private: bool) -> io::Result<()> {
    replace(disk, path, bytes, private)?;
    disk.sync_dir(directory_of(path))
}

/// [`write_durable`] without its last step: the contents are synced, the name is not yet.
pub fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8], private: bool) -> io::Result<()> {
    let temporary = temporary_of(path);
    // What a crash left behind may have another mode, so it is not written over.
    match disk.remove(&temporary) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let result = disk
        .create(&temporary, private)
        .and_then(|file| {
            file.append(bytes)?;
            file.sync_data()
        })
        .and_then(|()| disk.rename(&temporary, path));
    if result.is_err() {
        // Frees its space on a full disk; if it cannot be removed, the next attempt does.
        let _ = disk.remove(&temporary);
    }
    result
}

/// The name under which [`replace`] prepares a file.
pub fn temporary_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".tmp");
    PathBuf::from(name)
}

/// The directory that holds `path`'s name.
pub fn directory_of(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests;
