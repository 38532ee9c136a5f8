//! A dead letter as a file: self-contained, so that it can be read when spool, settings and sink are gone.
//!
//! Layout: the eight bytes `TGDEAD01`, the CRC-32C of what follows (u32, little-endian), a protobuf [`DeadLetter`].
//! Tags are forever, as in the spool's records; another layout would get another number in the magic.
//! The file's name is its [`LetterId`]: twenty digits of the sequence, `-`, the spool id in 32 hexadecimal digits. The
//! id belongs in it because a new spool counts from 0 again.

use std::fmt;

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

use crate::clock::UnixMicros;

const MAGIC: &[u8; 8] = b"TGDEAD01";

/// Longest `message` of a letter; a driver may repeat a whole row in it.
const MESSAGE_BYTES: usize = 4096;

/// Which record a letter holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LetterId {
    /// The spool that the record was in.
    pub spool_id: Uuid,
    /// Its place there.
    pub sequence: u64,
}

impl LetterId {
    /// Reads an id as [`Self`] displays it; `None` for anything else.
    pub fn parse(name: &str) -> Option<Self> {
        let (sequence, spool_id) = name.split_once('-')?;
        let id = Self { spool_id: Uuid::try_parse(spool_id).ok()?, sequence: sequence.parse().ok()? };
        (id.to_string() == name).then_some(id)
    }
}

impl fmt::Display for LetterId {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:020}-{}", self.sequence, self.spool_id.simple())
    }
}

/// A record that a sink can never store, with the reason.
#[derive(Clone, PartialEq, Message)]
pub struct DeadLetter {
    /// Upper half of the spool's id.
    #[prost(fixed64, tag = "1")]
    pub spool_id_high: u64,
    /// Lower half of the spool's id.
    #[prost(fixed64, tag = "2")]
    pub spool_id_low: u64,
    /// The record's place in the spool.
    #[prost(uint64, tag = "3")]
    pub sequence: u64,
    /// The lane's, that is its sink's, name.
    #[prost(string, tag = "4")]
    pub lane: String,
    /// The record's kind, as in the spool.
    #[prost(uint32, tag = "5")]
    pub kind: u32,
    /// Why: `poison_row` (the sink refuses it) or `unreadable` (it could not be decoded).
    #[prost(string, tag = "6")]
    pub reason: String,
    /// The sink's code for it, such as a SQLSTATE.
    #[prost(string, tag = "7")]
    pub code: String,
    /// The same in words. May repeat the row's data.
    #[prost(string, tag = "8")]
    pub message: String,
    /// When it was given up.
    #[prost(int64, tag = "9")]
    pub failed_at: UnixMicros,
    /// In how many failed writes it took part.
    #[prost(uint32, tag = "10")]
    pub attempts: u32,
    /// The record, byte for byte.
    #[prost(bytes = "bytes", tag = "11")]
    pub payload: Bytes,
}

/// Why a file is not a dead letter.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// It begins with something else, or a newer version wrote it.
    #[error("not a dead letter of a version that is known here")]
    Unknown,
    /// Its bytes changed after it was written.
    #[error("the dead letter is damaged")]
    Damaged,
    /// Its bytes are what was written, but no letter.
    #[error("the dead letter cannot be decoded")]
    Malformed(#[from] prost::DecodeError),
}

impl DeadLetter {
    /// Which record it holds.
    pub fn id(&self) -> LetterId {
        LetterId {
            spool_id: Uuid::from_u64_pair(self.spool_id_high, self.spool_id_low),
            sequence: self.sequence,
        }
    }

    /// Says which record it holds.
    pub fn set_id(&mut self, id: LetterId) {
        (self.spool_id_high, self.spool_id_low) = id.spool_id.as_u64_pair();
        self.sequence = id.sequence;
    }

    /// Keeps as much of the sink's words as a letter may hold.
    pub fn set_message(&mut self, message: &str) {
        let end = message.floor_char_boundary(MESSAGE_BYTES);
        message.get(..end).unwrap_or_default().clone_into(&mut self.message);
    }

    /// The file's bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let body = self.encode_to_vec();
        let mut bytes = Vec::with_capacity(MAGIC.len() + 4 + body.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&crc32c::crc32c(&body).to_le_bytes());
        bytes.extend_from_slice(&body);
        bytes
    }

    /// Reads a file's bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(DecodeError::Unknown)?;
        let (checksum, body) = rest.split_first_chunk::<4>().ok_or(DecodeError::Damaged)?;
        if crc32c::crc32c(body) != u32::from_le_bytes(*checksum) {
            return Err(DecodeError::Damaged);
        }
        Ok(Self::decode(body)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn letter() -> DeadLetter {
        let mut letter = DeadLetter {
            lane: "sqlite".into(),
            kind: 1,
            reason: "poison_row".into(),
            code: "23514".into(),
            failed_at: 1_700_000_000_000_000,
            attempts: 7,
            payload: Bytes::from_static(b"\x00payload\xff"),
            ..DeadLetter::default()
        };
        letter.set_id(LetterId {
            spool_id: Uuid::from_u128(0x0123_4567_89ab_cdef_0011_2233_4455_6677),
            sequence: 17,
        });
        letter
    }

    #[test]
    fn a_letter_survives_its_file() {
        assert_eq!(DeadLetter::from_bytes(&letter().to_bytes()).unwrap(), letter());
    }

    /// The format is kept for ever: a letter of version 1 must stay readable.
    #[test]
    fn version_1_is_what_it_was() {
        let file = [
            b"TGDEAD01\xd8\x88\xcc\x0d".as_slice(),
            b"\x09\xef\xcd\xab\x89gE#\x01\x11wfUD3\x22\x11\x00\x18\x11",
            b"\x22\x06sqlite(\x012\x0apoison_row:\x0523514",
            b"H\x80\x80\xf9\xc0\xc1\xc4\x82\x03P\x07Z\x09\x00payload\xff",
        ]
        .concat();
        assert_eq!(letter().to_bytes(), file);
        assert_eq!(DeadLetter::from_bytes(&file).unwrap(), letter());
    }

    #[test]
    fn any_flipped_bit_or_missing_end_is_noticed() {
        let bytes = letter().to_bytes();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut damaged = bytes.clone();
                damaged[at] ^= 1 << bit;
                assert!(DeadLetter::from_bytes(&damaged).is_err(), "byte {at}, bit {bit}");
            }
            assert!(DeadLetter::from_bytes(&bytes[..at]).is_err(), "cut at {at}");
        }
    }

    #[test]
    fn names_are_parsed_only_as_they_are_written() {
        let id = letter().id();
        assert_eq!(id.to_string(), "00000000000000000017-0123456789abcdef0011223344556677");
        assert_eq!(LetterId::parse(&id.to_string()), Some(id));
        for other in ["", "17", "17-0123456789abcdef0011223344556677", ".tmp", "00000000000000000017-x"] {
            assert_eq!(LetterId::parse(other), None, "{other}");
        }
    }

    #[test]
    fn long_messages_are_cut_between_characters() {
        let mut letter = letter();
        letter.set_message(&"€".repeat(2000));
        assert_eq!(letter.message.len(), 4095);
    }
}
