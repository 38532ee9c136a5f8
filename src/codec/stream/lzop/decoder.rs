//! Members one after the other, and what follows them.

use std::io::{self, Read};

use super::{block::Block, header};
use crate::codec::stream::input::Input;

/// What tells lzop from other formats.
pub(in crate::codec::stream) const MAGIC: [u8; 4] = [0x89, b'L', b'Z', b'O'];

/// Decodes one member after the other, a block at a time.
pub(in crate::codec::stream) struct Decoder {
    /// Flags of the member whose blocks are being read; none between members.
    member_flags: Option<u32>,
    block: Block,
    ignored_bytes: u64,
}

impl Decoder {
    /// A decoder of blocks that decode to at most `block_bytes_max`.
    pub(in crate::codec::stream) fn new(block_bytes_max: u32) -> Self {
        Self { member_flags: None, block: Block::new(block_bytes_max), ignored_bytes: 0 }
    }

    /// Bytes after the last member.
    pub(in crate::codec::stream) fn ignored_bytes(&self) -> u64 {
        self.ignored_bytes
    }

    /// Fills some of `output`; none only after the last member.
    pub(in crate::codec::stream) fn decode<R: Read>(
        &mut self,
        input: &mut Input<R>,
        output: &mut [u8],
    ) -> io::Result<usize> {
        loop {
            let decoded = self.block.hand_out(output);
            if decoded > 0 {
                return Ok(decoded);
            }
            match self.member_flags {
                Some(flags) if self.block.read(input, flags)? => {}
                Some(_) => self.member_flags = None,
                None if next_is_member(input)? => self.member_flags = Some(header::read(input)?),
                None => {
                    self.ignored_bytes += skip_all(input)?;
                    return Ok(0);
                }
            }
        }
    }
}

/// Whether another member begins here. One that is cut off within its magic counts as one, so that it is found
/// incomplete instead of being ignored.
fn next_is_member<R: Read>(input: &mut Input<R>) -> io::Result<bool> {
    let next = input.peek(MAGIC.len())?;
    Ok(!next.is_empty() && (MAGIC.starts_with(next) || next.starts_with(&MAGIC)))
}

fn skip_all<R: Read>(input: &mut Input<R>) -> io::Result<u64> {
    let before = input.consumed_bytes();
    loop {
        let available = input.available()?.len();
        if available == 0 {
            return Ok(input.consumed_bytes() - before);
        }
        input.consume(available);
    }
}
