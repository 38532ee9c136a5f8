//! One record on disk: its head, its checksum, and how a chunk's frames get their sequences.

use bytes::Bytes;
use crc32c::crc32c_append;

/// Length u32, checksum u32, kind u8, sequence u64; little-endian.
pub(super) const HEAD_BYTES: usize = 17;

/// The checksum stands between the length and what else it covers.
const LENGTH_BYTES: usize = 4;
const CHECKSUM_END: usize = 8;
const KIND_AT: usize = 8;
const SEQUENCE_AT: usize = 9;

/// What stands before a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) payload_bytes: u32,
    pub(super) checksum: u32,
    pub(super) kind: u8,
    pub(super) sequence: u64,
}

/// A frame whose checksum was right.
#[derive(Clone, Debug)]
pub(super) struct Frame {
    pub(super) sequence: u64,
    pub(super) kind: u8,
    pub(super) payload: Bytes,
    /// Offset in the file of what follows.
    pub(super) end: u64,
}

impl Head {
    /// Reads a head; `None` where there are too few bytes for one.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
        Some(Self {
            payload_bytes: word(0)?,
            checksum: word(LENGTH_BYTES)?,
            kind: *bytes.get(KIND_AT)?,
            sequence: u64::from_le_bytes(*bytes.get(SEQUENCE_AT..)?.first_chunk()?),
        })
    }

    /// Length of the whole frame.
    pub(super) fn frame_bytes(&self) -> u64 {
        HEAD_BYTES as u64 + u64::from(self.payload_bytes)
    }
}

/// The checksum of a frame: CRC-32C that starts from the file's salt and covers the length, the kind, the sequence
/// and the payload. Who does not know the salt cannot write bytes into a payload that pass for a frame.
fn checksum(salt: u32, payload_bytes: u32, after_checksum: &[u8]) -> u32 {
    crc32c_append(crc32c_append(salt, &payload_bytes.to_le_bytes()), after_checksum)
}

/// Whether `frame`, a head and as many bytes as `payload_bytes` says, is what was written.
pub(super) fn is_intact(salt: u32, frame: &[u8], head: &Head, payload_bytes: u32) -> bool {
    frame.get(CHECKSUM_END..).is_some_and(|rest| checksum(salt, payload_bytes, rest) == head.checksum)
}

/// Appends a frame that still lacks its sequence and checksum; `encode` may only append.
/// Answers `false` where the payload is longer than the format can say.
pub(super) fn push(buffer: &mut Vec<u8>, kind: u8, encode: impl FnOnce(&mut Vec<u8>)) -> bool {
    let start = buffer.len();
    buffer.extend_from_slice(&[0; HEAD_BYTES]);
    encode(buffer);
    let payload_bytes = buffer.len().saturating_sub(start + HEAD_BYTES);
    let Ok(length) = u32::try_from(payload_bytes) else {
        return false;
    };
    if let Some(at) = buffer.get_mut(start..start + LENGTH_BYTES) {
        at.copy_from_slice(&length.to_le_bytes());
    }
    if let Some(at) = buffer.get_mut(start + KIND_AT) {
        *at = kind;
    }
    true
}

/// Gives each frame of a buffer that [`push`] filled its sequence, from `first` on, and its checksum.
/// Answers the sequence after the last.
pub(super) fn seal(mut frames: &mut [u8], salt: u32, first: u64) -> u64 {
    let mut sequence = first;
    while let Some(head) = Head::parse(frames) {
        let bytes = HEAD_BYTES + head.payload_bytes as usize;
        let Some((frame, rest)) = frames.split_at_mut_checked(bytes) else {
            break;
        };
        if let Some(at) = frame.get_mut(SEQUENCE_AT..HEAD_BYTES) {
            at.copy_from_slice(&sequence.to_le_bytes());
        }
        let covered = frame.get(CHECKSUM_END..).unwrap_or_default();
        let checksum = checksum(salt, head.payload_bytes, covered);
        if let Some(at) = frame.get_mut(LENGTH_BYTES..CHECKSUM_END) {
            at.copy_from_slice(&checksum.to_le_bytes());
        }
        sequence += 1;
        frames = rest;
    }
    sequence
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_frame_reads_back_and_no_flipped_bit_passes() {
        let mut buffer = Vec::new();
        assert!(push(&mut buffer, 1, |out| out.extend_from_slice(b"one")));
        assert!(push(&mut buffer, 2, |_| {}));
        assert_eq!(seal(&mut buffer, 77, 5), 7);
        let head = Head::parse(&buffer).unwrap();
        assert_eq!((head.payload_bytes, head.kind, head.sequence), (3, 1, 5));
        assert!(is_intact(77, &buffer[..20], &head, 3));
        assert!(!is_intact(78, &buffer[..20], &head, 3));
        let second = Head::parse(&buffer[20..]).unwrap();
        assert_eq!((second.payload_bytes, second.kind, second.sequence), (0, 2, 6));
        for bit in 0..20 * 8 {
            let mut damaged = buffer[..20].to_vec();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let head = Head::parse(&damaged).unwrap();
            assert!(!is_intact(77, &damaged, &head, head.payload_bytes), "bit {bit}");
        }
    }

    #[test]
    fn too_few_bytes_are_no_head() {
        assert_eq!(Head::parse(&[0; HEAD_BYTES - 1]), None);
        assert!(Head::parse(&[0; HEAD_BYTES]).is_some());
    }
}
