//! Which dedup keys were seen a short while ago, to tell a sender. Never the truth: lanes remove duplicates, by the
//! database's unique index, and nothing is acknowledged or dropped because of what stands here.

use std::{
    collections::HashSet,
    hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState},
    mem,
    sync::{Mutex, PoisonError},
};

/// Keys of one generation; two are kept. About 2 MiB a source.
const GENERATION_KEYS: usize = 65_536;

/// Hashes of keys. They are keyed hashes already, which no sender can steer, and are not hashed again.
pub(super) type KeyHashes = HashSet<u64, BuildHasherDefault<AlreadyHashed>>;

/// Takes a hash for what it is.
#[derive(Debug, Default)]
pub(super) struct AlreadyHashed(u64);

impl Hasher for AlreadyHashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Hashes of recent keys, in two generations of bounded size.
#[derive(Debug)]
pub(super) struct RecentKeys {
    hasher: RandomState,
    generations: Mutex<[KeyHashes; 2]>,
    generation_keys: usize,
}

impl Default for RecentKeys {
    fn default() -> Self {
        Self::with_generation(GENERATION_KEYS)
    }
}

impl RecentKeys {
    fn with_generation(generation_keys: usize) -> Self {
        Self { hasher: RandomState::new(), generations: Mutex::default(), generation_keys }
    }

    /// The form in which keys are remembered.
    pub(super) fn hash(&self, key: &str) -> u64 {
        self.hasher.hash_one(key)
    }

    /// Whether a key was remembered recently.
    pub(super) fn contains(&self, hash: u64) -> bool {
        let generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        generations.iter().any(|generation| generation.contains(&hash))
    }

    /// Remembers keys whose events are durable.
    pub(super) fn remember(&self, hashes: &[u64]) {
        let mut generations = self.generations.lock().unwrap_or_else(PoisonError::into_inner);
        let [young, old] = &mut *generations;
        for hash in hashes {
            if young.len() >= self.generation_keys {
                *old = mem::take(young);
            }
            young.insert(*hash);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recent_keys_are_known_and_old_ones_forgotten() {
        let recent = RecentKeys::with_generation(2);
        let hashes: Vec<u64> = ["a", "b", "c", "d", "e"].iter().map(|key| recent.hash(key)).collect();
        recent.remember(&hashes);
        let known: Vec<bool> = hashes.iter().map(|hash| recent.contains(*hash)).collect();
        assert_eq!(known, [false, false, true, true, true]);
        assert!(!recent.contains(recent.hash("f")));
    }
}
