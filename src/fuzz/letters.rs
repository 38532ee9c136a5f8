//! Dead letters as files.

use bytes::Bytes;
use uuid::Uuid;

use crate::drain::letter::{DeadLetter, LetterId};

/// A file is a letter or is not; what is one is the same after it was written again, and no byte of a letter can
/// change unnoticed. A file's name names one letter and one letter only.
pub(super) fn letter(data: &[u8]) {
    if let Ok(letter) = DeadLetter::from_bytes(data) {
        assert_eq!(DeadLetter::from_bytes(&letter.to_bytes()).unwrap(), letter);
    }
    if let Some(id) = std::str::from_utf8(data).ok().and_then(LetterId::parse) {
        assert_eq!(id.to_string().as_bytes(), data);
    }
    let mut letter = DeadLetter { payload: Bytes::copy_from_slice(data), ..DeadLetter::default() };
    letter.set_id(LetterId { spool_id: Uuid::from_u128(7), sequence: data.len() as u64 });
    letter.set_message(&String::from_utf8_lossy(data).repeat(3));
    assert!(letter.message.len() <= 4096);
    let mut file = letter.to_bytes();
    assert_eq!(DeadLetter::from_bytes(&file).unwrap(), letter);
    let flipped = data.iter().fold(0, |sum: usize, byte| sum * 31 % 65_521 + usize::from(*byte)) % file.len();
    file[flipped] ^= 1 << (data.len() % 8);
    assert!(DeadLetter::from_bytes(&file).is_err(), "byte {flipped}");
}
