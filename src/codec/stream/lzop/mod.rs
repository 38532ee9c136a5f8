//! A stream of lzop members.
//!
//! Everything is big-endian. A member is a header and blocks:
//!
//! - magic, nine bytes;
//! - header: version u16, library version u16, \[version needed u16\], method u8, \[level u8\], flags u32, \[filter u32\],
//!   mode u32, time u32, \[time u32\], name length u8, name, checksum u32 of all this after the magic. The fields in
//!   brackets exist since version 0.94 or by a flag;
//! - by a flag, an extra field: length u32, bytes, checksum u32 of both;
//! - blocks: plain length u32 (0 ends the member), packed length u32, by flags the checksums of the plain and of the
//!   packed bytes, then the packed bytes, LZO1X each on its own. A packed length that equals the plain length means
//!   that the bytes are stored as they are.
//!
//! Members follow each other. What follows the last one is ignored, as lzop itself ignores it, and counted.

mod block;
mod checksum;
mod decoder;
mod header;

#[cfg(test)]
mod tests;

pub(super) use decoder::{Decoder, MAGIC};
