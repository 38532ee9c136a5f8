//! Dedup keys: what tells a second copy of an event from another event.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// A key longer than this is stored as its hash; an index row has a limit of its own.
const KEY_BYTES_MAX: usize = 200;

/// The key as it is stored.
pub(super) fn bounded(key: String) -> String {
    if key.len() <= KEY_BYTES_MAX { key } else { of_digest(&Sha256::digest(key.as_bytes())) }
}

/// The key that content gives itself: `sha256:` and the digest in hexadecimal digits.
pub(super) fn of_digest(digest: &[u8]) -> String {
    digest.iter().fold("sha256:".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}
