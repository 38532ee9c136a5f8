//! What a stream of plain bytes promises, whatever it is compressed with; lzop's own tests stand in `lzop`.

use std::{
    io::{self, ErrorKind, Read, Write},
    iter,
};

use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

use super::{StreamError, StreamLimits, open, plain::RATIO_FROM_BYTES};
use crate::codec::pieces::pieces;

pub(super) const PLENTY: StreamLimits =
    StreamLimits { decoded_bytes: 512 << 20, ratio: 1000, block_bytes: 64 << 20 };

const TEXT: &[u8] = br#"{"AuctionId":9000000000000000001,"Body":{"id":"r1","imp":[{"id":"1"},{"id":"2"}]}}"#;

/// All plain bytes, and what was ignored after them.
pub(super) fn read_all(reader: impl Read, limits: StreamLimits) -> Result<(Vec<u8>, u64), StreamError> {
    let mut plain = Vec::new();
    let mut reader = open(reader, limits).unwrap();
    match reader.read_to_end(&mut plain) {
        Ok(_) => Ok((plain, reader.ignored_bytes())),
        Err(error) => Err(StreamError::of(&error).expect("the input does not fail")),
    }
}

pub(super) fn plain(bytes: &[u8]) -> Result<Vec<u8>, StreamError> {
    read_all(bytes, PLENTY).map(|(plain, _)| plain)
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ::zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn identity(bytes: &[u8]) -> Vec<u8> {
    bytes.to_vec()
}

type Encode = fn(&[u8]) -> Vec<u8>;

const COMPRESSED: [(&str, Encode); 2] = [("gzip", gzip), ("zstd", zstd)];
const ALL: [(&str, Encode); 3] = [("gzip", gzip), ("zstd", zstd), ("plain", identity)];

#[test]
fn what_has_no_magic_is_plain() {
    for bytes in [&b""[..], b"{", b"\x1f", b"\x89LZ", b"\x28\xb5\x2f", b"\xef\xbb\xbf{}", TEXT] {
        assert_eq!(plain(bytes).unwrap(), bytes);
    }
}

#[test]
fn one_layer_is_taken_off() {
    for (name, encode) in COMPRESSED {
        let once = encode(TEXT);
        assert_eq!(plain(&encode(&once)).unwrap(), once, "{name}");
    }
}

#[test]
fn all_members_and_frames_are_decoded() {
    for (name, encode) in COMPRESSED {
        let body = [encode(b"one,"), encode(b""), encode(b"two,"), encode(b"three")].concat();
        assert_eq!(plain(&body).unwrap(), b"one,two,three", "{name}");
    }
    let skippable = [&0x184D_2A50_u32.to_le_bytes()[..], &4_u32.to_le_bytes(), b"skip"].concat();
    let body = [zstd(b"one,"), skippable.clone(), zstd(b"two"), skippable].concat();
    assert_eq!(plain(&body).unwrap(), b"one,two");
}

#[test]
fn truncated_anywhere_is_refused() {
    for (name, encode) in COMPRESSED {
        let (first, second) = (encode(TEXT), encode(TEXT));
        let body = [&first[..], &second].concat();
        // Shorter than a magic it is plain; cut between the members it is complete.
        for length in (4..body.len()).filter(|length| *length != first.len()) {
            assert_eq!(plain(&body[..length]), Err(StreamError::Truncated), "{name} cut to {length}");
        }
    }
}

#[test]
fn every_flipped_bit_is_refused_or_harmless() {
    for (name, encode) in COMPRESSED {
        let body = encode(TEXT);
        // What is damaged in its magic is plain.
        for bit in 4 * 8..body.len() * 8 {
            let mut damaged = body.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            if let Ok(text) = plain(&damaged) {
                assert!(text == TEXT, "{name} bit {bit} changed the text");
            }
        }
    }
}

#[test]
fn trailing_bytes_are_refused() {
    for tail in [&b"\0"[..], b"garbage and more of it", b"\n", &[0; 512]] {
        let body = [&gzip(TEXT), tail].concat();
        assert_eq!(plain(&body), Err(StreamError::TrailingData));
        let body = [&zstd(TEXT), tail].concat();
        assert!(matches!(plain(&body), Err(StreamError::Corrupt("zstd") | StreamError::Truncated)));
    }
}

#[test]
fn decoded_limit_is_exact() {
    for (name, encode) in ALL {
        let body = encode(TEXT);
        let length = TEXT.len() as u64;
        let read = |decoded_bytes| read_all(&body[..], StreamLimits { decoded_bytes, ..PLENTY });
        assert_eq!(read(length).unwrap().0, TEXT, "{name}");
        for limit in [0, 1, length - 1] {
            assert_eq!(read(limit), Err(StreamError::TooLarge { limit }), "{name}");
        }
    }
}

#[test]
fn what_is_within_the_decoded_limit_is_handed_out_first() {
    for (name, encode) in ALL {
        let body = encode(TEXT);
        let mut reader = open(&body[..], StreamLimits { decoded_bytes: 10, ..PLENTY }).unwrap();
        let mut start = [0; 10];
        reader.read_exact(&mut start).unwrap();
        assert_eq!(start, TEXT[..10], "{name}");
        assert!(reader.read(&mut start).is_err(), "{name}");
    }
}

#[test]
fn expansion_is_limited_once_a_mebibyte_has_come_out() {
    let floor = usize::try_from(RATIO_FROM_BYTES).unwrap();
    for (name, encode) in COMPRESSED {
        let limits = StreamLimits { ratio: 10, ..PLENTY };
        assert!(read_all(&encode(&vec![b' '; floor])[..], limits).is_ok(), "{name}");
        let bomb = encode(&vec![b' '; 2 * floor]);
        assert_eq!(read_all(&bomb[..], limits), Err(StreamError::Ratio { limit: 10 }), "{name}");
        assert_eq!(plain(&encode(&vec![b' '; 64 << 20])), Err(StreamError::Ratio { limit: 1000 }), "{name}");
    }
    let plain_spaces = vec![b' '; 2 * floor];
    assert!(read_all(&plain_spaces[..], StreamLimits { ratio: 1, ..PLENTY }).is_ok());
}

#[test]
fn zstd_window_is_bounded() {
    let with_window = |bits| {
        let mut encoder = ::zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(bits).unwrap();
        encoder.write_all(TEXT).unwrap();
        encoder.finish().unwrap()
    };
    assert_eq!(plain(&with_window(23)).unwrap(), TEXT);
    assert_eq!(plain(&with_window(24)), Err(StreamError::Corrupt("zstd")));
}

#[test]
fn failing_input_is_told_from_bad_bytes() {
    struct Reset;
    impl Read for Reset {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::new(ErrorKind::ConnectionReset, "gone"))
        }
    }
    let packed = include_bytes!("../../../tests/fixtures/bof/m1_level3.lzo");
    for body in [gzip(TEXT), zstd(TEXT), TEXT.to_vec(), packed.to_vec()] {
        for length in 0..body.len() {
            let reader = open(body[..length].chain(Reset), PLENTY);
            let error = reader.and_then(|mut reader| reader.read_to_end(&mut Vec::new())).unwrap_err();
            assert_eq!((error.kind(), StreamError::of(&error)), (ErrorKind::ConnectionReset, None));
            assert_eq!(error.to_string(), "gone");
        }
    }
}

