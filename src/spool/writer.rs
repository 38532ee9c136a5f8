//! The thread that alone changes the spool's directory: it commits, rolls files, deletes them, and renews the id.

use std::{io, sync::Arc, time::Instant};

use metrics::{Counter, Histogram};
use uuid::Uuid;

use super::{
    AppendError, Phase, Receipt, RenewError,
    active_file::{ActiveFile, WriteFailure, sync_directory},
    file_header::{FileHeader, file_name},
    identity::Identity,
    inbox::{Append, Task},
    index::SpoolFile,
    locked,
    shared::Shared,
};
use crate::telemetry::metric::Metric;

/// A buffer that one large batch needed is not kept for ever.
const BUFFER_BYTES_KEPT: usize = 8 << 20;

/// The writer's own state; nobody else sees it.
pub(super) struct Writer {
    shared: Arc<Shared>,
    /// As the file `id` says.
    identity: Identity,
    active: Option<ActiveFile>,
    /// The sequence of the next record.
    next: u64,
    /// The batch as it is written; reused.
    buffer: Vec<u8>,
    metrics: CommitMetrics,
}

/// An error after which nothing more may be written.
struct Fatal(io::Error);

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, identity: Identity, next: u64) -> Self {
        Metric::SpoolPoisoned.gauge(&[]).set(0.0);
        Self {
            shared,
            identity,
            active: None,
            next,
            buffer: Vec::new(),
            metrics: CommitMetrics::new(),
        }
    }

    /// Works until the spool is closed or poisoned.
    pub(super) fn run(mut self) {
        let watch = PanicWatch(self.shared.clone());
        if let Err(Fatal(error)) = self.work() {
            tracing::error!(%error, "spool is poisoned: a write failed and cannot be repeated");
            watch.0.poison();
        }
    }

    fn work(&mut self) -> Result<(), Fatal> {
        let mut batch = Vec::new();
        loop {
            match self.shared.inbox.take(&mut batch) {
                Task::Commit => self.commit(&mut batch)?,
                Task::Retain => self.retain()?,
                Task::Renew(reply) => {
                    let renewed = self.renew()?;
                    // Nobody may be waiting any more.
                    let _ = reply.send(renewed);
                }
                Task::Finish => return self.finish(),
            }
        }
    }

    /// Makes a batch durable, shows it to the readers, and answers.
    fn commit(&mut self, batch: &mut Vec<Append>) -> Result<(), Fatal> {
        let started = Instant::now();
        let first = self.next;
        let queued_bytes = batch.iter().map(|append| append.chunk.disk_bytes()).sum();
        let written = self.write(batch);
        if written.is_ok() {
            let end = self.next;
            if let Some(active) = &self.active {
                locked(&self.shared.index).grow(active.bytes(), end);
            }
            let mut times = locked(&self.shared.times);
            times.committed = Some(Instant::now());
            times.lacked_space = None;
            drop(times);
            self.shared.progress.send_modify(|progress| progress.end = end);
        }
        let disk_bytes = locked(&self.shared.index).bytes();
        self.shared.inbox.settle(queued_bytes, disk_bytes);
        match written {
            Ok(()) => {
                answer(batch, first);
                self.metrics.observe(&CommitObservation {
                    records: self.next - first,
                    seconds: started.elapsed().as_secs_f64(),
                });
                self.roll();
                Ok(())
            }
            Err(failure) => {
                let (error, fatal) = self.refusal(failure);
                if fatal.is_some() {
                    // Before anybody hears of it, so that who hears of it finds it true.
                    self.shared.poison();
                }
                for append in batch.drain(..) {
                    let _ = append.reply.send(Err(error));
                }
                fatal.map_or(Ok(()), Err)
            }
        }
    }

    /// Writes the batch with one write and one fsync. The sequence moves on only if both succeed.
    fn write(&mut self, batch: &mut [Append]) -> Result<(), WriteFailure> {
        if batch.iter().all(|append| append.chunk.is_empty()) {
            return Ok(());
        }
        if self.active.is_none() {
            self.active = Some(self.begin_file()?);
        }
        let Some(active) = &mut self.active else {
            return Ok(());
        };
        let salt = active.header().salt;
        let mut next = self.next;
        match batch {
            // A delivery that is alone needs no copy.
            [append] => {
                next = append.chunk.seal(salt, next);
                active.append(append.chunk.frames())?;
            }
            batch => {
                self.buffer.clear();
                self.buffer.shrink_to(BUFFER_BYTES_KEPT);
                for append in batch {
                    next = append.chunk.seal(salt, next);
                    self.buffer.extend_from_slice(append.chunk.frames());
                }
                active.append(&self.buffer)?;
            }
        }
        self.next = next;
        Ok(())
    }

    /// A new file for what comes next. First the file, then the note that it exists: if the note said more than is
    /// there, the file would be taken for lost.
    fn begin_file(&mut self) -> Result<ActiveFile, WriteFailure> {
        let header = FileHeader {
            spool_id: self.identity.id,
            first: self.next,
            salt: random_salt(),
        };
        let shared = &self.shared;
        let file = ActiveFile::create(shared.disk.as_ref(), &shared.settings.directory, header)?;
        self.note(Identity { newest: self.next, end: None, ..self.identity })?;
        let entry = SpoolFile { salt: header.salt, bytes: file.bytes() };
        locked(&self.shared.index).open(header.first, entry);
        Ok(file)
    }

    /// Writes the file `id`.
    fn note(&mut self, identity: Identity) -> Result<(), WriteFailure> {
        let (disk, directory) = (self.shared.disk.as_ref(), &self.shared.settings.directory);
        identity.replace(disk, directory)?;
        sync_directory(disk, directory)?;
        self.identity = identity;
        Ok(())
    }

    /// Closes the file once it is large enough; the next commit begins another.
    fn roll(&mut self) {
        let bytes_max = self.shared.settings.roll_bytes();
        if self.active.as_ref().is_some_and(|file| file.bytes() >= bytes_max) {
            self.active = None;
            locked(&self.shared.index).seal();
            self.shared.retain();
        }
    }

    /// Deletes the oldest file, if all lanes have passed it. One at a time and durably before the next, so that a
    /// crash never leaves a hole between files; records that come back by a crash are below all cursors.
    fn retain(&mut self) -> Result<(), Fatal> {
        let floor = self.shared.lanes.floor();
        let Some(first) = floor.and_then(|floor| locked(&self.shared.index).deletable(floor)) else {
            return Ok(());
        };
        let Some(file) = locked(&self.shared.index).remove(first) else {
            return Ok(());
        };
        let deleted = self.delete(first);
        if deleted.is_err() {
            locked(&self.shared.index).put_back(first, file);
        }
        let disk_bytes = locked(&self.shared.index).bytes();
        self.shared.inbox.settle(0, disk_bytes);
        match deleted {
            Ok(()) => {
                self.shared.retain();
                Ok(())
            }
            Err(WriteFailure::Fatal(error)) => Err(Fatal(error)),
            Err(WriteFailure::NoSpace(error) | WriteFailure::NoHandle(error)) => {
                // The next release of a lane tries again.
                tracing::warn!(%error, first_sequence = first, "a spool file could not be deleted yet");
                Ok(())
            }
        }
    }

    fn delete(&mut self, first: u64) -> Result<(), WriteFailure> {
        if first == self.identity.newest {
            // Otherwise recovery would miss its newest file.
            let end = self.next;
            self.note(Identity { newest: end, end: Some(end), ..self.identity })?;
        }
        let shared = &self.shared;
        let path = shared.settings.directory.join(file_name(first));
        match shared.disk.remove(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
        sync_directory(shared.disk.as_ref(), &shared.settings.directory)
    }

    /// Takes a new id; sequences go on.
    fn renew(&mut self) -> Result<Result<Uuid, RenewError>, Fatal> {
        let id = Identity::renewed(self.next).id;
        match self.note(Identity { id, ..self.identity }) {
            Ok(()) => {
                *locked(&self.shared.id) = id;
                self.shared.lanes.forget();
                tracing::warn!(spool_id = %id, "spool took a new id: lanes start over at its oldest record");
                Ok(Ok(id))
            }
            Err(WriteFailure::Fatal(error)) => Err(Fatal(error)),
            Err(WriteFailure::NoSpace(error) | WriteFailure::NoHandle(error)) => {
                Ok(Err(RenewError::Io(error)))
            }
        }
    }

    /// Leaves word of where the records end, so that a record missing at the next start is known to be lost.
    fn finish(&mut self) -> Result<(), Fatal> {
        self.active = None;
        locked(&self.shared.index).seal();
        if self.identity.end.is_none() {
            let noted = self.note(Identity { end: Some(self.next), ..self.identity });
            match noted {
                Err(WriteFailure::Fatal(error)) => return Err(Fatal(error)),
                Err(WriteFailure::NoSpace(error) | WriteFailure::NoHandle(error)) => {
                    tracing::warn!(%error, "spool closed without a note of its end");
                }
                Ok(()) => {}
            }
        }
        self.shared
            .progress
            .send_modify(|progress| progress.phase = Phase::Closed);
        Ok(())
    }

    /// What those who wait are told, and whether it is the end.
    fn refusal(&self, failure: WriteFailure) -> (AppendError, Option<Fatal>) {
        match failure {
            WriteFailure::NoSpace(error) => {
                let mut times = locked(&self.shared.times);
                if times.lacked_space.replace(Instant::now()).is_none() {
                    tracing::error!(%error, "disk is full: deliveries are refused until there is space");
                }
                (AppendError::NoSpace, None)
            }
            WriteFailure::NoHandle(error) => {
                tracing::error!(%error, "no file handle left for a new spool file");
                (AppendError::Busy, None)
            }
            WriteFailure::Fatal(error) => (AppendError::Poisoned, Some(Fatal(error))),
        }
    }
}

