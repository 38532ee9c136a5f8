//! The header of a member: nothing of it is needed but its flags, and that it is one we can decode.

use std::io::{self, Read};

use super::checksum::Checksum;
use crate::codec::stream::{StreamError, input::Input};

const MAGIC: [u8; 9] = [0x89, b'L', b'Z', b'O', 0, 0x0d, 0x0a, 0x1a, 0x0a];

const VERSION_MIN: u16 = 0x0900;
/// Since this version a header says which version decodes it, the level, and the upper half of the time.
const VERSION_0_94: u16 = 0x0940;
/// lzop 1.04, the last one.
const VERSION_MAX: u16 = 0x1040;
/// LZO1X-1, LZO1X-1(15) and LZO1X-999, three ways to write what one decoder reads.
const METHODS: [u8; 3] = [1, 2, 3];

const FLAG_EXTRA_FIELD: u32 = 0x40;
const FLAG_FILTER: u32 = 0x800;
const FLAG_HEADER_CRC32: u32 = 0x1000;
/// Without a meaning so far.
const FLAGS_RESERVED: u32 = 0x000f_c000;

/// Reads a header and returns its flags.
pub(super) fn read<R: Read>(input: &mut Input<R>) -> io::Result<u32> {
    if input.take()? != MAGIC {
        return Err(StreamError::Corrupt("lzop").into());
    }
    let mut fields = Fields { input: &mut *input, seen: Vec::new() };
    let version = u16::from_be_bytes(fields.take()?);
    let _library_version: [u8; 2] = fields.take()?;
    let is_0_94 = version >= VERSION_0_94;
    let version_needed = if is_0_94 { u16::from_be_bytes(fields.take()?) } else { version };
    if version < VERSION_MIN || version_needed > VERSION_MAX {
        return Err(StreamError::Unsupported("version of lzop").into());
    }
    let [method] = fields.take()?;
    if !METHODS.contains(&method) {
        return Err(StreamError::Unsupported("method of lzop").into());
    }
    if is_0_94 {
        let _level: [u8; 1] = fields.take()?;
    }
    let flags = u32::from_be_bytes(fields.take()?);
    if flags & (FLAG_FILTER | FLAGS_RESERVED) != 0 {
        return Err(StreamError::Unsupported("filter or flag of lzop").into());
    }
    let _mode_and_time: [u8; 8] = fields.take()?;
    if is_0_94 {
        let _time_high: [u8; 4] = fields.take()?;
    }
    let [name_bytes] = fields.take()?;
    fields.skip(name_bytes)?;
    let mut checksum = if flags & FLAG_HEADER_CRC32 == 0 { Checksum::ADLER32 } else { Checksum::CRC32 };
    let mut extra_checksum = checksum;
    checksum.update(&fields.seen);
    compare(input, checksum)?;
    if flags & FLAG_EXTRA_FIELD != 0 {
        let length: [u8; 4] = input.take()?;
        extra_checksum.update(&length);
        input.take_pieces(u32::from_be_bytes(length), |piece| extra_checksum.update(piece))?;
        compare(input, extra_checksum)?;
    }
    Ok(flags)
}

fn compare<R: Read>(input: &mut Input<R>, checksum: Checksum) -> io::Result<()> {
    if u32::from_be_bytes(input.take()?) == checksum.value() {
        Ok(())
    } else {
        Err(StreamError::Checksum("lzop header").into())
    }
}

/// Takes fields and remembers them for the checksum; a header has at most some 290 bytes.
struct Fields<'i, R> {
    input: &'i mut Input<R>,
    seen: Vec<u8>,
}

impl<R: Read> Fields<'_, R> {
    fn take<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let field = self.input.take()?;
        self.seen.extend(field);
        Ok(field)
    }

    fn skip(&mut self, count: u8) -> io::Result<()> {
        self.input.take_pieces(count.into(), |piece| self.seen.extend_from_slice(piece))
    }
}
