//! What the formats promise, one test each; the encoders are the reference implementations.

use std::io::Write;

use bytes::Bytes;
use flate2::{
    Compression,
    write::{DeflateEncoder, GzEncoder, ZlibEncoder},
};
use proptest::prelude::*;

use super::{DecodeError, Encoding, Limits, UnsupportedEncoding, decode};

const PLENTY: Limits = Limits { decoded_bytes: 1 << 20 };
const TEXT: &[u8] =
    br#"{"type":"track","event":"Order Completed","messageId":"m-1","messageId2":"m-1","n":[1,1,1,1,1,1]}"#;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zlib(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = ::zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

type Encode = fn(&[u8]) -> Vec<u8>;

/// Every encoder with the encoding that it writes.
const ENCODERS: [(Encoding, Encode); 4] = [
    (Encoding::Gzip, gzip),
    (Encoding::Deflate, zlib),
    (Encoding::Deflate, raw_deflate),
    (Encoding::Zstd, zstd),
];

fn decoded(encoding: Encoding, body: &[u8]) -> Result<Bytes, DecodeError> {
    decode(encoding, Bytes::copy_from_slice(body), PLENTY)
}

#[test]
fn header_names_one_encoding() {
    for (value, encoding) in [
        (None, Encoding::Identity),
        (Some(""), Encoding::Identity),
        (Some("Identity"), Encoding::Identity),
        (Some("gzip"), Encoding::Gzip),
        (Some("GZip"), Encoding::Gzip),
        (Some("x-gzip"), Encoding::Gzip),
        (Some(" deflate\t"), Encoding::Deflate),
        (Some("ZSTD"), Encoding::Zstd),
    ] {
        assert_eq!(Encoding::from_header(value.map(str::as_bytes)), Ok(encoding), "{value:?}");
    }
    for value in ["br", "gzip, gzip", "identity, gzip", "gzip,", "gzip;q=1", "\u{ff}"] {
        assert_eq!(Encoding::from_header(Some(value.as_bytes())), Err(UnsupportedEncoding), "{value:?}");
    }
}

#[test]
fn identity_is_not_copied_and_has_the_limit() {
    let body = Bytes::from_static(TEXT);
    let limits = Limits { decoded_bytes: TEXT.len() };
    let same = decode(Encoding::Identity, body.clone(), limits).unwrap();
    assert_eq!(same.as_ptr(), body.as_ptr());
    let limits = Limits { decoded_bytes: TEXT.len() - 1 };
    assert_eq!(
        decode(Encoding::Identity, body, limits),
        Err(DecodeError::TooLarge { limit: TEXT.len() - 1 })
    );
}

#[test]
fn limit_is_exact() {
    for (encoding, encode) in ENCODERS {
        let body = Bytes::from(encode(TEXT));
        let limits = |decoded_bytes| Limits { decoded_bytes };
        assert_eq!(decode(encoding, body.clone(), limits(TEXT.len())).unwrap(), TEXT);
        for limit in [0, 1, TEXT.len() - 1] {
            let result = decode(encoding, body.clone(), limits(limit));
            assert_eq!(result, Err(DecodeError::TooLarge { limit }), "{encoding:?}");
        }
    }
}

#[test]
fn nothing_decodes_to_nothing_and_no_body_is_no_encoded_body() {
    for (encoding, encode) in ENCODERS {
        assert_eq!(decoded(encoding, &encode(b"")).unwrap(), "", "{encoding:?}");
        assert_eq!(decoded(encoding, b""), Err(DecodeError::Truncated), "{encoding:?}");
    }
}

#[test]
fn truncated_anywhere_is_refused() {
    for (encoding, encode) in ENCODERS {
        let body = encode(TEXT);
        for length in 0..body.len() {
            let result = decoded(encoding, &body[..length]);
            assert_eq!(result, Err(DecodeError::Truncated), "{encoding:?} cut to {length} of {}", body.len());
        }
    }
}

#[test]
fn every_flipped_bit_of_checked_formats_is_refused_or_harmless() {
    // Fields that carry no content (time, name of the operating system) may change; the text never may.
    for (encoding, encode) in [(Encoding::Gzip, gzip as Encode), (Encoding::Zstd, zstd)] {
        let body = encode(TEXT);
        for bit in 0..body.len() * 8 {
            let mut damaged = body.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            if let Ok(text) = decoded(encoding, &damaged) {
                assert!(text == TEXT, "{encoding:?} bit {bit} changed the text");
            }
        }
    }
}

