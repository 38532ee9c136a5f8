//! The part of the stream that is being looked at.

use std::io::{self, ErrorKind, Read};

use bytes::{Buf, Bytes, BytesMut};

/// How much is read at once.
const READ_BYTES: usize = 64 * 1024;

/// Bytes that were read and not yet passed by.
pub(super) struct Window<R> {
    reader: R,
    /// What was read, followed by room that is already zeroed, so that it is zeroed once and not before each read.
    buffer: BytesMut,
    filled: usize,
    offset_bytes: u64,
}

impl<R> Window<R> {
    pub(super) fn new(reader: R) -> Self {
        Self { reader, buffer: BytesMut::new(), filled: 0, offset_bytes: 0 }
    }

    /// Where in the stream the window begins.
    pub(super) fn offset_bytes(&self) -> u64 {
        self.offset_bytes
    }

    /// What the window takes in memory, besides what has been taken from it.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    /// How many bytes the window has.
    pub(super) fn len(&self) -> usize {
        self.filled
    }

    /// The window's bytes but for the first `start`.
    pub(super) fn bytes_from(&self, start: usize) -> &[u8] {
        self.buffer.get(start..self.filled).unwrap_or_default()
    }

    /// Passes by the first `count` bytes.
    pub(super) fn skip(&mut self, count: usize) {
        let count = count.min(self.filled);
        self.buffer.advance(count);
        self.passed(count);
    }

    /// Takes the first `count` bytes, without copying them.
    pub(super) fn take(&mut self, count: usize) -> Bytes {
        let count = count.min(self.filled);
        let taken = self.buffer.split_to(count).freeze();
        self.passed(count);
        taken
    }

    fn passed(&mut self, count: usize) {
        self.filled -= count;
        self.offset_bytes += count as u64;
    }
}

impl<R: Read> Window<R> {
    /// Makes the window longer by what one read gives; `false` at the end of the stream.
    pub(super) fn grow(&mut self) -> io::Result<bool> {
        if self.filled == self.buffer.len() {
            self.buffer.resize(self.filled + READ_BYTES, 0);
        }
        let room = self.buffer.get_mut(self.filled..).unwrap_or_default();
        loop {
            match self.reader.read(room) {
                Ok(count) => {
                    self.filled += count;
                    return Ok(count > 0);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Passes by blanks and returns the byte that follows them, which becomes the window's first.
    pub(super) fn next_visible(&mut self) -> io::Result<Option<u8>> {
        loop {
            let visible =
                self.bytes_from(0).iter().position(|byte| !matches!(byte, b' ' | b'\t' | b'\n' | b'\r'));
            self.skip(visible.unwrap_or(self.filled));
            if visible.is_some() {
                return Ok(self.bytes_from(0).first().copied());
            }
            if !self.grow()? {
                return Ok(None);
            }
        }
    }
}
