//! The head of a spool file, and the file's name.

use crc32c::crc32c;
use uuid::Uuid;

/// Where the frames begin: after two copies of the header.
pub(super) const HEADER_BYTES: u64 = 2 * COPY_BYTES as u64;

/// The version that we write, and the only one that we read.
pub(super) const VERSION: u32 = 1;

const MAGIC: [u8; 8] = *b"tidegate";
/// Magic 8, version 4, salt 4, spool id 16, first sequence 8, four zeros, checksum 4.
const COPY_BYTES: usize = 48;
const COVERED_BYTES: usize = COPY_BYTES - 4;

/// What a spool file says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FileHeader {
    /// The id of the spool when the file was made; tells a person where a stray file came from.
    pub(super) spool_id: Uuid,
    /// Sequence of the first record.
    pub(super) first: u64,
    /// Where the checksums of the frames start from.
    pub(super) salt: u32,
}

/// Why a file cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum HeaderError {
    /// Neither copy of the header is intact.
    #[error("its header is damaged")]
    Damaged,
    /// A newer tidegate wrote it.
    #[error("it is of version {0} of the format, and this program reads version {VERSION}")]
    Version(u32),
}

impl FileHeader {
    /// The bytes at the file's beginning.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut copy = Vec::with_capacity(2 * COPY_BYTES);
        copy.extend_from_slice(&MAGIC);
        copy.extend_from_slice(&VERSION.to_le_bytes());
        copy.extend_from_slice(&self.salt.to_le_bytes());
        copy.extend_from_slice(self.spool_id.as_bytes());
        copy.extend_from_slice(&self.first.to_le_bytes());
        copy.extend_from_slice(&[0; 4]);
        copy.extend_from_slice(&crc32c(&copy).to_le_bytes());
        copy.extend_from_within(..);
        copy
    }

    /// Reads the header from a file's first bytes: whichever copy is intact.
    pub(super) fn decode(bytes: &[u8]) -> Result<Self, HeaderError> {
        let (first, rest) = bytes.split_at_checked(COPY_BYTES).unwrap_or((bytes, &[]));
        let second = rest.get(..COPY_BYTES).unwrap_or(rest);
        if let Some(header) = Self::decode_copy(first).or_else(|| Self::decode_copy(second)) {
            return Ok(header);
        }
        // What else a later version changes, it keeps magic and version where they are.
        match version_of(first) {
            Some(version) if version > VERSION && version_of(second) != Some(VERSION) => {
                Err(HeaderError::Version(version))
            }
            _ => Err(HeaderError::Damaged),
        }
    }

    fn decode_copy(copy: &[u8]) -> Option<Self> {
        let (covered, checksum) = copy.split_at_checked(COVERED_BYTES)?;
        let intact = crc32c(covered).to_le_bytes() == *checksum;
        if !intact || version_of(copy) != Some(VERSION) {
            return None;
        }
        Some(Self {
            salt: u32::from_le_bytes(*copy.get(12..)?.first_chunk()?),
            spool_id: Uuid::from_bytes(*copy.get(16..)?.first_chunk()?),
            first: u64::from_le_bytes(*copy.get(32..)?.first_chunk()?),
        })
    }
}

fn version_of(copy: &[u8]) -> Option<u32> {
    let version = copy.strip_prefix(&MAGIC)?.first_chunk()?;
    Some(u32::from_le_bytes(*version))
}

/// The name of the file that begins with this sequence. Names sort as their sequences do.
pub(super) fn file_name(first: u64) -> String {
    format!("{first:020}.spool")
}

/// The sequence in a file's name; `None` if it is not one of ours.
pub(super) fn first_of_name(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".spool")?;
    let ours = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    ours.then(|| digits.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> FileHeader {
        FileHeader { spool_id: Uuid::from_u128(7), first: 42, salt: 9 }
    }

    #[test]
    fn one_damaged_byte_never_costs_the_header() {
        let bytes = header().encode();
        assert_eq!(bytes.len() as u64, HEADER_BYTES);
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert_eq!(FileHeader::decode(&damaged), Ok(header()), "byte {at}");
            }
        }
    }

    #[test]
    fn a_cut_header_is_damaged_unless_its_first_copy_is_whole() {
        let bytes = header().encode();
        for length in 0..bytes.len() {
            let expected = if length < COPY_BYTES { Err(HeaderError::Damaged) } else { Ok(header()) };
            assert_eq!(FileHeader::decode(&bytes[..length]), expected, "length {length}");
        }
    }

    #[test]
    fn a_later_version_is_told_from_damage() {
        let mut bytes = header().encode();
        bytes[8] = 2;
        bytes[COPY_BYTES + 8] = 2;
        assert_eq!(FileHeader::decode(&bytes), Err(HeaderError::Version(2)));
        bytes[0] = b'T';
        assert_eq!(FileHeader::decode(&bytes), Err(HeaderError::Damaged));
    }

    #[test]
    fn names_and_sequences_map_both_ways() {
        assert_eq!(file_name(42), "00000000000000000042.spool");
        for first in [0, 42, u64::MAX] {
            assert_eq!(first_of_name(&file_name(first)), Some(first));
        }
        for name in ["42.spool", "0000000000000000004x.spool", "id", "99999999999999999999.spool"] {
            assert_eq!(first_of_name(name), None, "{name}");
        }
    }
}
