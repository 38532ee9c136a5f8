//! The keys of a source: which secrets open it, and the comparison that tells nothing by its duration.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::{Choice, ConditionallySelectable, ConstantTimeEq};

use crate::{clock::UnixMicros, secret::Secret};

/// A secret shorter than this earns a warning: 128 bits in hexadecimal digits.
pub const SHORT_SECRET_CHARS: usize = 32;

/// One of the secrets that open a door. Only its digest is kept.
#[derive(Clone)]
pub struct Key {
    id: String,
    digest: [u8; 32],
    live: bool,
    not_after: Option<UnixMicros>,
}

impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Key")
            .field("id", &self.id)
            .field("not_after", &self.not_after)
            .finish_non_exhaustive()
    }
}

impl Key {
    /// A key named `id` (for metrics and logs) that opens until `not_after`. An empty secret opens nothing.
    pub fn new(id: String, secret: &Secret, not_after: Option<UnixMicros>) -> Self {
        Self { id, digest: digest(secret.expose().as_bytes()), live: !secret.is_empty(), not_after }
    }

    /// Its name.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Until when it opens; `None` for ever.
    pub fn not_after(&self) -> Option<UnixMicros> {
        self.not_after
    }

    /// Whether its time is over.
    pub fn is_expired(&self, now: UnixMicros) -> bool {
        self.not_after.is_some_and(|end| now >= end)
    }
}

/// All keys of one door.
#[derive(Clone, Debug, Default)]
pub struct KeyRing(Vec<Key>);

impl KeyRing {
    /// A door with these keys; without any it stays shut.
    pub fn new(keys: Vec<Key>) -> Self {
        Self(keys)
    }

    /// The keys, in the order of the settings.
    pub fn keys(&self) -> &[Key] {
        &self.0
    }

    /// The index of the key that fits, if one does and is not expired.
    ///
    /// What is offered is hashed first, and every digest is compared to the end: neither the length of a secret, nor how
    /// much of it was right, nor which of several fitted shows in the time this takes.
    pub fn find(&self, offered: &[u8], now: UnixMicros) -> Option<usize> {
        let offered = digest(offered);
        let (mut opens, mut found) = (Choice::from(0), 0);
        for (index, key) in (0_u64..).zip(&self.0) {
            let valid = key.live && !key.is_expired(now);
            let fits = key.digest.ct_eq(&offered) & Choice::from(u8::from(valid));
            found.conditional_assign(&index, fits);
            opens |= fits;
        }
        usize::try_from(found).ok().filter(|_| opens.into())
    }
}

fn digest(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(id: &str, secret: &str, not_after: Option<UnixMicros>) -> Key {
        Key::new(id.into(), &Secret::new(secret.into()), not_after)
    }

    #[test]
    fn each_live_key_opens_and_nothing_else_does() {
        let ring = KeyRing::new(vec![
            key("old", "alpha", Some(100)),
            key("new", "beta", None),
            key("none", "", None),
        ]);
        assert_eq!(ring.find(b"alpha", 99), Some(0));
        assert_eq!(ring.find(b"alpha", 100), None, "expired");
        assert_eq!(ring.keys()[0].not_after(), Some(100));
        assert_eq!(ring.find(b"beta", 100), Some(1));
        for wrong in ["", "alph", "alphaa", "Alpha", "gamma"] {
            assert_eq!(ring.find(wrong.as_bytes(), 0), None, "{wrong:?}");
        }
        assert_eq!(KeyRing::default().find(b"", 0), None);
    }

    #[test]
    fn a_key_prints_its_name_only() {
        let printed = format!("{:?}", KeyRing::new(vec![key("k", "hunter2", None)]));
        assert!(!printed.contains("hunter2") && printed.contains("\"k\""), "{printed}");
    }
}
