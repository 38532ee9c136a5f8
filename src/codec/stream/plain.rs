//! The plain bytes of a stream, whatever it is compressed with, under its limits.

use std::io::{self, Read};

use super::{StreamError, gzip, input::Input, lzop, zstd};

/// Below this many decoded bytes nothing is said about expansion: a small text may well be one long repetition.
pub(super) const RATIO_FROM_BYTES: u64 = 1 << 20;

/// How much a stream may decode to, and how.
#[derive(Clone, Copy, Debug)]
pub struct StreamLimits {
    /// The most bytes after decoding; exactly this many still pass.
    pub decoded_bytes: u64,
    /// The most decoded bytes per compressed byte so far, once a mebibyte has been decoded.
    pub ratio: u64,
    /// The most bytes in one lzop block after decoding, which is what decoding it takes in memory (besides as much for
    /// its packed bytes). lzop itself writes blocks of 256 KiB.
    pub block_bytes: u32,
}

/// The plain bytes of a delivery.
///
/// An error that is no [`StreamError`] inside is the input's own, passed on as it came. After an error nothing more
/// is to be read.
pub struct PlainReader<R> {
    input: Input<R>,
    format: Format,
    limits: StreamLimits,
    decoded_bytes: u64,
}

enum Format {
    Plain,
    Gzip(gzip::Decoder),
    Zstd(zstd::Decoder),
    Lzop(lzop::Decoder),
}

/// Finds out how `input` is compressed, for which its first four bytes are read. What has no known magic is plain.
pub fn open<R: Read>(input: R, limits: StreamLimits) -> io::Result<PlainReader<R>> {
    let mut input = Input::new(input);
    let start = input.peek(4)?;
    let format = if start.starts_with(&gzip::MAGIC) {
        Format::Gzip(gzip::Decoder::new())
    } else if start.starts_with(&zstd::MAGIC) {
        Format::Zstd(zstd::Decoder::new()?)
    } else if start.starts_with(&lzop::MAGIC) {
        Format::Lzop(lzop::Decoder::new(limits.block_bytes))
    } else {
        Format::Plain
    };
    Ok(PlainReader { input, format, limits, decoded_bytes: 0 })
}

impl<R> PlainReader<R> {
    /// Bytes that followed a finished lzop member without being another one, and were ignored as lzop does.
    pub fn ignored_bytes(&self) -> u64 {
        match &self.format {
            Format::Lzop(decoder) => decoder.ignored_bytes(),
            Format::Plain | Format::Gzip(_) | Format::Zstd(_) => 0,
        }
    }
}

impl<R: Read> PlainReader<R> {
    fn decode(&mut self, output: &mut [u8]) -> io::Result<usize> {
        match &mut self.format {
            Format::Plain => self.input.read(output),
            Format::Gzip(decoder) => decoder.decode(&mut self.input, output),
            Format::Zstd(decoder) => decoder.decode(&mut self.input, output),
            Format::Lzop(decoder) => decoder.decode(&mut self.input, output),
        }
    }

    fn check_ratio(&self) -> Result<(), StreamError> {
        let limit = self.limits.ratio;
        let allowed = self.input.consumed_bytes().saturating_mul(limit).max(RATIO_FROM_BYTES);
        if self.decoded_bytes > allowed { Err(StreamError::Ratio { limit }) } else { Ok(()) }
    }
}

impl<R: Read> Read for PlainReader<R> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        if output.is_empty() {
            return Ok(0);
        }
        let limit = self.limits.decoded_bytes;
        let room = usize::try_from(limit - self.decoded_bytes).unwrap_or(usize::MAX);
        if room == 0 {
            // One byte more tells a stream of exactly the limit from a larger one.
            return match self.decode(&mut [0])? {
                0 => Ok(0),
                _ => Err(StreamError::TooLarge { limit }.into()),
            };
        }
        let length = output.len().min(room);
        let decoded = self.decode(output.get_mut(..length).unwrap_or_default())?;
        self.decoded_bytes += decoded as u64;
        self.check_ratio()?;
        Ok(decoded)
    }
}
