//! lzop against files that lzop itself wrote, against what it would not write, and against damage.

use super::checksum::Checksum;
use crate::codec::{
    pieces::pieces,
    stream::{
        StreamError, StreamLimits,
        tests::{PLENTY, plain, read_all},
    },
};

const BATCH: &[u8] = include_bytes!("../../../../tests/fixtures/bof/batch.jsonl");

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!("../../../../tests/fixtures/bof/", $name)).as_slice()
    };
}

/// Text as lzop packs it.
const HELLO: &[u8] = b"hello hello hello hello hello hello\n";
const HELLO_PACKED: &[u8] = b"\x03hello \x2a\x14\0\x0fhello hello hello\n\x11\0\0";
/// Six literals, six bytes from six bytes before, the end: packed into exactly as many bytes as it has.
const TWICE: &[u8] = b"abcdefabcdef";
const TWICE_PACKED: &[u8] = b"\x17abcdef\xb4\0\x11\0\0";

/// A header to be written, of version 1.03 with nothing unusual in it.
#[derive(Clone)]
struct Header {
    version: u16,
    version_needed: u16,
    method: u8,
    flags: u32,
    extra_field: Option<Vec<u8>>,
}

const HEADER: Header =
    Header { version: 0x1030, version_needed: 0x0940, method: 1, flags: 0x1, extra_field: None };

fn sum_of(bytes: &[u8], mut checksum: Checksum) -> [u8; 4] {
    checksum.update(bytes);
    checksum.value().to_be_bytes()
}

impl Header {
    fn checksum(&self) -> Checksum {
        if self.flags & 0x1000 == 0 { Checksum::ADLER32 } else { Checksum::CRC32 }
    }

    fn bytes(&self) -> Vec<u8> {
        let mut fields = [self.version.to_be_bytes(), 0x2080_u16.to_be_bytes()].concat();
        let is_0_94 = self.version >= 0x0940;
        if is_0_94 {
            fields.extend(self.version_needed.to_be_bytes());
        }
        fields.push(self.method);
        if is_0_94 {
            fields.push(5);
        }
        fields.extend(self.flags.to_be_bytes());
        fields.extend([0; 8]);
        if is_0_94 {
            fields.extend([0; 4]);
        }
        fields.extend(b"\x05a.txt");
        let sum = sum_of(&fields, self.checksum());
        let mut bytes = [b"\x89LZO\0\r\n\x1a\n", &fields[..], &sum].concat();
        if let Some(extra_field) = &self.extra_field {
            let length = u32::try_from(extra_field.len()).unwrap();
            let field = [&length.to_be_bytes()[..], extra_field].concat();
            bytes.extend_from_slice(&field);
            bytes.extend(sum_of(&field, self.checksum()));
        }
        bytes
    }

    /// A block with the checksums that the flags ask for.
    fn block(&self, plain: &[u8], packed: &[u8]) -> Vec<u8> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_be_bytes();
        let mut block = [length(plain), length(packed)].concat();
        for (flag, checksum) in [(0x1, Checksum::ADLER32), (0x100, Checksum::CRC32)] {
            if self.flags & flag != 0 {
                block.extend(sum_of(plain, checksum));
            }
        }
        for (flag, checksum) in [(0x2, Checksum::ADLER32), (0x200, Checksum::CRC32)] {
            if self.flags & flag != 0 && packed.len() < plain.len() {
                block.extend(sum_of(packed, checksum));
            }
        }
        block.extend_from_slice(packed);
        block
    }

    /// A member of a packed block, a stored one and its end.
    fn member(&self) -> Vec<u8> {
        [self.bytes(), self.block(HELLO, HELLO_PACKED), self.block(b"stored\n", b"stored\n"), vec![0; 4]]
            .concat()
    }
}

fn hello_stored() -> Vec<u8> {
    [HELLO, b"stored\n"].concat()
}

