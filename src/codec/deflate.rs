//! Content-Encoding `deflate`, in both of its meanings, and the inflating that gzip shares with it.

use flate2::{Decompress, FlushDecompress, Status};

use super::{DecodeError, output::Output};

/// Decodes one zlib stream or one raw deflate stream, and nothing after it.
pub(super) fn decode(body: &[u8], output: &mut Output) -> Result<(), DecodeError> {
    let mut inflater = Decompress::new(has_zlib_header(body));
    let rest = inflate(&mut inflater, body, output, "deflate")?;
    if rest.is_empty() { Ok(()) } else { Err(DecodeError::TrailingData) }
}

/// Tells zlib from raw deflate by its first two bytes. A raw stream that begins like this would be a stored block with
/// padding bits set, which no compressor writes.
fn has_zlib_header(body: &[u8]) -> bool {
    let Some(&[method, flags]) = body.first_chunk() else {
        return false;
    };
    method & 0x0f == 8 && method >> 4 <= 7 && u16::from_be_bytes([method, flags]).is_multiple_of(31)
}

/// Inflates one stream to its end and returns the bytes that follow it. The decoder answers "fine so far" when its input
/// runs out, so that reaching the end mark is what must be insisted on.
pub(super) fn inflate<'a>(
    inflater: &mut Decompress,
    mut input: &'a [u8],
    output: &mut Output,
    format: &'static str,
) -> Result<&'a [u8], DecodeError> {
    loop {
        let buffer = output.with_room()?;
        let consumed_before = inflater.total_in();
        let status = inflater
            .decompress_vec(input, buffer, FlushDecompress::None)
            .map_err(|_| DecodeError::Corrupt(format))?;
        let has_room = buffer.len() < buffer.capacity();
        let consumed = usize::try_from(inflater.total_in() - consumed_before).unwrap_or(usize::MAX);
        input = input.get(consumed..).unwrap_or_default();
        if status == Status::StreamEnd {
            return Ok(input);
        }
        if input.is_empty() && has_room {
            return Err(DecodeError::Truncated);
        }
    }
}
