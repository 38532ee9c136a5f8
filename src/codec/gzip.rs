//! Content-Encoding `gzip`: every member, each with its checksum, and nothing else.

use flate2::Decompress;

use super::{DecodeError, deflate::inflate, output::Output};

const MAGIC: [u8; 2] = [0x1f, 0x8b];
const WINDOW_BITS: u8 = 15;

/// Decodes all members. What follows a member must be another one; padding of zeros, which some tape tools write and
/// `gunzip` skips, is refused like anything else, because no sender of HTTP has a reason to pad.
pub(super) fn decode(body: &[u8], output: &mut Output) -> Result<(), DecodeError> {
    let mut rest = member(body, output)?;
    while !rest.is_empty() {
        if !MAGIC.starts_with(rest) && !rest.starts_with(&MAGIC) {
            return Err(DecodeError::TrailingData);
        }
        rest = member(rest, output)?;
    }
    Ok(())
}

fn member<'a>(body: &'a [u8], output: &mut Output) -> Result<&'a [u8], DecodeError> {
    inflate(&mut Decompress::new_gzip(WINDOW_BITS), body, output, "gzip")
}