#[test]
fn files_of_lzop_are_decoded() {
    for (name, file) in [
        ("all checksums", fixture!("adler_both.lzo")),
        ("CRC-32", fixture!("crc32.lzo")),
        ("no checksum", fixture!("nochecksum.lzo")),
        ("LZO1X-1", fixture!("m1_level3.lzo")),
        ("LZO1X-1(15)", fixture!("m2_level1.lzo")),
        ("LZO1X-999", fixture!("m3_level9.lzo")),
        ("without a name", fixture!("stdin_noname.lzo")),
    ] {
        assert!(read_all(file, PLENTY) == Ok((BATCH.to_vec(), 0)), "{name}");
    }
    assert_eq!(plain(fixture!("stored.lzo")).unwrap(), fixture!("rnd.bin"));
    assert_eq!(plain(fixture!("empty.lzo")).unwrap(), b"");
    assert!(plain(fixture!("concatenated.lzo")) == Ok(BATCH.repeat(2)));
    assert!(read_all(fixture!("trailing.lzo"), PLENTY) == Ok((BATCH.to_vec(), 12)));
}

#[test]
fn hostile_files_are_refused() {
    let error = |file: &[u8]| plain(file).unwrap_err();
    assert_eq!(error(fixture!("corrupt.lzo")), StreamError::Corrupt("lzop"));
    assert_eq!(error(fixture!("truncated.lzo")), StreamError::Truncated);
    assert_eq!(error(fixture!("hostile_split.lzo")), StreamError::Unsupported("split archive of lzop"));
    assert_eq!(error(fixture!("hostile_src_gt_dst.lzo")), StreamError::Corrupt("lzop"));
    assert_eq!(
        error(fixture!("hostile_block_len.lzo")),
        StreamError::BlockTooLarge { limit: PLENTY.block_bytes }
    );
}

#[test]
fn every_combination_of_flags_is_decoded() {
    for bits in 0..32 {
        let flag = |bit: u32, flag: u32| if bits & (1 << bit) == 0 { 0 } else { flag };
        let flags = flag(0, 0x1) | flag(1, 0x2) | flag(2, 0x100) | flag(3, 0x200) | flag(4, 0x1000);
        for version in [0x0900, 0x0930, 0x0940, 0x1010, 0x1040, 0x2000] {
            let header = Header { version, flags, ..HEADER };
            assert_eq!(plain(&header.member()).unwrap(), hello_stored(), "{flags:x} {version:x}");
        }
    }
}

#[test]
fn extra_field_is_checked_and_passed_by() {
    for flags in [0x41, 0x1041] {
        let header = Header { flags, extra_field: Some(vec![7; 100_000]), ..HEADER };
        assert_eq!(plain(&header.member()).unwrap(), hello_stored());
        let mut damaged = header.member();
        damaged[1000] = 8;
        assert_eq!(plain(&damaged), Err(StreamError::Checksum("lzop header")));
    }
}

#[test]
fn what_cannot_be_decoded_is_named() {
    for (header, what) in [
        (Header { version: 0x0899, ..HEADER }, "version of lzop"),
        (Header { version_needed: 0x1050, ..HEADER }, "version of lzop"),
        (Header { method: 0, ..HEADER }, "method of lzop"),
        (Header { method: 4, ..HEADER }, "method of lzop"),
        (Header { method: 128, ..HEADER }, "method of lzop"),
        (Header { flags: 0x801, ..HEADER }, "filter or flag of lzop"),
        (Header { flags: 0x4001, ..HEADER }, "filter or flag of lzop"),
    ] {
        assert_eq!(plain(&header.member()), Err(StreamError::Unsupported(what)));
    }
    let text_mode = [b"\x89LZO\0\n\x1a\n", &HEADER.member()[9..]].concat();
    assert_eq!(plain(&text_mode), Err(StreamError::Corrupt("lzop")));
}

#[test]
fn lengths_of_blocks_are_checked_before_memory_is_taken() {
    let with_lengths = |plain: u32, packed: u32| {
        let lengths = [plain.to_be_bytes(), packed.to_be_bytes()].concat();
        [HEADER.bytes(), lengths, vec![0; 100]].concat()
    };
    let limits = StreamLimits { block_bytes: 10_000, ..PLENTY };
    let error = |plain, packed| read_all(&with_lengths(plain, packed)[..], limits).unwrap_err();
    assert_eq!(error(10_001, 10_001), StreamError::BlockTooLarge { limit: 10_000 });
    assert_eq!(error(10_000, 10_000), StreamError::Truncated);
    assert_eq!(error(100, 0), StreamError::Corrupt("lzop"));
    assert_eq!(error(100, 101), StreamError::Corrupt("lzop"));
    assert_eq!(error(u32::MAX - 1, 3), StreamError::BlockTooLarge { limit: 10_000 });
    // No LZO bytes expand that far.
    assert_eq!(error(10_000, 30), StreamError::Corrupt("lzop"));
}

