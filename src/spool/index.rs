//! Which sequences are readable, and in which files.

use std::collections::BTreeMap;

/// The spool's files. What it says is durable: the writer tells it after the fsync.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// By first sequence. A file holds what comes before the next file's first sequence.
    files: BTreeMap<u64, SpoolFile>,
    /// The sequence after the last durable record.
    end: u64,
    /// First sequence of the file that is appended to.
    open: Option<u64>,
}

/// A file as far as it may be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SpoolFile {
    /// Where the checksums of its frames start from.
    pub(super) salt: u32,
    /// Its durable length.
    pub(super) bytes: u64,
}

/// Where a sequence is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In no file yet.
    End,
    /// Nowhere any more; `to` is the next sequence that may be there.
    Gap { to: u64 },
    /// In the file that begins with `first`, together with what follows up to `upper`.
    File { first: u64, upper: u64, file: SpoolFile },
}

impl Index {
    /// The index of what recovery found.
    pub(super) fn new(files: BTreeMap<u64, SpoolFile>, end: u64) -> Self {
        Self { files, end, open: None }
    }

    /// The first sequence that may be there.
    pub(super) fn oldest(&self) -> u64 {
        self.files.keys().next().map_or(self.end, |&first| first.min(self.end))
    }

    /// Bytes of all files.
    pub(super) fn bytes(&self) -> u64 {
        self.files.values().map(|file| file.bytes).sum()
    }

    /// Finds a sequence.
    pub(super) fn locate(&self, sequence: u64) -> Place {
        if sequence >= self.end {
            return Place::End;
        }
        let next = self.files.range(sequence.saturating_add(1)..).next();
        let upper = next.map_or(self.end, |(&first, _)| first.min(self.end));
        match self.files.range(..=sequence).next_back() {
            Some((&first, &file)) => Place::File { first, upper, file },
            None => Place::Gap { to: upper },
        }
    }

    /// A new file is appended to from now on.
    pub(super) fn open(&mut self, first: u64, file: SpoolFile) {
        self.files.insert(first, file);
        self.open = Some(first);
    }

    /// The open file has grown, and its records up to `end` are durable.
    pub(super) fn grow(&mut self, bytes: u64, end: u64) {
        if let Some(file) = self.open.and_then(|open| self.files.get_mut(&open)) {
            file.bytes = bytes;
        }
        self.end = end;
    }

    /// Nothing more is appended to the open file.
    pub(super) fn seal(&mut self) {
        self.open = None;
    }

    /// The oldest file, if all its records are below `floor` and nothing more will come.
    pub(super) fn deletable(&self, floor: u64) -> Option<u64> {
        let mut firsts = self.files.keys();
        let &first = firsts.next()?;
        let end = firsts.next().map_or(self.end, |&next| next.min(self.end));
        let is_passed = end <= floor && end > first && self.open != Some(first);
        is_passed.then_some(first)
    }

    /// Whether the file that begins with `first` is there.
    pub(super) fn contains(&self, first: u64) -> bool {
        self.files.contains_key(&first)
    }

    /// Takes a file out, before it is deleted: readers must not take it for lost.
    pub(super) fn remove(&mut self, first: u64) -> Option<SpoolFile> {
        self.files.remove(&first)
    }

    /// Puts a file back that could not be deleted.
    pub(super) fn put_back(&mut self, first: u64, file: SpoolFile) {
        self.files.insert(first, file);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: SpoolFile = SpoolFile { salt: 1, bytes: 100 };

    fn index(firsts: &[u64], end: u64) -> Index {
        Index::new(firsts.iter().map(|&first| (first, FILE)).collect(), end)
    }

    #[test]
    fn sequences_are_found_in_the_file_before_them() {
        let index = index(&[10, 20], 25);
        assert_eq!(index.locate(3), Place::Gap { to: 10 });
        assert_eq!(index.locate(10), Place::File { first: 10, upper: 20, file: FILE });
        assert_eq!(index.locate(19), Place::File { first: 10, upper: 20, file: FILE });
        assert_eq!(index.locate(20), Place::File { first: 20, upper: 25, file: FILE });
        assert_eq!(index.locate(25), Place::End);
        assert_eq!((index.oldest(), index.bytes()), (10, 200));
    }

    #[test]
    fn without_files_everything_before_the_end_is_gone() {
        let index = index(&[], 7);
        assert_eq!(index.oldest(), 7);
        assert_eq!(index.locate(2), Place::Gap { to: 7 });
        assert_eq!(index.locate(7), Place::End);
    }

    #[test]
    fn only_the_oldest_file_that_is_passed_and_not_open_goes() {
        let mut index = index(&[0, 10], 10);
        assert_eq!(index.deletable(9), None);
        assert_eq!(index.deletable(10), Some(0));
        index.remove(0);
        assert_eq!(index.deletable(10), None, "an empty file costs nothing and may be replaced");
        index.open(10, FILE);
        index.grow(200, 15);
        assert_eq!(index.deletable(15), None, "the open file stays");
        index.seal();
        assert_eq!(index.deletable(15), Some(10));
    }
}
