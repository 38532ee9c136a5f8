//! Where a chunked body ends.
//!
//! hyper decodes the chunks; this finds the last byte of the body, so that what follows is judged as a head of its own.
//! The two cannot disagree to our harm: every line here ends with CRLF, sizes are plain hexadecimal, and whatever this is
//! more liberal with (the text of extensions and trailers, their length) makes hyper close the connection.

/// Follows a chunked body through any division into reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Chunks {
    /// In the digits of a size; whether one was seen.
    Size { size: u64, any: bool },
    /// Behind the digits, before CR.
    Extension { size: u64 },
    /// Between the CR and the LF of a size's line.
    SizeLf { size: u64 },
    /// In a chunk's data with so many bytes to come.
    Data { left: u64 },
    /// Before the CR that ends the data.
    DataCr,
    /// Before the LF that ends the data.
    DataLf,
    /// At the beginning of a line behind the last chunk.
    TrailerStart,
    /// Inside a line of a trailer.
    Trailer,
    /// Between the CR and the LF of a trailer's line.
    TrailerLf,
    /// Between the CR and the LF of the last line.
    EndLf,
    /// Behind the last byte.
    End,
}

/// The framing is broken: nothing can be known about what follows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct MalformedChunk;

impl Chunks {
    /// Before the first byte of a body.
    pub(super) const START: Self = Self::Size { size: 0, any: false };

    /// Goes on through `bytes` and returns how many of them belong to the body: all of them, unless it ends among them.
    pub(super) fn advance(&mut self, bytes: &[u8]) -> Result<usize, MalformedChunk> {
        let mut position = 0;
        while *self != Self::End {
            let Some(rest) = bytes.get(position..) else {
                break;
            };
            let Some(&byte) = rest.first() else { break };
            if let Self::Data { left } = *self {
                let taken = usize::try_from(left).unwrap_or(usize::MAX).min(rest.len());
                let left = left - taken as u64;
                *self = if left == 0 { Self::DataCr } else { Self::Data { left } };
                position += taken;
            } else {
                *self = self.after(byte).ok_or(MalformedChunk)?;
                position += 1;
            }
        }
        Ok(position)
    }

    /// The state behind one byte that is not data.
    fn after(self, byte: u8) -> Option<Self> {
        Some(match (self, byte) {
            (Self::Size { size, any: _ }, _) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16)?;
                Self::Size { size: size.checked_mul(16)?.checked_add(digit.into())?, any: true }
            }
            (Self::Size { size, any: true } | Self::Extension { size }, b'\r') => Self::SizeLf { size },
            (Self::Size { size, any: true }, b' ' | b'\t' | b';') => Self::Extension { size },
            (Self::Extension { size }, byte) if byte != b'\n' => Self::Extension { size },
            (Self::SizeLf { size: 0 } | Self::TrailerLf, b'\n') => Self::TrailerStart,
            (Self::SizeLf { size }, b'\n') => Self::Data { left: size },
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => Self::START,
            (Self::TrailerStart, b'\r') => Self::EndLf,
            (Self::Trailer, b'\r') => Self::TrailerLf,
            (Self::TrailerStart | Self::Trailer, byte) if byte != b'\n' => Self::Trailer,
            (Self::EndLf, b'\n') => Self::End,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Chunks, MalformedChunk};

    /// Feeds `bytes` in pieces and returns where the body ended, if it did.
    fn end(bytes: &[u8], piece: usize) -> Result<Option<usize>, MalformedChunk> {
        let mut chunks = Chunks::START;
        let mut position = 0;
        for piece in bytes.chunks(piece) {
            let taken = chunks.advance(piece)?;
            position += taken;
            if chunks == Chunks::End {
                return Ok(Some(position));
            }
            assert_eq!(taken, piece.len());
        }
        Ok(None)
    }

    #[test]
    fn body_ends_behind_its_last_line() {
        for body in [
            "0\r\n\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
            "00a\r\n0\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n",
            "5;name=value\r\nhello\r\n000\r\n\r\n",
            "5 \r\nhello\r\n0  ;x\r\n\r\n",
            "1\r\nx\r\n0\r\nTrailer: value\r\nAnother: 1\r\n\r\n",
        ] {
            for piece in 1..=body.len() {
                let followed = [body, "GET / HTTP/1.1\r\n"].concat();
                assert_eq!(end(followed.as_bytes(), piece), Ok(Some(body.len())), "{body:?} by {piece}");
            }
            assert_eq!(end(&body.as_bytes()[..body.len() - 1], 3), Ok(None), "{body:?}");
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_malformed() {
        for body in [
            "\r\n",
            "x\r\n",
            "-1\r\n",
            "+5\r\nhello\r\n",
            " 5\r\nhello\r\n",
            "0x5\r\nhello\r\n",
            "5\nhello\r\n",
            "5;a\nb\r\nhello\r\n",
            "5\r\nhello0\r\n\r\n",
            "5\r\nhello\n0\r\n\r\n",
            "0\r\n\n",
            "0\r\nTrailer: value\n\r\n",
            "10000000000000000\r\n",
        ] {
            assert_eq!(end(body.as_bytes(), 64), Err(MalformedChunk), "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn any_chunks_in_any_pieces(data in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..60), 0..6), piece in 1_usize..80) {
            let mut body = Vec::new();
            for chunk in &data {
                body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                body.extend_from_slice(chunk);
                body.extend_from_slice(b"\r\n");
            }
            body.extend_from_slice(b"0\r\n\r\n");
            let length = body.len();
            body.extend_from_slice(b"next");
            prop_assert_eq!(end(&body, piece), Ok(Some(length)));
        }
    }
}
