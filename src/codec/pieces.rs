//! A reader for tests: gives its bytes in pieces of chosen sizes, as a socket would.

use std::io::{self, Read};

/// Bytes that are read piece by piece.
pub(crate) struct Pieces<'a> {
    left: &'a [u8],
    sizes: std::iter::Cycle<std::slice::Iter<'a, usize>>,
}

/// Gives `bytes` in pieces of these sizes, over and over; a size of 0 stands for a read that was interrupted.
pub(crate) fn pieces<'a>(bytes: &'a [u8], sizes: &'a [usize]) -> Pieces<'a> {
    Pieces { left: bytes, sizes: sizes.iter().cycle() }
}

impl Read for Pieces<'_> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        match *self.sizes.next().unwrap_or(&usize::MAX) {
            0 => Err(io::ErrorKind::Interrupted.into()),
            size => self.left.by_ref().take(size as u64).read(output),
        }
    }
}