/// Tells everybody who waits that their records are durable. Called after the fsync and nowhere else.
fn answer(batch: &mut Vec<Append>, first: u64) {
    let mut sequence = first;
    for append in batch.drain(..) {
        let records = append.chunk.len();
        // A handler that has left does not hear it; its records stay.
        let _ = append.reply.send(Ok(Receipt::after_fsync(sequence, records)));
        sequence += records as u64;
    }
}

/// Unpredictable, so that no sender can guess it.
fn random_salt() -> u32 {
    // The last 32 bits of a version 7 UUID are random.
    let [.., a, b, c, d] = Uuid::now_v7().into_bytes();
    u32::from_le_bytes([a, b, c, d])
}

/// Poisons the spool if the writer panics: those who wait must not wait for ever.
struct PanicWatch(Arc<Shared>);

impl Drop for PanicWatch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poison();
        }
    }
}

/// What one group commit did.
struct CommitObservation {
    records: u64,
    seconds: f64,
}

struct CommitMetrics {
    commits: Counter,
    duration: Histogram,
    events: Histogram,
}

impl CommitMetrics {
    fn new() -> Self {
        Self {
            commits: Metric::SpoolCommits.counter(&[]),
            duration: Metric::SpoolCommitDuration.histogram(&[]),
            events: Metric::SpoolCommitEvents.histogram(&[]),
        }
    }

    fn observe(&self, commit: &CommitObservation) {
        self.commits.increment(1);
        self.duration.record(commit.seconds);
        #[expect(clippy::cast_precision_loss, reason = "no batch has 2^52 records")]
        self.events.record(commit.records as f64);
    }
}
