//! What comes of opening the spool.

use std::{io, path::PathBuf};

use uuid::Uuid;

/// Why the spool cannot be opened. Damage is none of the reasons.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("the spool is in use by another process, which holds the lock {}", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The disk failed.
    #[error("cannot open the spool at {}", path.display())]
    Io {
        /// What could not be read or written.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// What recovery found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recovery {
    /// The spool's id.
    pub id: Uuid,
    /// Why the id is a new one, if it is.
    pub new_id: Option<NewId>,
    /// The first sequence that may be there.
    pub oldest: u64,
    /// The sequence of the next record.
    pub end: u64,
    /// Bytes of an unfinished write that were cut off: they were never answered for.
    pub torn_bytes: u64,
    /// Records that are known to be damaged or missing, as far as the newest file shows; damage in other files is
    /// found when it is read.
    pub damaged_records: u64,
    /// Files that could not be read, and were renamed to `*.unreadable`.
    pub unreadable_files: u64,
}

/// Why a spool takes a new id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewId {
    /// There was no spool here.
    Created,
    /// The file `id` is missing or damaged.
    Unidentified,
    /// The newest file is missing or unreadable.
    NewestFileLost,
    /// The newest file's end is damaged.
    EndDamaged,
}

impl Recovery {
    /// Logs a loss. What else there is to say, the caller says.
    pub(super) fn tell(&self) {
        if let Some(reason) = self.new_id
            && reason != NewId::Created
        {
            tracing::error!(
                spool_id = %self.id,
                ?reason,
                next_sequence = self.end,
                "records of the spool may be lost: it took a new id, and lanes start over at its oldest record"
            );
        }
    }
}