#[test]
fn many_empty_members_are_nothing() {
    for (name, encode) in COMPRESSED {
        let body: Vec<u8> = iter::repeat_n(encode(b""), 10_000).flatten().collect();
        assert_eq!(plain(&body).unwrap(), b"", "{name}");
    }
}

proptest! {
    #[test]
    fn sizes_of_reads_do_not_matter(
        parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 1..4),
        input_sizes in prop::collection::vec(0_usize..5000, 1..8),
        output_sizes in prop::collection::vec(1_usize..5000, 1..8),
    ) {
        prop_assume!(input_sizes.iter().any(|size| *size > 0));
        let text = parts.concat();
        for (_, encode) in COMPRESSED {
            let body: Vec<u8> = parts.iter().flat_map(|part| encode(part)).collect();
            let mut reader = open(pieces(&body, &input_sizes), PLENTY).unwrap();
            let mut read = Vec::new();
            for size in output_sizes.iter().cycle() {
                let mut output = vec![0; *size];
                let count = reader.read(&mut output).unwrap();
                if count == 0 { break; }
                read.extend_from_slice(&output[..count]);
            }
            prop_assert_eq!(&read, &text);
        }
    }

    #[test]
    fn garbage_never_panics_and_stays_bounded(
        magic in prop::sample::select(vec![&b"\x1f\x8b\x08"[..], b"\x28\xb5\x2f\xfd", b"\x89LZO\0\r\n\x1a\n", b""]),
        garbage in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let body = [magic, &garbage].concat();
        if let Ok((text, _)) = read_all(&body[..], StreamLimits { decoded_bytes: 1000, ..PLENTY }) {
            prop_assert!(text.len() <= 1000);
        }
    }
}
