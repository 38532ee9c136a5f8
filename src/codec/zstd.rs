//! Content-Encoding `zstd`: every frame, skippable ones included, with a bounded window.

use std::io::{ErrorKind, Read};

use ::zstd::stream::read::Decoder;

use super::{DecodeError, output::Output};

/// 8 MiB, the window that RFC 9659 allows for this encoding. A frame that claims more is refused before its window is allocated.
pub(super) const WINDOW_BITS_MAX: u32 = 23;

/// Decodes all frames to the last byte of the body.
pub(super) fn decode(body: &[u8], output: &mut Output) -> Result<(), DecodeError> {
    let corrupt = || DecodeError::Corrupt("zstd");
    let mut decoder = Decoder::with_buffer(body).map_err(|_| corrupt())?;
    decoder.window_log_max(WINDOW_BITS_MAX).map_err(|_| corrupt())?;
    loop {
        let buffer = output.with_room()?;
        let room = buffer.capacity() - buffer.len();
        let read =
            decoder.by_ref().take(room as u64).read_to_end(buffer).map_err(|error| match error.kind() {
                ErrorKind::UnexpectedEof => DecodeError::Truncated,
                _ => corrupt(),
            })?;
        if read < room {
            return Ok(());
        }
    }
}
