//! A file system in memory that keeps only what was promised, for tests.
//!
//! It can crash (any part of what was not synced is lost, the last write may be torn into garbage, names whose
//! directory was not synced may be lost or kept one by one), fail a chosen operation, and run out of space. The same
//! seed and the same calls give the same outcome.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard},
};

use super::{Disk, DiskFile, DiskLock, directory_of};

/// A handle to the simulated machine's disk as of one boot; a crash makes all older handles fail.
#[derive(Clone)]
pub struct SimDisk {
    state: Arc<Mutex<State>>,
    boot: u64,
}

/// What can be told to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// [`DiskFile::append`].
    Append,
    /// [`DiskFile::sync_data`].
    Sync,
    /// [`DiskFile::set_len`].
    Cut,
    /// [`DiskFile::read_at`].
    Read,
    /// [`Disk::create`].
    Create,
    /// [`Disk::rename`].
    Rename,
    /// [`Disk::sync_dir`].
    SyncDir,
    /// [`Disk::remove`].
    Remove,
}

/// How it fails.
#[derive(Clone, Copy, Debug)]
pub enum Failure {
    /// EIO.
    Io,
    /// ENOSPC.
    NoSpace,
    /// EDQUOT.
    Quota,
    /// This many bytes are written, then ENOSPC.
    Short(usize),
    /// EIO of a sync; and the kernel forgets what it could not write, so that it still shows it, calls the next sync a
    /// success, and does not have it after a crash.
    Forgotten,
    /// Nothing fails: the simulated code panics, as a bug would.
    Panic,
}

#[derive(Default)]
struct State {
    boot: u64,
    random: fastrand::Rng,
    directories: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, u64>,
    /// The names that a crash keeps for sure.
    durable_names: BTreeMap<PathBuf, u64>,
    /// What happened to names since their directory was synced.
    changes: Vec<Change>,
    files: BTreeMap<u64, File>,
    files_created: u64,
    capacity: Option<u64>,
    failures: BTreeMap<(Operation, u64), Failure>,
    calls: BTreeMap<Operation, u64>,
    locks: BTreeSet<PathBuf>,
}

#[derive(Clone, Default)]
struct File {
    bytes: Vec<u8>,
    durable: Vec<u8>,
    /// What syncs leave out.
    forgotten: Range<usize>,
}

#[derive(Clone)]
enum Change {
    Linked(PathBuf, u64),
    Renamed(PathBuf, PathBuf, u64),
    Removed(PathBuf),
}

impl Change {
    fn directory(&self) -> &Path {
        match self {
            Self::Linked(path, _) | Self::Renamed(path, ..) | Self::Removed(path) => directory_of(path),
        }
    }

    fn apply(self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Linked(path, file) => {
                names.insert(path, file);
            }
            Self::Renamed(from, to, file) => {
                names.remove(&from);
                names.insert(to, file);
            }
            Self::Removed(path) => {
                names.remove(&path);
            }
        }
    }
}

impl SimDisk {
    /// An empty disk.
    pub fn new(seed: u64) -> Self {
        let state = State { random: fastrand::Rng::with_seed(seed), ..State::default() };
        Self { state: Arc::new(Mutex::new(state)), boot: 0 }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn running(&self, operation: Option<Operation>) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        if state.boot != self.boot {
            return Err(io::Error::other("the machine has crashed"));
        }
        if let Some(failure) = operation.and_then(|operation| state.due(operation)) {
            drop(state);
            return Err(failure.error());
        }
        Ok(state)
    }

    /// Makes the `nth` call from now of an operation fail; 1 is the next.
    pub fn fail(&self, operation: Operation, nth: u64, failure: Failure) {
        let mut state = self.state();
        let call = state.calls.get(&operation).copied().unwrap_or(0) + nth;
        state.failures.insert((operation, call), failure);
    }

    /// Forgets the failures that did not happen yet.
    pub fn heal(&self) {
        self.state().failures.clear();
    }

    /// How often an operation was called.
    pub fn calls(&self, operation: Operation) -> u64 {
        self.state().calls.get(&operation).copied().unwrap_or(0)
    }

    /// Lets nobody use the disk meanwhile.
    pub fn held<T>(&self, meanwhile: impl FnOnce() -> T) -> T {
        let _state = self.state();
        meanwhile()
    }

    /// Limits what all files together may hold, `None` for no limit.
    pub fn set_capacity(&self, bytes: Option<u64>) {
        self.state().capacity = bytes;
    }

