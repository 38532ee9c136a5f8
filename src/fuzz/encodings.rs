//! Whole bodies under a Content-Encoding.

use std::io::{Read, Write};

use bytes::Bytes;
use flate2::{
    Compression,
    read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder},
    write::{GzEncoder, ZlibEncoder},
};

use crate::codec::{DecodeError, Encoding, Limits, decode};

const LIMIT: usize = 1 << 16;

/// What is decoded is within the limit and is what plain libraries make of the same bytes; what was encoded is decoded
/// whole, not with one byte more behind it, not with one less, and not beyond the limit.
pub(super) fn codec(data: &[u8]) {
    let Some((first, rest)) = data.split_first() else { return };
    let encoding = [Encoding::Gzip, Encoding::Deflate, Encoding::Zstd][usize::from(first % 3)];
    if let Ok(decoded) = limited(encoding, rest, LIMIT) {
        assert!(decoded.len() <= LIMIT);
        assert_eq!(plainly(encoding, rest).as_deref(), Some(&*decoded));
        if !decoded.is_empty() {
            let too_small = decoded.len() - 1;
            assert_eq!(limited(encoding, rest, too_small), Err(DecodeError::TooLarge { limit: too_small }));
        }
    }
    let encoded = encoded(encoding, rest);
    assert_eq!(limited(encoding, &encoded, rest.len()).as_deref(), Ok(rest));
    assert!(limited(encoding, &encoded[..encoded.len() - 1], LIMIT.max(rest.len())).is_err());
    assert!(limited(encoding, &[&encoded[..], b"x"].concat(), LIMIT.max(rest.len())).is_err());
    assert_eq!(limited(Encoding::Identity, rest, rest.len()).as_deref(), Ok(rest));
}

fn limited(encoding: Encoding, bytes: &[u8], decoded_bytes: usize) -> Result<Bytes, DecodeError> {
    decode(encoding, Bytes::copy_from_slice(bytes), Limits { decoded_bytes })
}

fn plainly(encoding: Encoding, bytes: &[u8]) -> Option<Vec<u8>> {
    let read = |reader: &mut dyn Read| {
        let mut out = Vec::new();
        reader.read_to_end(&mut out).is_ok().then_some(out)
    };
    match encoding {
        Encoding::Identity => Some(bytes.to_vec()),
        Encoding::Gzip => read(&mut MultiGzDecoder::new(bytes)),
        Encoding::Deflate => {
            read(&mut ZlibDecoder::new(bytes)).or_else(|| read(&mut DeflateDecoder::new(bytes)))
        }
        Encoding::Zstd => zstd::decode_all(bytes).ok(),
    }
}

fn encoded(encoding: Encoding, bytes: &[u8]) -> Vec<u8> {
    match encoding {
        Encoding::Identity => bytes.to_vec(),
        Encoding::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Encoding::Deflate => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
        Encoding::Zstd => {
            let mut encoder = zstd::Encoder::new(Vec::new(), 1).unwrap();
            encoder.include_checksum(true).unwrap();
            encoder.write_all(bytes).unwrap();
            encoder.finish().unwrap()
        }
    }
}
