//! The one file that is appended to.

use std::{io, path::Path};

use super::{
    file_header::{FileHeader, HEADER_BYTES, file_name},
    index::SpoolFile,
};
use crate::disk::{self, Disk, DiskFile};

/// The file that the writer appends to.
pub(super) struct ActiveFile {
    file: Box<dyn DiskFile>,
    header: FileHeader,
    /// Its durable length.
    bytes: u64,
    /// Bytes behind them that were written since the last sync.
    unsynced: u64,
}

/// What a failed write means.
#[derive(Debug)]
pub(super) enum WriteFailure {
    /// Nothing was written, or it was taken back; it may work another time.
    NoSpace(io::Error),
    /// As before: the process has no file handle left.
    NoHandle(io::Error),
    /// We no longer know what is on disk.
    Fatal(io::Error),
}

impl From<io::Error> for WriteFailure {
    fn from(error: io::Error) -> Self {
        if disk::is_no_space(&error) {
            Self::NoSpace(error)
        } else if disk::is_no_handle(&error) {
            Self::NoHandle(error)
        } else {
            Self::Fatal(error)
        }
    }
}

/// Makes the names in the spool's directory durable. If that fails it cannot be tried again: the second attempt could
/// succeed without having written anything.
pub(super) fn sync_directory(disk: &dyn Disk, directory: &Path) -> Result<(), WriteFailure> {
    disk.sync_dir(directory).map_err(|error| {
        if disk::is_no_handle(&error) { WriteFailure::NoHandle(error) } else { WriteFailure::Fatal(error) }
    })
}

impl ActiveFile {
    /// Makes a new file; it and its name are durable when this returns.
    pub(super) fn create(
        disk: &dyn Disk,
        directory: &Path,
        header: FileHeader,
    ) -> Result<Self, WriteFailure> {
        let path = directory.join(file_name(header.first));
        disk::replace(disk, &path, &header.encode(), true)?;
        sync_directory(disk, directory)?;
        let file = disk.open_writable(&path)?;
        Ok(Self { file, header, bytes: HEADER_BYTES, unsynced: 0 })
    }

    /// What it says of itself.
    pub(super) fn header(&self) -> &FileHeader {
        &self.header
    }

    /// Its durable length.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The file as readers may know it.
    pub(super) fn readable(&self) -> SpoolFile {
        SpoolFile { salt: self.header.salt, bytes: self.bytes }
    }

    /// Appends frames, which are durable after the next [`Self::sync`]. Where space runs out, everything since the last one
    /// is taken back. After a [`WriteFailure::Fatal`] the file must not be touched again.
    pub(super) fn write(&mut self, frames: &[u8]) -> Result<(), WriteFailure> {
        if frames.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.append(frames) {
            if !disk::is_no_space(&error) {
                return Err(WriteFailure::Fatal(error));
            }
            self.unsynced = 0;
            self.file
                .set_len(self.bytes)
                .and_then(|()| self.file.sync_data())
                .map_err(WriteFailure::Fatal)?;
            return Err(WriteFailure::NoSpace(error));
        }
        self.unsynced += frames.len() as u64;
        Ok(())
    }

    /// Makes durable what was written.
    pub(super) fn sync(&mut self) -> Result<(), WriteFailure> {
        // Of a failed fsync no kind passes by itself, not even lack of space: the pages are gone.
        self.file.sync_data().map_err(WriteFailure::Fatal)?;
        self.bytes += std::mem::take(&mut self.unsynced);
        Ok(())
    }
}