    /// What all files together hold.
    pub fn used_bytes(&self) -> u64 {
        self.state().used_bytes()
    }

    /// The process is killed: its handles and locks end, and the kernel keeps what was written.
    #[must_use]
    pub fn kill(&self) -> Self {
        let mut state = self.state();
        state.boot += 1;
        state.locks.clear();
        Self { state: self.state.clone(), boot: state.boot }
    }

    /// The power goes out: what was not synced survives only by luck. Answers the disk as the next boot finds it.
    #[must_use]
    pub fn crash(&self) -> Self {
        let mut state = self.state();
        state.boot += 1;
        state.locks.clear();
        state.failures.clear();
        let mut names = std::mem::take(&mut state.durable_names);
        for change in std::mem::take(&mut state.changes) {
            if state.random.bool() {
                change.apply(&mut names);
            }
        }
        let mut files = std::mem::take(&mut state.files);
        for file in files.values_mut() {
            file.bytes = file.after_crash(&mut state.random);
            file.durable.clone_from(&file.bytes);
            file.forgotten = 0..0;
        }
        state.names.clone_from(&names);
        state.durable_names = names;
        state.files = files;
        Self { state: self.state.clone(), boot: state.boot }
    }

    /// Changes a file behind everybody's back.
    ///
    /// # Panics
    /// If it is not there.
    pub fn damage(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let id = *state.names.get(path).unwrap();
        let file = state.files.get_mut(&id).unwrap();
        change(&mut file.bytes);
        file.durable.clone_from(&file.bytes);
    }

    /// Puts a file there behind everybody's back.
    pub fn plant(&self, path: &Path, bytes: &[u8]) {
        let mut state = self.state();
        let id = state.link(path);
        state.durable_names.insert(path.to_owned(), id);
        state.changes.clear();
        let (bytes, durable) = (bytes.to_vec(), bytes.to_vec());
        let file = File { bytes, durable, ..File::default() };
        state.files.insert(id, file);
    }

    /// The contents of a file, if it is there.
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        let id = state.names.get(path)?;
        Some(state.files.get(id)?.bytes.clone())
    }
}

impl State {
    fn due(&mut self, operation: Operation) -> Option<Failure> {
        let call = self.calls.entry(operation).or_default();
        *call += 1;
        self.failures.remove(&(operation, *call))
    }

    fn used_bytes(&self) -> u64 {
        let ids: BTreeSet<u64> = self.names.values().copied().collect();
        let bytes = ids.iter().filter_map(|id| self.files.get(id));
        bytes.map(|file| file.bytes.len() as u64).sum()
    }

    fn room(&self) -> usize {
        let room = self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used_bytes()));
        usize::try_from(room).unwrap_or(usize::MAX)
    }

    fn link(&mut self, path: &Path) -> u64 {
        self.files_created += 1;
        let id = self.files_created;
        self.files.insert(id, File::default());
        self.names.insert(path.to_owned(), id);
        self.changes.push(Change::Linked(path.to_owned(), id));
        id
    }

    fn file(&mut self, id: u64) -> io::Result<&mut File> {
        self.files.get_mut(&id).ok_or(io::ErrorKind::NotFound.into())
    }
}

impl File {
    /// Some prefix of what was appended since the last sync, its end perhaps garbage or zeros; a cut that was not
    /// synced may not have happened.
    fn after_crash(&self, random: &mut fastrand::Rng) -> Vec<u8> {
        if !self.forgotten.is_empty() {
            return self.durable.clone();
        }
        let Some(unsynced) = self.bytes.strip_prefix(self.durable.as_slice()) else {
            return if random.bool() { &self.bytes } else { &self.durable }.clone();
        };
        let mut survivor = unsynced[..random.usize(..=unsynced.len())].to_vec();
        let torn_at = random.usize(..=survivor.len());
        match random.u8(..4) {
            0 => survivor[torn_at..].fill(0),
            1 => random.fill(&mut survivor[torn_at..]),
            _ => {}
        }
        [self.durable.as_slice(), &survivor].concat()
    }
}

impl Failure {
    fn error(self) -> io::Error {
        // Linux numbers, so that the kinds come from the same table as in production.
        const EIO: i32 = 5;
        const ENOSPC: i32 = 28;
        const EDQUOT: i32 = 122;
        io::Error::from_raw_os_error(match self {
            Self::Io | Self::Forgotten => EIO,
            Self::NoSpace | Self::Short(_) => ENOSPC,
            Self::Quota => EDQUOT,
            Self::Panic => panic!("simulated bug"),
        })
    }
}

