//! The body of a delivery as it reaches us: the bytes of the wire beside what they decode to.

use bytes::Bytes;

use crate::codec::Encoding;

/// A body that was read whole.
#[derive(Clone, Debug)]
pub struct DeliveryBody {
    /// As it was sent; what a refusal of the whole body keeps.
    pub wire: Bytes,
    /// What it holds.
    pub content: Content,
}

/// What a body holds.
#[derive(Clone, Debug)]
pub enum Content {
    /// It was encoded like this, or not at all, and these are its bytes.
    Decoded(Encoding, Bytes),
    /// It claims this encoding and is not of it.
    Corrupt(Encoding),
    /// Its encoding is not supported.
    Unsupported,
}

impl DeliveryBody {
    /// How much work it is, roughly.
    pub(super) fn work_bytes(&self) -> usize {
        match &self.content {
            Content::Decoded(_, bytes) => bytes.len(),
            Content::Corrupt(_) | Content::Unsupported => self.wire.len(),
        }
    }
}
