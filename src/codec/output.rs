//! The buffer that a decoder fills: grows by what was really decoded, and never far past the limit.

use bytes::Bytes;

use super::DecodeError;

/// Text of events shrinks to about a quarter, so most bodies fit into their first buffer.
const EXPECTED_RATIO: usize = 4;
const FIRST_BYTES_MIN: usize = 1024;

/// From this limit on a buffer is of [`MAPPED_BYTES`] from the beginning; below it, doubling is cheap.
const LARGE_BYTES: usize = 1 << 20;
/// A buffer of this size is memory that the system lends page by page when it is written to, and has back when the
/// buffer is dropped. Of smaller ones allocators keep what is freed, and glibc's for each thread apart: bodies that grew
/// by doubling left four times as much behind as they may take (`tests/abuse`).
const MAPPED_BYTES: usize = 33 << 20;
/// What a decoder may write at once where the buffer has room beyond the limit.
const PIECE_BYTES: usize = 64 << 10;

/// Decoded bytes under a limit.
pub(super) struct Output {
    bytes: Vec<u8>,
    /// What was decoded last, if the buffer is a large one.
    piece: Vec<u8>,
    limit: usize,
}

impl Output {
    /// A buffer for the decoded form of `encoded_bytes`, which are at hand (not claimed).
    pub(super) fn new(encoded_bytes: usize, limit: usize) -> Self {
        let first = encoded_bytes.saturating_mul(EXPECTED_RATIO).max(FIRST_BYTES_MIN);
        if limit < LARGE_BYTES {
            let bytes = Vec::with_capacity(first.min(limit.saturating_add(1)));
            return Self { bytes, piece: Vec::new(), limit };
        }
        Self { bytes: Vec::with_capacity(MAPPED_BYTES), piece: Vec::with_capacity(PIECE_BYTES), limit }
    }

    /// A buffer with room for at least one more byte. No more than a piece past the limit is ever asked for, and no less
    /// than one byte: it is what tells a body of exactly the limit from a larger one.
    pub(super) fn with_room(&mut self) -> Result<&mut Vec<u8>, DecodeError> {
        self.bytes.append(&mut self.piece);
        let length = self.bytes.len();
        if length > self.limit {
            return Err(DecodeError::TooLarge { limit: self.limit });
        }
        if self.piece.capacity() > 0 {
            return Ok(&mut self.piece);
        }
        if length == self.bytes.capacity() {
            let to_limit = self.limit.saturating_add(1).saturating_sub(length);
            self.bytes.reserve_exact(length.max(FIRST_BYTES_MIN).min(to_limit));
        }
        Ok(&mut self.bytes)
    }

    /// The decoded bytes, if they are within the limit.
    pub(super) fn finish(mut self) -> Result<Bytes, DecodeError> {
        self.bytes.append(&mut self.piece);
        if self.bytes.len() > self.limit {
            return Err(DecodeError::TooLarge { limit: self.limit });
        }
        Ok(Bytes::from(self.bytes))
    }
}
