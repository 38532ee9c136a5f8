//! A stream of gzip members, each with its checksum, and nothing else.

use std::io::{self, Read};

use flate2::{Decompress, FlushDecompress, Status};

use super::{StreamError, input::Input};
use crate::codec::gzip::{may_follow, member_inflater};

pub(super) use crate::codec::gzip::MAGIC;

/// Decodes one member after the other.
pub(super) struct Decoder {
    inflater: Decompress,
    member_ended: bool,
}

impl Decoder {
    pub(super) fn new() -> Self {
        Self { inflater: member_inflater(), member_ended: false }
    }

    /// Fills some of `output`; none only after the last member.
    pub(super) fn decode<R: Read>(&mut self, input: &mut Input<R>, output: &mut [u8]) -> io::Result<usize> {
        loop {
            if self.member_ended {
                let next = input.peek(MAGIC.len())?;
                if next.is_empty() {
                    return Ok(0);
                }
                if !may_follow(next) {
                    return Err(StreamError::TrailingData.into());
                }
                *self = Self::new();
            }
            let available = input.available()?;
            let input_ended = available.is_empty();
            let (consumed_before, decoded_before) = (self.inflater.total_in(), self.inflater.total_out());
            let status = self
                .inflater
                .decompress(available, output, FlushDecompress::None)
                .map_err(|_| StreamError::Corrupt("gzip"))?;
            let consumed = size(self.inflater.total_in() - consumed_before);
            let decoded = size(self.inflater.total_out() - decoded_before);
            input.consume(consumed);
            self.member_ended = status == Status::StreamEnd;
            if decoded > 0 {
                return Ok(decoded);
            }
            if consumed == 0 && !self.member_ended {
                let error = if input_ended { StreamError::Truncated } else { StreamError::Corrupt("gzip") };
                return Err(error.into());
            }
        }
    }
}

/// The difference of two totals, which cannot be more than the buffer that was passed.
fn size(bytes: u64) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}
