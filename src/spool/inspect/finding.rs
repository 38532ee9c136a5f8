//! What an inspection comes upon, and what is wrong with a spool.

use std::{io, ops::Range, path::PathBuf};

use bytes::Bytes;

use crate::spool::file_header::file_name;

/// A file of the spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedFile {
    /// Its name, which may be another's.
    pub name: String,
    /// Sequence of its first record.
    pub first: u64,
    /// Its length.
    pub bytes: u64,
    pub(super) salt: u32,
}

/// What is come upon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// From here on it is about this file.
    File(InspectedFile),
    /// An intact record.
    Record(FoundRecord),
    /// Bytes at a file's end that no answer ever stood for: a write that was cut short, or one that failed. The next
    /// start cuts them off, and nothing is lost by it.
    Unacknowledged(Range<u64>),
    /// Something is not as it was written.
    Defect(Defect),
}

/// An intact record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundRecord {
    /// Its sequence.
    pub sequence: u64,
    /// Its kind, as a number: a later version may have kinds that this one does not know.
    pub kind: u8,
    /// Where in its file it begins.
    pub offset: u64,
    /// What was appended.
    pub payload: Bytes,
}

/// What is wrong with a spool.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Defect {
    /// The file `id` is missing or damaged.
    #[error("the file id is missing or damaged: the next start takes a new id")]
    Unidentified,
    /// The newest file is gone.
    #[error("the newest file, {}, is missing", file_name(*first))]
    NewestMissing {
        /// Its first sequence.
        first: u64,
    },
    /// A file whose records cannot be read at all.
    #[error("{name} cannot be read: {why}")]
    Unreadable {
        /// The file.
        name: String,
        /// Why.
        why: String,
    },
    /// A file that bears another's name.
    #[error("{name} has another file's name: its records begin with {first}")]
    Misnamed {
        /// The file.
        name: String,
        /// What its header says.
        first: u64,
    },
    /// Bytes that are no record.
    #[error("bytes {} to {} are damaged", bytes.start, bytes.end)]
    Damaged {
        /// Where in the file.
        bytes: Range<u64>,
    },
    /// Records that were written and are not there.
    #[error("records {} to {} are missing", sequences.start, sequences.end.saturating_sub(1))]
    Missing {
        /// Which.
        sequences: Range<u64>,
    },
}

/// Why a spool cannot be looked at.
#[derive(Debug, thiserror::Error)]
pub enum InspectError {
    /// There is none.
    #[error("there is no spool at {}", path.display())]
    NoSpool {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A server has it open.
    #[error("the spool is in use by a server, which holds the lock {}", path.display())]
    Locked {
        /// The lock file.
        path: PathBuf,
    },
    /// The disk failed.
    #[error("cannot read the spool at {}", path.display())]
    Io {
        /// What could not be read.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
}
