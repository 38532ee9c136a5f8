//! A stream of zstd frames, skippable ones included, with a bounded window.

use std::io::{self, Read};

use ::zstd::stream::raw::{DParameter, Decoder as RawDecoder, InBuffer, Operation, OutBuffer};

use super::{StreamError, input::Input};
use crate::codec::zstd::WINDOW_BITS_MAX;

pub(super) const MAGIC: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];

/// Decodes one frame after the other.
pub(super) struct Decoder {
    frames: RawDecoder<'static>,
    frame_ended: bool,
}

impl Decoder {
    pub(super) fn new() -> io::Result<Self> {
        let mut frames = RawDecoder::new()?;
        frames.set_parameter(DParameter::WindowLogMax(WINDOW_BITS_MAX))?;
        Ok(Self { frames, frame_ended: false })
    }

    /// Fills some of `output`; none only after the last frame.
    pub(super) fn decode<R: Read>(&mut self, input: &mut Input<R>, output: &mut [u8]) -> io::Result<usize> {
        loop {
            let available = input.available()?;
            let input_ended = available.is_empty();
            if input_ended && self.frame_ended {
                return Ok(0);
            }
            let mut source = InBuffer::around(available);
            let mut target = OutBuffer::around(&mut *output);
            let bytes_to_come =
                self.frames.run(&mut source, &mut target).map_err(|_| StreamError::Corrupt("zstd"))?;
            let (consumed, decoded) = (source.pos(), target.pos());
            input.consume(consumed);
            self.frame_ended = bytes_to_come == 0;
            if decoded > 0 {
                return Ok(decoded);
            }
            if consumed == 0 && !self.frame_ended {
                let error = if input_ended { StreamError::Truncated } else { StreamError::Corrupt("zstd") };
                return Err(error.into());
            }
        }
    }
}
