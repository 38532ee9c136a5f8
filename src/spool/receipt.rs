//! The answer to an append: a proof that it is durable, or why it is not.

/// Proof that a chunk was fsynced. Only the spool's writer makes one:
///
/// ```compile_fail,E0451
/// let forged = tidegate::spool::Receipt { first_sequence: 0, records: 1 };
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "it is what entitles us to say that the delivery is committed"]
pub struct Receipt {
    first_sequence: u64,
    records: usize,
}

impl Receipt {
    /// To be called after the fsync and nowhere else.
    pub(super) fn after_fsync(first_sequence: u64, records: usize) -> Self {
        Self { first_sequence, records }
    }

    /// The sequence of the chunk's first record; the others follow without a gap.
    pub fn first_sequence(&self) -> u64 {
        self.first_sequence
    }

    /// How many records became durable.
    pub fn records(&self) -> usize {
        self.records
    }
}

/// Why a chunk was not made durable. Every cause is ours, so the sender is to try again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum AppendError {
    /// It would exceed the quota `max_bytes`.
    #[error("the spool has reached its quota")]
    Full,
    /// The disk, or the user's quota on it, is used up.
    #[error("the disk is full")]
    NoSpace,
    /// There was no room in the queue within `queue_wait`, or no file handle to be had.
    #[error("the spool is busy")]
    Busy,
    /// A write or fsync failed: nothing is accepted until the process has restarted and recovered.
    #[error("the spool is poisoned by a failed write")]
    Poisoned,
    /// We are stopping.
    #[error("the spool is closed")]
    Closed,
}