#[test]
fn packed_block_taken_for_stored_is_decoded() {
    assert_eq!(TWICE.len(), TWICE_PACKED.len());
    for flags in [0x1, 0x3, 0x100, 0x301] {
        let header = Header { flags, ..HEADER };
        let file = [header.bytes(), header.block(TWICE, TWICE_PACKED), vec![0; 4]].concat();
        assert_eq!(plain(&file).unwrap(), TWICE, "{flags:x}");
        let damaged = [header.bytes(), header.block(b"abcdefabcdeX", TWICE_PACKED), vec![0; 4]].concat();
        assert_eq!(plain(&damaged), Err(StreamError::Checksum("lzop block")), "{flags:x}");
    }
    // Without a checksum nothing tells the two apart.
    let header = Header { flags: 0, ..HEADER };
    let file = [header.bytes(), header.block(TWICE, TWICE_PACKED), vec![0; 4]].concat();
    assert_eq!(plain(&file).unwrap(), TWICE_PACKED);
}

#[test]
fn block_that_decodes_to_fewer_bytes_is_refused() {
    let header = Header { flags: 0, ..HEADER };
    let longer = [HELLO, b"!"].concat();
    let file = [header.bytes(), header.block(&longer, HELLO_PACKED), vec![0; 4]].concat();
    assert_eq!(plain(&file), Err(StreamError::Corrupt("lzop")));
}

#[test]
fn members_follow_each_other_and_the_rest_is_counted() {
    let member = HEADER.member();
    let three = [&member[..], &member, &member].concat();
    assert_eq!(plain(&three).unwrap(), hello_stored().repeat(3));
    for tail in [&b"\0"[..], b"garbage", &vec![0; 100_000], b"\x89PNG\r\n\x1a\n"] {
        let file = [&member[..], tail].concat();
        assert_eq!(read_all(&file[..], PLENTY), Ok((hello_stored(), tail.len() as u64)));
    }
    let cut_in_its_magic = [&member[..], b"\x89LZ"].concat();
    assert_eq!(plain(&cut_in_its_magic), Err(StreamError::Truncated));
}

/// All that a checksum may cover, in little more than a hundred bytes.
fn small_files() -> Vec<Vec<u8>> {
    [0x1, 0x3, 0x100, 0x303, 0x1101, 0x41]
        .into_iter()
        .map(|flags| {
            let extra_field = (flags & 0x40 != 0).then(|| b"extra".to_vec());
            Header { flags, extra_field, ..HEADER }.member()
        })
        .chain([fixture!("stored.lzo").to_vec()])
        .collect()
}

#[test]
fn truncated_anywhere_is_refused() {
    for file in small_files() {
        for length in 4..file.len() {
            assert_eq!(plain(&file[..length]), Err(StreamError::Truncated), "cut to {length}");
        }
    }
}

#[test]
fn every_flipped_bit_is_refused_or_harmless() {
    // There are several ways to pack the same bytes, and a flipped bit may lead from one to another.
    for file in small_files() {
        let undamaged = plain(&file).unwrap();
        // What is damaged in its magic is plain.
        for bit in 4 * 8..file.len() * 8 {
            let mut damaged = file.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            if let Ok(text) = plain(&damaged) {
                assert!(text == undamaged, "bit {bit} changed the text");
            }
        }
    }
}

#[test]
fn flipped_bits_without_checksums_never_panic() {
    let file = Header { flags: 0, ..HEADER }.member();
    for bit in 0..file.len() * 8 {
        let mut damaged = file.clone();
        damaged[bit / 8] ^= 1 << (bit % 8);
        let _ = plain(&damaged);
    }
}

#[test]
fn sizes_of_reads_do_not_matter() {
    let file = [fixture!("concatenated.lzo"), &HEADER.member(), b"tail"].concat();
    let expected = [BATCH, BATCH, &hello_stored()].concat();
    for sizes in [&[1][..], &[2, 0], &[3, 1], &[7], &[1000, 1, 64]] {
        assert!(read_all(pieces(&file, sizes), PLENTY) == Ok((expected.clone(), 4)), "{sizes:?}");
    }
}