#[test]
fn all_members_and_frames_are_decoded() {
    for (encoding, encode) in [(Encoding::Gzip, gzip as Encode), (Encoding::Zstd, zstd)] {
        let body = [encode(b"one,"), encode(b""), encode(b"two,"), encode(b"three")].concat();
        assert_eq!(decoded(encoding, &body).unwrap(), "one,two,three", "{encoding:?}");
        let last = body.len() - 1;
        assert_eq!(decoded(encoding, &body[..last]), Err(DecodeError::Truncated), "{encoding:?}");
    }
}

#[test]
fn trailing_bytes_are_refused() {
    for (encoding, encode) in ENCODERS {
        for tail in [&b"\0"[..], b"\0\0\0\0\0\0\0\0\0\0\0\0", b"garbage and more of it", b"\n"] {
            let result = decoded(encoding, &[&encode(TEXT), tail].concat());
            assert!(
                matches!(
                    result,
                    Err(DecodeError::TrailingData | DecodeError::Corrupt(_) | DecodeError::Truncated)
                ),
                "{encoding:?} followed by {tail:?}: {result:?}"
            );
        }
    }
    assert_eq!(decoded(Encoding::Gzip, &[gzip(TEXT), vec![0; 512]].concat()), Err(DecodeError::TrailingData));
    assert_eq!(
        decoded(Encoding::Deflate, &[zlib(TEXT), zlib(TEXT)].concat()),
        Err(DecodeError::TrailingData)
    );
}

#[test]
fn plain_text_is_no_encoded_body() {
    for encoding in [Encoding::Gzip, Encoding::Zstd] {
        assert!(matches!(decoded(encoding, TEXT), Err(DecodeError::Corrupt(_))), "{encoding:?}");
    }
    assert!(decoded(Encoding::Deflate, TEXT).is_err());
}

#[test]
fn bombs_stop_at_the_limit() {
    let zeros = vec![0; 64 << 20];
    for (encoding, encode) in ENCODERS {
        let bomb = encode(&zeros);
        assert_eq!(
            decoded(encoding, &bomb),
            Err(DecodeError::TooLarge { limit: PLENTY.decoded_bytes }),
            "{encoding:?}"
        );
    }
}

#[test]
fn memory_stays_near_the_limit() {
    let mut output = super::Output::new(10, 10_000);
    while let Ok(buffer) = output.with_room() {
        buffer.resize(buffer.capacity(), 0);
        assert!(buffer.capacity() <= 10_001);
    }
}

#[test]
fn zstd_skippable_frames_are_skipped() {
    let skippable = [&0x184D_2A50_u32.to_le_bytes()[..], &4_u32.to_le_bytes(), b"skip"].concat();
    let body = [skippable.clone(), zstd(b"one,"), skippable.clone(), zstd(b"two"), skippable].concat();
    assert_eq!(decoded(Encoding::Zstd, &body).unwrap(), "one,two");
}

#[test]
fn zstd_window_is_bounded() {
    let with_window = |bits| {
        let mut encoder = ::zstd::Encoder::new(Vec::new(), 1).unwrap();
        encoder.window_log(bits).unwrap();
        encoder.write_all(TEXT).unwrap();
        encoder.finish().unwrap()
    };
    assert_eq!(decoded(Encoding::Zstd, &with_window(23)).unwrap(), TEXT);
    for bits in [24, 27, 30] {
        assert_eq!(decoded(Encoding::Zstd, &with_window(bits)), Err(DecodeError::Corrupt("zstd")));
    }
}

#[test]
fn zlib_with_a_dictionary_is_refused() {
    // Header with FDICT set: 0x78, then flags with bit 5 that keep the check bits right.
    assert!(decoded(Encoding::Deflate, &[0x78, 0xbb, 1, 2, 3, 4, 5, 6]).is_err());
}

proptest! {
    #[test]
    fn round_trip(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..3000), 1..4)) {
        let text = parts.concat();
        for (encoding, encode) in ENCODERS {
            prop_assert_eq!(&decoded(encoding, &encode(&text)).unwrap(), &text);
        }
        for (encoding, encode) in [(Encoding::Gzip, gzip as Encode), (Encoding::Zstd, zstd)] {
            let body: Vec<u8> = parts.iter().flat_map(|part| encode(part)).collect();
            prop_assert_eq!(&decoded(encoding, &body).unwrap(), &text);
        }
    }

    #[test]
    fn garbage_never_panics_and_stays_bounded(body in prop::collection::vec(any::<u8>(), 0..300)) {
        for (encoding, _) in ENCODERS {
            if let Ok(text) = decode(encoding, Bytes::from(body.clone()), Limits { decoded_bytes: 1000 }) {
                prop_assert!(text.len() <= 1000);
            }
        }
    }
}