impl Disk for SimDisk {
    fn create_dir_all(&self, path: &Path, _private: bool) -> io::Result<()> {
        let mut state = self.running(None)?;
        for ancestor in path.ancestors() {
            state.directories.insert(ancestor.to_owned());
        }
        Ok(())
    }

    fn create(&self, path: &Path, _private: bool) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.running(Some(Operation::Create))?;
        if state.names.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        if !state.directories.contains(directory_of(path)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        if state.room() == 0 {
            return Err(Failure::NoSpace.error());
        }
        let file = state.link(path);
        Ok(Box::new(SimFile { disk: self.clone(), file }))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let state = self.running(None)?;
        let file = *state.names.get(path).ok_or(io::ErrorKind::NotFound)?;
        Ok(Box::new(SimFile { disk: self.clone(), file }))
    }

    fn open_writable(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open(path)
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<String>> {
        let state = self.running(None)?;
        if !state.directories.contains(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let entries = state.names.keys().chain(&state.directories);
        let inside = entries.filter(|entry| entry.parent() == Some(path));
        Ok(inside.filter_map(|entry| Some(entry.file_name()?.to_str()?.to_owned())).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.running(Some(Operation::Rename))?;
        let id = state.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        state.names.insert(to.to_owned(), id);
        state.changes.push(Change::Renamed(from.to_owned(), to.to_owned(), id));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.running(Some(Operation::Remove))?;
        state.names.remove(path).ok_or(io::ErrorKind::NotFound)?;
        state.changes.push(Change::Removed(path.to_owned()));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.running(Some(Operation::SyncDir))?;
        let changes = std::mem::take(&mut state.changes);
        for change in changes {
            if change.directory() == path {
                change.apply(&mut state.durable_names);
            } else {
                state.changes.push(change);
            }
        }
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let mut state = self.running(None)?;
        if !state.locks.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(SimLock { disk: self.clone(), path: path.to_owned() }))
    }

    /// There are no names for lock files here: as if it were missing, unless somebody holds it.
    fn lock_shared(&self, path: &Path) -> io::Result<Option<Box<dyn DiskLock>>> {
        if self.running(None)?.locks.contains(path) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(None)
    }

    fn free_bytes(&self, _path: &Path) -> io::Result<u64> {
        Ok(self.running(None)?.room() as u64)
    }
}

struct SimFile {
    disk: SimDisk,
    file: u64,
}

impl DiskFile for SimFile {
    fn append(&self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.running(None)?;
        let room = state.room();
        let failure = state.due(Operation::Append);
        let (written, failure) = match failure {
            Some(Failure::Short(length)) => (length.min(bytes.len()), failure),
            Some(_) => (0, failure),
            None if room < bytes.len() => (room, Some(Failure::NoSpace)),
            None => (bytes.len(), None),
        };
        state.file(self.file)?.bytes.extend_from_slice(&bytes[..written]);
        drop(state);
        failure.map_or(Ok(()), |failure| Err(failure.error()))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let mut state = self.disk.running(Some(Operation::Read))?;
        let bytes = &state.file(self.file)?.bytes;
        let rest = bytes.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.disk.running(None)?;
        let failure = state.due(Operation::Sync);
        let file = state.file(self.file)?;
        if let Some(failure) = failure {
            if matches!(failure, Failure::Forgotten) {
                file.forgotten = file.durable.len()..file.bytes.len();
            }
            drop(state);
            return Err(failure.error());
        }
        file.durable.clone_from(&file.bytes);
        let end = file.forgotten.end.min(file.durable.len());
        if let Some(forgotten) = file.durable.get_mut(file.forgotten.start..end) {
            forgotten.fill(0);
        }
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let mut state = self.disk.running(Some(Operation::Cut))?;
        let length = usize::try_from(length).unwrap();
        let file = state.file(self.file)?;
        file.bytes.resize(length, 0);
        file.forgotten.end = file.forgotten.end.min(length);
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.disk.running(None)?.file(self.file)?.bytes.len() as u64)
    }
}

struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

impl DiskLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        let mut state = self.disk.state();
        if state.boot == self.disk.boot {
            state.locks.remove(&self.path);
        }
    }
}
