//! Going through the files.

use std::{
    collections::{BTreeMap, VecDeque},
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use uuid::Uuid;

use super::{Defect, Finding, FoundRecord, InspectError, InspectedFile};
use crate::{
    disk::{self, Disk, DiskLock},
    spool::{
        file_header::{FileHeader, HEADER_BYTES, file_name, first_of_name},
        frame::{Frame, HEAD_BYTES},
        identity::Identity,
        scan::{Damage, Scan, Step},
    },
};

/// Going through all files of a spool, oldest first.
pub struct Inspection {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    identity: Option<Identity>,
    /// The files that can be read, by first sequence.
    files: BTreeMap<u64, InspectedFile>,
    /// What is to be told before going on.
    pending: VecDeque<Finding>,
    /// The file that is gone through.
    scan: Option<(InspectedFile, Scan)>,
    /// The sequence that must come next if nothing was lost; unknown before the first file.
    expected: Option<u64>,
    /// First sequence of the next file to go through; `None` once all were.
    next_file: Option<u64>,
    /// Whether there is a file by the name of the newest, readable or not.
    newest_is_there: bool,
    _lock: Option<Box<dyn DiskLock>>,
}

impl Inspection {
    /// Begins with the spool in this directory, or in the directory `spool` in it.
    pub fn open(disk: Arc<dyn Disk>, directory: &Path) -> Result<Self, InspectError> {
        let (directory, names) = find(disk.as_ref(), directory)?;
        let lock_path = directory.join("LOCK");
        let lock = disk.lock_shared(&lock_path).map_err(|source| match source.kind() {
            io::ErrorKind::WouldBlock => InspectError::Locked { path: lock_path },
            _ => InspectError::Io { path: lock_path, source },
        })?;
        let fail = |source| InspectError::Io { path: directory.clone(), source };
        let identity = Identity::load(disk.as_ref(), &directory).map_err(fail)?;
        let mut inspection = Self {
            disk,
            directory: directory.clone(),
            identity,
            files: BTreeMap::new(),
            pending: VecDeque::new(),
            scan: None,
            expected: None,
            next_file: None,
            newest_is_there: identity.is_some_and(|noted| names.contains(&file_name(noted.newest))),
            _lock: lock,
        };
        inspection.sift(names).map_err(fail)?;
        if identity.is_none() {
            inspection.defect(Defect::Unidentified);
        }
        inspection.next_file = inspection.files.keys().next().copied();
        if inspection.next_file.is_none() {
            inspection.compare_with_note();
        }
        Ok(inspection)
    }

    /// Where the spool is.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The spool's id, where the file that says so is intact.
    pub fn id(&self) -> Option<Uuid> {
        self.identity.map(|identity| identity.id)
    }

    /// Reads the headers of all files. Recovery sets aside what it cannot read; here it is a defect.
    fn sift(&mut self, mut names: Vec<String>) -> io::Result<()> {
        names.sort_unstable();
        let mut misnamed = Vec::new();
        for name in names {
            let Some(by_name) = first_of_name(&name) else { continue };
            let file = self.disk.open(&self.directory.join(&name))?;
            let mut head = vec![0; usize::try_from(HEADER_BYTES).unwrap_or_default()];
            let read = disk::read_full(file.as_ref(), &mut head, 0)?;
            head.truncate(read);
            match FileHeader::decode(&head) {
                Ok(FileHeader { first, salt, .. }) => {
                    let file = InspectedFile { name, first, bytes: file.len()?, salt };
                    if first == by_name {
                        self.files.insert(first, file);
                    } else {
                        misnamed.push(file);
                    }
                }
                Err(error) => self.defect(Defect::Unreadable { name, why: error.to_string() }),
            }
        }
        for file in misnamed {
            self.defect(Defect::Misnamed { name: file.name.clone(), first: file.first });
            self.files.entry(file.first).or_insert(file);
        }
        Ok(())
    }

    /// What comes next; `None` at the end.
    fn advance(&mut self) -> Result<Option<Finding>, InspectError> {
        loop {
            if let Some(finding) = self.pending.pop_front() {
                return Ok(Some(finding));
            }
            let step = match &mut self.scan {
                Some((_, scan)) => scan.step().map_err(|source| self.failed(source))?,
                None => match self.next_file.take() {
                    Some(first) => {
                        self.begin(first)?;
                        continue;
                    }
                    None => return Ok(None),
                },
            };
            match step {
                Step::Frame(frame) => {
                    if let Some(record) = self.record(&frame) {
                        self.pending.push_back(Finding::Record(record));
                    }
                }
                Step::Damage(damage) => self.damage(damage),
                Step::End => self.end_file(),
            }
        }
    }

    fn begin(&mut self, first: u64) -> Result<(), InspectError> {
        let Some(file) = self.files.get(&first).cloned() else { return Ok(()) };
        let handle =
            self.disk.open(&self.directory.join(&file.name)).map_err(|source| self.failed(source))?;
        self.pending.push_back(Finding::File(file.clone()));
        self.reach(first);
        self.scan = Some((file.clone(), Scan::new(handle, file.salt, first, file.bytes)));
        Ok(())
    }

    /// Passes a frame. What lies where the next file begins, or behind the end that the spool was closed with, was
    /// never acknowledged.
    fn record(&mut self, frame: &Frame) -> Option<FoundRecord> {
        let (file, scan) = self.scan.as_mut()?;
        let upper = match self.files.range(file.first.saturating_add(1)..).next() {
            Some((&next, _)) => Some(next),
            None => self.identity.filter(|noted| noted.newest == file.first).and_then(|noted| noted.end),
        };
        if upper.is_some_and(|upper| frame.sequence >= upper) {
            self.pending.push_back(Finding::Unacknowledged(scan.rest().bytes));
            self.end_file();
            return None;
        }
        scan.pass(frame);
        self.reach(frame.sequence);
        self.expected = Some(frame.sequence.saturating_add(1));
        Some(FoundRecord {
            sequence: frame.sequence,
            kind: frame.kind,
            offset: frame.end.saturating_sub((HEAD_BYTES + frame.payload.len()) as u64),
            payload: frame.payload.clone(),
        })
    }

    fn damage(&mut self, damage: Damage) {
        let is_newest = self.scan.as_ref().is_some_and(|(file, _)| self.is_newest(file.first));
        if damage.is_torn_tail && is_newest {
            self.pending.push_back(Finding::Unacknowledged(damage.bytes));
        } else {
            self.defect(Defect::Damaged { bytes: damage.bytes });
        }
    }

    fn end_file(&mut self) {
        let Some((file, _)) = self.scan.take() else { return };
        self.next_file = self.files.range(file.first.saturating_add(1)..).next().map(|(&first, _)| first);
        if self.next_file.is_none() {
            self.compare_with_note();
        }
    }

    /// After the last file: is what the spool noted about its end there?
    fn compare_with_note(&mut self) {
        let Some(noted) = self.identity else { return };
        // Where nothing was written behind the note, no newest file has to be there.
        let is_there = self.newest_is_there || self.files.contains_key(&noted.newest);
        if !is_there && noted.end != Some(noted.newest) {
            self.defect(Defect::NewestMissing { first: noted.newest });
        }
        if let Some(end) = noted.end {
            self.reach(end);
        }
    }

    /// Something with this sequence is here: what was due before it is missing.
    fn reach(&mut self, sequence: u64) {
        if let Some(expected) = self.expected.filter(|expected| *expected < sequence) {
            self.defect(Defect::Missing { sequences: expected..sequence });
        }
        self.expected = Some(self.expected.unwrap_or(sequence).max(sequence));
    }

    fn is_newest(&self, first: u64) -> bool {
        self.files.keys().next_back() == Some(&first)
    }

    fn defect(&mut self, defect: Defect) {
        self.pending.push_back(Finding::Defect(defect));
    }

    fn failed(&self, source: io::Error) -> InspectError {
        InspectError::Io { path: self.directory.clone(), source }
    }
}

/// Whoever gets an error stops: what follows it is not known.
impl Iterator for Inspection {
    type Item = Result<Finding, InspectError>;

    fn next(&mut self) -> Option<Self::Item> {
        self.advance().transpose()
    }
}

/// The directory of the spool, and the names in it.
fn find(disk: &dyn Disk, directory: &Path) -> Result<(PathBuf, Vec<String>), InspectError> {
    for candidate in [directory.join("spool"), directory.to_owned()] {
        match disk.read_dir(&candidate) {
            Ok(names) if names.iter().any(|name| name == "id" || first_of_name(name).is_some()) => {
                return Ok((candidate, names));
            }
            Ok(_) => {}
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(source) => return Err(InspectError::Io { path: candidate, source }),
        }
    }
    Err(InspectError::NoSpool { path: directory.to_owned() })
}
