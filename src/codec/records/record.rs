//! One record, or why there are no more.

use std::io;

use bytes::Bytes;

/// How large a record may be.
#[derive(Clone, Copy, Debug)]
pub struct RecordLimits {
    /// The most bytes of one record; exactly this many still pass.
    pub record_bytes: usize,
}

/// One record as it was sent. Its bytes share the buffer they were read into.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// All of it, without the blanks around it. It is an object, unless it is the element of an array.
    Whole(Bytes),
    /// It is over the limit.
    Oversized {
        /// Its first KiB, or as much of it as the limit allows.
        head: Bytes,
        /// How long it is.
        size_bytes: u64,
    },
}

/// Why there are no more records, although the stream has not ended.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// What follows the records so far is no record.
    #[error("the JSON is broken from byte {} on", .0.offset_bytes)]
    Broken(Rest),
    /// The stream cannot be read on.
    #[error("reading failed")]
    Read(#[from] io::Error),
}

/// What remains of a stream that cannot be split on.
#[derive(Debug, PartialEq, Eq)]
pub struct Rest {
    /// Where in the stream it begins: after the last record, or after what led up to the record that is broken.
    pub offset_bytes: u64,
    /// Its beginning, at most as long as a record may be.
    pub bytes: Bytes,
    /// Whether more followed.
    pub is_cut: bool,
}
