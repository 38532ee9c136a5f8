//! The compressed bytes, buffered: looked at before they are taken, and counted as they are.

use std::io::{self, ErrorKind, Read};

use super::StreamError;

const BUFFER_BYTES: usize = 64 * 1024;

/// A reader with a buffer of fixed size.
pub(super) struct Input<R> {
    reader: R,
    buffer: Box<[u8]>,
    start: usize,
    end: usize,
    consumed_bytes: u64,
}

impl<R> Input<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, buffer: vec![0; BUFFER_BYTES].into(), start: 0, end: 0, consumed_bytes: 0 }
    }

    /// How many bytes have been taken so far.
    pub(super) fn consumed_bytes(&self) -> u64 {
        self.consumed_bytes
    }

    /// Takes bytes that have been looked at.
    pub(super) fn consume(&mut self, count: usize) {
        let count = count.min(self.end - self.start);
        self.start += count;
        self.consumed_bytes += count as u64;
    }
}

impl<R: Read> Input<R> {
    /// What is buffered, at least `wanted` bytes of it (a few); fewer only if the input ends before.
    pub(super) fn peek(&mut self, wanted: usize) -> io::Result<&[u8]> {
        while self.end - self.start < wanted {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
            match self.reader.read(self.buffer.get_mut(self.end..).unwrap_or_default()) {
                Ok(0) => break,
                Ok(count) => self.end += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(self.buffer.get(self.start..self.end).unwrap_or_default())
    }

    /// What is buffered, if anything is left at all.
    pub(super) fn available(&mut self) -> io::Result<&[u8]> {
        self.peek(1)
    }

    /// Takes at least one byte and at most `output` holds; none only at the end.
    pub(super) fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        let mut available = self.available()?;
        let count = available.read(output)?;
        self.consume(count);
        Ok(count)
    }

    /// Takes the next bytes of a format that cannot end here.
    pub(super) fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let bytes = *self.peek(N)?.first_chunk().ok_or(StreamError::Truncated)?;
        self.consume(N);
        Ok(bytes)
    }

    /// Takes the next `count` bytes, handing them out piece by piece.
    pub(super) fn take_pieces(&mut self, count: u32, mut piece: impl FnMut(&[u8])) -> io::Result<()> {
        let mut left = usize::try_from(count).unwrap_or(usize::MAX);
        while left > 0 {
            let available = self.available()?;
            if available.is_empty() {
                return Err(StreamError::Truncated.into());
            }
            let part = available.get(..left).unwrap_or(available);
            piece(part);
            let taken = part.len();
            self.consume(taken);
            left -= taken;
        }
        Ok(())
    }
}
