//! The dead letters of one lane: a file each in `<data>/dead/<lane>/`, within a quota.
//!
//! Names and sizes are kept in memory, contents on disk. Whoever removes a file by hand is noticed when the quota
//! binds, or at the next start. Files that are no letters are left alone.

use std::{
    collections::BTreeMap,
    io,
    ops::{Bound, Range},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use uuid::Uuid;

use super::letter::{DeadLetter, DecodeError, LetterId};
use crate::disk::{self, Disk};

/// A letter occupies whole blocks, which is also what bounds how many there can be.
const BLOCK_BYTES: u64 = 4096;

/// Far above any record; a larger file is none of ours.
const LETTER_BYTES_MAX: u64 = 1 << 30;

/// The dead letters of one lane. Operations block on disk.
pub struct DeadLetters {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    bytes_max: u64,
    /// Bytes on disk of each letter.
    index: Mutex<BTreeMap<LetterId, u64>>,
}

/// Why a letter was not kept.
#[derive(Debug, thiserror::Error)]
pub enum KeepError {
    /// There is no room for it within the quota.
    #[error("dead letters would exceed their quota of {bytes_max} bytes")]
    Full {
        /// The quota.
        bytes_max: u64,
    },
    /// It is not durable.
    #[error("dead letter could not be written")]
    Disk(#[from] io::Error),
}

/// Why a letter cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum ReadLetterError {
    /// The file cannot be read; [`io::ErrorKind::NotFound`] when there is none.
    #[error("dead letter could not be read")]
    Disk(#[from] io::Error),
    /// The file is no letter.
    #[error(transparent)]
    Decode(#[from] DecodeError),
}

impl DeadLetters {
    /// Opens the directory, creating it where missing, and learns what is in it.
    pub fn open(disk: Arc<dyn Disk>, directory: PathBuf, bytes_max: u64) -> io::Result<Self> {
        disk.create_dir_all(&directory, true)?;
        let letters = Self { disk, directory, bytes_max, index: Mutex::default() };
        letters.rescan()?;
        Ok(letters)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.index().len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.index().is_empty()
    }

    /// How many bytes they occupy on disk.
    pub fn bytes(&self) -> u64 {
        self.index().values().sum()
    }

    /// All of them, oldest first within each spool.
    pub fn list(&self) -> Vec<LetterId> {
        self.index().keys().copied().collect()
    }

    /// The newest one, or the newest of those before `before`; from each spool its newer records first.
    pub fn newest(&self, before: Option<LetterId>) -> Option<LetterId> {
        let before = before.map_or(Bound::Unbounded, Bound::Excluded);
        self.index().range((Bound::Unbounded, before)).next_back().map(|(id, _)| *id)
    }

    /// The oldest `limit` of them, or the oldest of those behind `after`; oldest first within each spool.
    pub fn oldest(&self, after: Option<LetterId>, limit: usize) -> Vec<LetterId> {
        let after = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.index().range((after, Bound::Unbounded)).take(limit).map(|(id, _)| *id).collect()
    }

    /// Those whose records lay in this range of a spool.
    pub fn within(&self, spool_id: Uuid, sequences: Range<u64>) -> Vec<LetterId> {
        let id = |sequence| LetterId { spool_id, sequence };
        self.index().range(id(sequences.start)..id(sequences.end)).map(|(id, _)| *id).collect()
    }

    /// Reads one.
    pub fn show(&self, id: LetterId) -> Result<DeadLetter, ReadLetterError> {
        let bytes = disk::read(self.disk.as_ref(), &self.path(id), LETTER_BYTES_MAX)?;
        Ok(DeadLetter::from_bytes(&bytes)?)
    }

    /// Keeps a letter, in place of an earlier one of the same record. Durable when it returns.
    pub fn keep(&self, letter: &DeadLetter) -> Result<(), KeepError> {
        let (id, bytes) = (letter.id(), letter.to_bytes());
        let size = bytes_on_disk(bytes.len() as u64);
        if !self.has_room(id, size) {
            // Somebody may have removed files by hand.
            self.rescan()?;
            if !self.has_room(id, size) {
                return Err(KeepError::Full { bytes_max: self.bytes_max });
            }
        }
        disk::write_durable(self.disk.as_ref(), &self.path(id), &bytes, true)?;
        self.index().insert(id, size);
        Ok(())
    }

    /// Removes one for good; false if there was none.
    pub fn discard(&self, id: LetterId) -> io::Result<bool> {
        Ok(self.discard_all(&[id])? == 1)
    }

    /// Removes these for good; answers how many of them there were. After an error some may be gone.
    pub fn discard_all(&self, ids: &[LetterId]) -> io::Result<usize> {
        let mut found = 0;
        for id in ids {
            match self.disk.remove(&self.path(*id)) {
                Ok(()) => found += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
            self.index().remove(id);
        }
        self.disk.sync_dir(&self.directory)?;
        Ok(found)
    }

    fn has_room(&self, id: LetterId, size: u64) -> bool {
        let index = self.index();
        let others: u64 = index.iter().filter(|(other, _)| **other != id).map(|(_, size)| size).sum();
        others.saturating_add(size) <= self.bytes_max
    }

    fn rescan(&self) -> io::Result<()> {
        let mut found = BTreeMap::new();
        for name in self.disk.read_dir(&self.directory)? {
            let Some(id) = LetterId::parse(&name) else {
                continue;
            };
            match self.disk.open(&self.path(id)).and_then(|file| file.len()) {
                Ok(length) => found.insert(id, bytes_on_disk(length)),
                // Removed since the directory was read.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
        }
        *self.index() = found;
        Ok(())
    }

    fn path(&self, id: LetterId) -> PathBuf {
        Path::join(&self.directory, id.to_string())
    }

    /// A panic while it is held cannot leave the map half changed.
    fn index(&self) -> MutexGuard<'_, BTreeMap<LetterId, u64>> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn bytes_on_disk(length: u64) -> u64 {
    length.next_multiple_of(BLOCK_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::simulated::{Failure, Operation, SimDisk};

    const SPOOL: Uuid = Uuid::from_u128(7);

    fn directory() -> PathBuf {
        PathBuf::from("/data/dead/sqlite")
    }

    fn open(disk: &SimDisk, bytes_max: u64) -> DeadLetters {
        DeadLetters::open(Arc::new(disk.clone()), directory(), bytes_max).unwrap()
    }

    fn letter(sequence: u64) -> DeadLetter {
        let mut letter = DeadLetter { payload: vec![1; 100].into(), ..DeadLetter::default() };
        letter.set_id(LetterId { spool_id: SPOOL, sequence });
        letter
    }

    #[test]
    fn letters_survive_a_crash_and_are_listed_in_order() {
        let disk = SimDisk::new(1);
        let letters = open(&disk, 1 << 20);
        for sequence in [30, 4, 100] {
            letters.keep(&letter(sequence)).unwrap();
        }
        assert!(letters.discard(letter(4).id()).unwrap());
        assert!(!letters.discard(letter(4).id()).unwrap());

        let disk = disk.crash();
        let letters = open(&disk, 1 << 20);
        assert_eq!(letters.list(), [letter(30).id(), letter(100).id()]);
        assert_eq!(letters.show(letter(100).id()).unwrap(), letter(100));
        assert_eq!(letters.bytes(), 2 * BLOCK_BYTES);
        assert_eq!(letters.within(SPOOL, 30..100), [letter(30).id()]);
        assert_eq!(letters.newest(None), Some(letter(100).id()));
        assert_eq!(letters.newest(Some(letter(100).id())), Some(letter(30).id()));
        assert_eq!(letters.newest(Some(letter(30).id())), None);
        assert_eq!(letters.oldest(None, 1), [letter(30).id()]);
        assert_eq!(letters.oldest(Some(letter(30).id()), 9), [letter(100).id()]);
        assert!(letters.within(Uuid::nil(), 0..1000).is_empty());
        let all = [letter(100).id(), letter(4).id(), letter(30).id()];
        assert_eq!((letters.discard_all(&all).unwrap(), letters.len()), (2, 0));
        assert!(open(&disk.crash(), 1 << 20).is_empty());
    }

    #[test]
    fn a_letter_that_is_not_durable_is_an_error_and_may_be_tried_again() {
        for operation in
            [Operation::Create, Operation::Append, Operation::Sync, Operation::Rename, Operation::SyncDir]
        {
            let disk = SimDisk::new(2);
            let letters = open(&disk, 1 << 20);
            disk.fail(operation, 1, Failure::Io);
            assert!(matches!(letters.keep(&letter(1)), Err(KeepError::Disk(_))), "{operation:?}");
            letters.keep(&letter(1)).unwrap();
            assert_eq!(open(&disk.crash(), 1 << 20).show(letter(1).id()).unwrap(), letter(1));
        }
    }

    #[test]
    fn the_quota_counts_blocks_and_sees_what_was_removed_by_hand() {
        let disk = SimDisk::new(3);
        let letters = open(&disk, 2 * BLOCK_BYTES);
        letters.keep(&letter(1)).unwrap();
        letters.keep(&letter(2)).unwrap();
        letters.keep(&letter(2)).expect("replacing a letter takes no more room");
        assert!(matches!(letters.keep(&letter(3)), Err(KeepError::Full { .. })));

        disk.remove(&letters.path(letter(1).id())).unwrap();
        letters.keep(&letter(3)).unwrap();
        assert_eq!(letters.list(), [letter(2).id(), letter(3).id()]);
    }

    #[test]
    fn other_files_are_left_alone_and_damage_is_told() {
        let disk = SimDisk::new(4);
        let letters = open(&disk, 1 << 20);
        letters.keep(&letter(1)).unwrap();
        disk.plant(&directory().join("README"), b"hello");
        disk.damage(&letters.path(letter(1).id()), |bytes| bytes[20] ^= 1);

        let letters = open(&disk, 1 << 20);
        assert_eq!(letters.len(), 1);
        assert!(matches!(letters.show(letter(1).id()), Err(ReadLetterError::Decode(DecodeError::Damaged))));
        let missing = letters.show(letter(2).id());
        assert!(
            matches!(missing, Err(ReadLetterError::Disk(error)) if error.kind() == io::ErrorKind::NotFound)
        );
    }
}
