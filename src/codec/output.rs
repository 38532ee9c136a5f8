//! The buffer that a decoder fills: grows by what was really decoded, and never far past the limit.

use bytes::Bytes;

use super::DecodeError;

/// Text of events shrinks to about a quarter, so most bodies fit into their first buffer.
const EXPECTED_RATIO: usize = 4;
const FIRST_BYTES_MIN: usize = 1024;

/// Decoded bytes under a limit.
pub(super) struct Output {
    bytes: Vec<u8>,
    limit: usize,
}

impl Output {
    /// A buffer for the decoded form of `encoded_bytes`, which are at hand (not claimed).
    pub(super) fn new(encoded_bytes: usize, limit: usize) -> Self {
        let first = encoded_bytes.saturating_mul(EXPECTED_RATIO).max(FIRST_BYTES_MIN);
        Self { bytes: Vec::with_capacity(first.min(limit.saturating_add(1))), limit }
    }

    /// The buffer with room for at least one more byte. At most one byte past the limit is ever asked for: it is what
    /// tells a body of exactly the limit from a larger one.
    pub(super) fn with_room(&mut self) -> Result<&mut Vec<u8>, DecodeError> {
        let length = self.bytes.len();
        if length > self.limit {
            return Err(DecodeError::TooLarge { limit: self.limit });
        }
        if length == self.bytes.capacity() {
            let to_limit = self.limit.saturating_add(1).saturating_sub(length);
            self.bytes.reserve_exact(length.max(FIRST_BYTES_MIN).min(to_limit));
        }
        Ok(&mut self.bytes)
    }

    /// The decoded bytes, if they are within the limit.
    pub(super) fn finish(self) -> Result<Bytes, DecodeError> {
        if self.bytes.len() > self.limit {
            return Err(DecodeError::TooLarge { limit: self.limit });
        }
        Ok(Bytes::from(self.bytes))
    }
}
