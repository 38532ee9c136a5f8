//! Content-Encoding `gzip`: every member, each with its checksum, and nothing else.

use flate2::Decompress;

use super::{DecodeError, deflate::inflate, output::Output};

/// What every member begins with.
pub(super) const MAGIC: [u8; 2] = [0x1f, 0x8b];
const WINDOW_BITS: u8 = 15;

/// Whether the bytes after a member, as many as are there, may be another one. Nothing else may follow; padding of
/// zeros, which some tape tools write and `gunzip` skips, is refused like anything else, because no sender of HTTP has
/// a reason to pad.
pub(super) fn may_follow(rest: &[u8]) -> bool {
    MAGIC.starts_with(rest) || rest.starts_with(&MAGIC)
}

/// What decodes one member and compares its checksum.
pub(super) fn member_inflater() -> Decompress {
    Decompress::new_gzip(WINDOW_BITS)
}

/// Decodes all members.
pub(super) fn decode(body: &[u8], output: &mut Output) -> Result<(), DecodeError> {
    let mut rest = member(body, output)?;
    while !rest.is_empty() {
        if !may_follow(rest) {
            return Err(DecodeError::TrailingData);
        }
        rest = member(rest, output)?;
    }
    Ok(())
}

fn member<'a>(body: &'a [u8], output: &mut Output) -> Result<&'a [u8], DecodeError> {
    inflate(&mut member_inflater(), body, output, "gzip")
}
