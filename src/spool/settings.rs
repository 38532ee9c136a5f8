//! What can be chosen about the spool.

use std::{path::PathBuf, time::Duration};

/// Settings of a spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The spool's own directory; made, for its owner only, where it is missing.
    pub directory: PathBuf,
    /// The quota: beyond it appends are refused until lanes have caught up. It may be exceeded by the header of one
    /// file.
    pub max_bytes: u64,
    /// A file is closed when it has grown to this size, or to an eighth of `max_bytes` if that is less: only closed
    /// files can be deleted, and they must not fill the quota between them.
    pub file_bytes: u64,
    /// While the disk has less than this to spare, [`super::Status::accepts`] says no. Appends are still tried.
    pub min_free: u64,
    /// Bytes of chunks that may wait for the writer.
    pub queue_bytes: u64,
    /// How long an append waits for room in that queue.
    pub queue_wait: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            directory: PathBuf::from("tidegate-data/spool"),
            max_bytes: 10 << 30,
            file_bytes: 64 << 20,
            min_free: 256 << 20,
            queue_bytes: 64 << 20,
            queue_wait: Duration::from_secs(1),
        }
    }
}

impl Settings {
    /// The size at which a file is closed.
    pub(super) fn roll_bytes(&self) -> u64 {
        self.file_bytes.min(self.max_bytes / 8)
    }
}
