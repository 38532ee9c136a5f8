//! The changes that the writer makes to the spool's directory, each in an order that a crash cannot break.

use std::{io, path::PathBuf, sync::Arc};

use uuid::Uuid;

use super::{
    active_file::{ActiveFile, WriteFailure, sync_directory},
    file_header::{FileHeader, file_name},
    identity::Identity,
};
use crate::disk::Disk;

/// The directory, and what its file `id` says.
pub(super) struct SpoolDirectory {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    identity: Identity,
}

impl SpoolDirectory {
    pub(super) fn new(disk: Arc<dyn Disk>, path: PathBuf, identity: Identity) -> Self {
        Self { disk, path, identity }
    }

    /// Makes the file that begins with the sequence `first`. First the file, then the note that it exists: if the note
    /// said more than is there, the file would be taken for lost.
    pub(super) fn begin_file(&mut self, first: u64) -> Result<ActiveFile, WriteFailure> {
        let header = FileHeader { spool_id: self.identity.id, first, salt: random_salt() };
        let file = ActiveFile::create(self.disk.as_ref(), &self.path, header)?;
        self.note(Identity { newest: first, end: None, ..self.identity })?;
        Ok(file)
    }

    /// Deletes the file that begins with `first`, durably; `end` is the spool's end.
    pub(super) fn delete(&mut self, first: u64, end: u64) -> Result<(), WriteFailure> {
        if first == self.identity.newest {
            // Otherwise recovery would miss its newest file.
            self.note(Identity { newest: end, end: Some(end), ..self.identity })?;
        }
        match self.disk.remove(&self.path.join(file_name(first))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        sync_directory(self.disk.as_ref(), &self.path)
    }

    /// Gives the spool another id.
    pub(super) fn renew_id(&mut self) -> Result<Uuid, WriteFailure> {
        let id = Identity::new_id();
        self.note(Identity { id, ..self.identity })?;
        Ok(id)
    }

    /// Leaves word that nothing more will be appended behind `end`.
    pub(super) fn note_end(&mut self, end: u64) -> Result<(), WriteFailure> {
        if self.identity.end.is_some() {
            return Ok(());
        }
        self.note(Identity { end: Some(end), ..self.identity })
    }

    /// Writes the file `id`.
    fn note(&mut self, identity: Identity) -> Result<(), WriteFailure> {
        identity.replace(self.disk.as_ref(), &self.path)?;
        sync_directory(self.disk.as_ref(), &self.path)?;
        self.identity = identity;
        Ok(())
    }
}

/// Unpredictable, so that no sender can guess it.
fn random_salt() -> u32 {
    // The last 32 bits of a version 7 UUID are random.
    let [.., a, b, c, d] = Uuid::now_v7().into_bytes();
    u32::from_le_bytes([a, b, c, d])
}
