//! Deliveries as a stream: from the bytes of the wire to the plain bytes, a piece at a time.
//!
//! A whole body goes through `codec::decode`; this is for deliveries too large to hold. What they are compressed with is
//! found out from their first bytes, never from a header, and only one layer is taken off. The promises of `codec`
//! hold here too: every gzip member, zstd frame and lzop member is decoded, a stream must reach its own end, checksums
//! must hold, and memory follows what was received, never a length that the sender claims. *Bounded* has three
//! meanings for a stream: its total, its expansion, and the block that lzop decodes at once.
//!
//! Bytes are handed out before the end of the stream has been seen, hence before a checksum at the end has been
//! compared. Who reads must expect that an error follows good bytes.

mod error;
mod gzip;
mod input;
mod lzop;
mod plain;
mod zstd;

#[cfg(test)]
mod tests;

pub use error::StreamError;
pub use plain::{PlainReader, StreamLimits, open};
