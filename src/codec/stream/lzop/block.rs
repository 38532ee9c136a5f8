//! One block: read, checked, decoded, and handed out before the next one is looked at.

use std::io::{self, Read};

use super::checksum::Named;
use crate::codec::stream::{StreamError, input::Input};

const FLAG_ADLER32_PLAIN: u32 = 0x1;
const FLAG_ADLER32_PACKED: u32 = 0x2;
const FLAG_CRC32_PLAIN: u32 = 0x100;
const FLAG_CRC32_PACKED: u32 = 0x200;

/// Stands where the plain length of a block would, if the member continues in another file.
const SPLIT_ARCHIVE: u32 = u32::MAX;

/// A packed byte never stands for more plain bytes than this: the longest run grows by 255 with each byte. A block that
/// claims more is corrupt, which is known before memory is taken for it.
const EXPANSION_MAX: u32 = 256;

/// The plain bytes of the current block. Both buffers are reused by the blocks that follow.
pub(super) struct Block {
    bytes_max: u32,
    packed: Vec<u8>,
    plain: Vec<u8>,
    handed_out: usize,
    plain_bytes: usize,
}

impl Block {
    pub(super) fn new(bytes_max: u32) -> Self {
        Self { bytes_max, packed: Vec::new(), plain: Vec::new(), handed_out: 0, plain_bytes: 0 }
    }

    /// Copies what fits of what is left; nothing is left before the first block and after each one.
    pub(super) fn hand_out(&mut self, output: &mut [u8]) -> usize {
        let mut left = self.plain.get(self.handed_out..self.plain_bytes).unwrap_or_default();
        let count = left.read(output).unwrap_or_default();
        self.handed_out += count;
        count
    }

    /// Reads and decodes the next block, or finds the member's end and answers `false`.
    pub(super) fn read<R: Read>(&mut self, input: &mut Input<R>, flags: u32) -> io::Result<bool> {
        let plain_bytes = u32::from_be_bytes(input.take()?);
        match plain_bytes {
            0 => return Ok(false),
            SPLIT_ARCHIVE => return Err(StreamError::Unsupported("split archive of lzop").into()),
            _ if plain_bytes > self.bytes_max => {
                return Err(StreamError::BlockTooLarge { limit: self.bytes_max }.into());
            }
            _ => {}
        }
        let packed_bytes = u32::from_be_bytes(input.take()?);
        if packed_bytes > plain_bytes || plain_bytes / EXPANSION_MAX > packed_bytes || packed_bytes == 0 {
            return Err(StreamError::Corrupt("lzop").into());
        }
        let is_stored = packed_bytes == plain_bytes;
        let plain_sums = named(input, flags, FLAG_ADLER32_PLAIN, FLAG_CRC32_PLAIN)?;
        let packed_sums = match is_stored {
            true => Named::default(),
            false => named(input, flags, FLAG_ADLER32_PACKED, FLAG_CRC32_PACKED)?,
        };
        self.packed.clear();
        input.take_pieces(packed_bytes, |piece| self.packed.extend_from_slice(piece))?;
        let plain_bytes = usize::try_from(plain_bytes).unwrap_or(usize::MAX);
        match is_stored {
            true => self.keep_stored(plain_sums)?,
            false if !packed_sums.hold(&self.packed) => return Err(wrong_checksum()),
            false => self.expand(plain_bytes, plain_sums)?,
        }
        (self.handed_out, self.plain_bytes) = (0, plain_bytes);
        Ok(true)
    }

    /// Takes the bytes as they are. If their checksum does not hold they may have been packed after all: a writer is
    /// known that takes packed bytes which are exactly as many as the plain ones for stored.
    fn keep_stored(&mut self, sums: Named) -> io::Result<()> {
        if sums.hold(&self.packed) {
            std::mem::swap(&mut self.packed, &mut self.plain);
            return Ok(());
        }
        self.expand(self.packed.len(), sums).map_err(|_| wrong_checksum())
    }

    fn expand(&mut self, plain_bytes: usize, sums: Named) -> io::Result<()> {
        if self.plain.len() < plain_bytes {
            self.plain = vec![0; plain_bytes];
        }
        let plain = self.plain.get_mut(..plain_bytes).unwrap_or_default();
        match lzo::decompress_into(&self.packed, plain) {
            Ok(count) if count == plain_bytes => {}
            Ok(_) | Err(_) => return Err(StreamError::Corrupt("lzop").into()),
        }
        if sums.hold(plain) { Ok(()) } else { Err(wrong_checksum()) }
    }
}

fn named<R: Read>(input: &mut Input<R>, flags: u32, adler32: u32, crc32: u32) -> io::Result<Named> {
    let mut read_if = |flag| match flags & flag {
        0 => Ok(None),
        _ => input.take().map(|sum| Some(u32::from_be_bytes(sum))),
    };
    Ok(Named { adler32: read_if(adler32)?, crc32: read_if(crc32)? })
}

fn wrong_checksum() -> io::Error {
    StreamError::Checksum("lzop block").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_follows_what_was_received() {
        let mut block = Block::new(u32::MAX);
        for claimed in [(60 << 20, 60 << 20), (60 << 20, 59 << 20), (60 << 20, 300 << 10)] {
            let (plain, packed): (u32, u32) = claimed;
            let file = [&plain.to_be_bytes()[..], &packed.to_be_bytes(), &[0; 100]].concat();
            assert!(block.read(&mut Input::new(&file[..]), 0).is_err());
            assert!(block.packed.capacity() < 1000, "{}", block.packed.capacity());
            assert_eq!(block.plain.capacity(), 0);
            assert_eq!(block.hand_out(&mut [0; 10]), 0);
        }
    }
}
