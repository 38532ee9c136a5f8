//! Deliveries as a stream: decompression, and splitting into records.

use std::io::{self, Read};

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::codec::{
    records::{Record, RecordLimits, Records, RecordsError},
    stream::{StreamLimits, open},
};

const RECORD_BYTES: usize = 512;
const DECODED_BYTES: usize = 1 << 18;
const LIMITS: StreamLimits =
    StreamLimits { decoded_bytes: DECODED_BYTES as u64, ratio: 100, block_bytes: 1 << 16 };

/// How splitting ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Whole,
    Broken { offset_bytes: u64, bytes: Bytes, is_cut: bool },
    Unreadable,
}

impl End {
    /// The same, but that more may be kept of what follows broken JSON, where the compression turns out to be corrupt.
    fn agrees(&self, other: &Self) -> bool {
        match (self, other) {
            (
                Self::Broken { offset_bytes, bytes, is_cut },
                Self::Broken { offset_bytes: other_offset, bytes: other_bytes, is_cut: other_cut },
            ) => {
                let (longer, shorter, shorter_is_cut) = if bytes.len() < other_bytes.len() {
                    (other_bytes, bytes, is_cut)
                } else {
                    (bytes, other_bytes, other_cut)
                };
                let same = longer == shorter && is_cut == other_cut;
                offset_bytes == other_offset && (same || (longer.starts_with(shorter) && *shorter_is_cut))
            }
            _ => self == other,
        }
    }
}

/// The records do not depend on how the bytes arrive, nothing exceeds its limit, and plain JSON is split as a JSON
/// library splits it. Of compression that is corrupt more or less may be read before that shows, and never all.
pub(super) fn stream(data: &[u8]) {
    let whole = split(data, data.len().max(1));
    for piece in [1, 3, 64] {
        let pieces = split(data, piece);
        if [&whole.1, &pieces.1].contains(&&End::Unreadable) {
            let both = whole.0.len().min(pieces.0.len());
            assert_eq!(whole.0[..both], pieces.0[..both], "in pieces of {piece}");
            assert!(whole.1 != End::Whole && pieces.1 != End::Whole, "in pieces of {piece}");
        } else {
            assert_eq!(pieces.0, whole.0, "in pieces of {piece}");
            let agrees = pieces.1 == whole.1 || is_corrupt(data) && pieces.1.agrees(&whole.1);
            assert!(agrees, "in pieces of {piece}: {:?}, {:?}", pieces.1, whole.1);
        }
    }
    let (records, end) = whole;
    let mut total = 0;
    for record in &records {
        total += match record {
            Record::Whole(bytes) => {
                assert!((1..=RECORD_BYTES).contains(&bytes.len()));
                bytes.len() as u64
            }
            Record::Oversized { head, size_bytes } => {
                assert!(head.len() <= RECORD_BYTES && *size_bytes > RECORD_BYTES as u64);
                *size_bytes
            }
        };
    }
    if let End::Broken { offset_bytes, bytes, .. } = &end {
        assert!(bytes.len() <= RECORD_BYTES && total <= *offset_bytes);
    }
    assert!(total <= DECODED_BYTES as u64);
    if let Some(plain) = plainly(data) {
        let lengths = |record: &Record| match record {
            Record::Whole(bytes) => bytes.len() as u64,
            Record::Oversized { size_bytes, .. } => *size_bytes,
        };
        let want: Vec<u64> = plain.iter().map(|text| text.len() as u64).collect();
        assert_eq!(records.iter().map(lengths).collect::<Vec<_>>(), want);
        for (record, text) in records.iter().zip(&plain) {
            assert!(!matches!(record, Record::Whole(bytes) if bytes != text.as_bytes()));
        }
        assert_eq!(end, End::Whole);
    }
}

/// Whether the bytes cannot be read to their end, whatever they hold.
fn is_corrupt(data: &[u8]) -> bool {
    let opened = open(Pieces { data, piece: data.len().max(1) }, LIMITS);
    opened.and_then(|mut plain| io::copy(&mut plain, &mut io::sink())).is_err()
}

fn split(data: &[u8], piece: usize) -> (Vec<Record>, End) {
    let Ok(reader) = open(Pieces { data, piece }, LIMITS) else { return (Vec::new(), End::Unreadable) };
    let mut records = Vec::new();
    for record in Records::new(reader, RecordLimits { record_bytes: RECORD_BYTES }) {
        match record {
            Ok(record) => records.push(record),
            Err(RecordsError::Broken(rest)) => {
                let (offset_bytes, bytes, is_cut) = (rest.offset_bytes, rest.bytes, rest.is_cut);
                return (records, End::Broken { offset_bytes, bytes, is_cut });
            }
            Err(RecordsError::Read(_)) => return (records, End::Unreadable),
        }
    }
    (records, End::Whole)
}

/// The records of a delivery that is not compressed and wholly valid.
fn plainly(data: &[u8]) -> Option<Vec<&str>> {
    let text = std::str::from_utf8(data).ok().filter(|text| text.len() <= DECODED_BYTES)?;
    if text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('[') {
        let elements: Vec<&RawValue> = serde_json::from_str(text).ok()?;
        return Some(elements.into_iter().map(RawValue::get).collect());
    }
    let values = serde_json::Deserializer::from_str(text).into_iter::<&RawValue>();
    let values: Vec<&str> = values.map(|value| value.ok().map(RawValue::get)).collect::<Option<_>>()?;
    values.iter().all(|value| value.starts_with('{')).then_some(values)
}

/// Bytes that arrive some at a time.
struct Pieces<'d> {
    data: &'d [u8],
    piece: usize,
}

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = self.piece.min(self.data.len()).min(out.len());
        let (read, rest) = self.data.split_at(count);
        out[..count].copy_from_slice(read);
        self.data = rest;
        Ok(count)
    }
}
