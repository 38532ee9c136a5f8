//! The thread that commits batches, and between them rolls files, deletes them, and renews the id.

use std::{io, sync::Arc, time::Instant};

use uuid::Uuid;

use super::{
    AppendError, Phase, Receipt, RenewError,
    active_file::{ActiveFile, WriteFailure},
    commit_metrics::{CommitMetrics, CommitObservation},
    directory::SpoolDirectory,
    identity::Identity,
    inbox::{Append, Task},
    locked,
    shared::Shared,
};
use crate::telemetry::metric::Metric;

/// A chunk below this is copied next to others, to be written with them; to copy a larger one costs more than a write.
/// Smaller in tests, so that what they append is of both kinds.
const GATHERED_BYTES_MAX: usize = if cfg!(test) { 512 } else { 32 << 10 };

/// A buffer that one large batch needed is not kept for ever.
const BUFFER_BYTES_KEPT: usize = 1 << 20;

/// The writer's own state; nobody else sees it.
pub(super) struct Writer {
    shared: Arc<Shared>,
    directory: SpoolDirectory,
    active: Option<ActiveFile>,
    /// The sequence of the next record.
    next: u64,
    /// Small chunks, gathered to be written together; reused.
    buffer: Vec<u8>,
    metrics: CommitMetrics,
}

/// An error after which nothing more may be written.
struct Fatal(io::Error);

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, identity: Identity, next: u64) -> Self {
        let directory = SpoolDirectory::new(shared.disk.clone(), shared.settings.directory.clone(), identity);
        Metric::SpoolPoisoned.gauge(&[]).set(0.0);
        Self { shared, directory, active: None, next, buffer: Vec::new(), metrics: CommitMetrics::new() }
    }

    /// Works until the spool is closed or poisoned.
    pub(super) fn run(mut self) {
        let watch = PanicWatch(self.shared.clone());
        if let Err(Fatal(error)) = self.work() {
            tracing::error!(%error, "spool is poisoned: a write failed and cannot be repeated");
            watch.0.poison();
            // What the failed write left behind looks whole as long as the kernel remembers it, and may never have
            // reached the disk. If this note can still be written, the next start does not take it for a record.
            if self.directory.note_end(self.next).is_err() {
                tracing::warn!("the end of the spool could not be noted");
            }
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
            self.shared.end.send_replace(end);
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

    /// Writes the batch, its small chunks together, with one fsync. The sequence moves on only if all of it succeeds.
    fn write(&mut self, batch: &mut [Append]) -> Result<(), WriteFailure> {
        if batch.iter().all(|append| append.chunk.is_empty()) {
            return Ok(());
        }
        if self.active.is_none() {
            let active = self.directory.begin_file(self.next)?;
            locked(&self.shared.index).open(active.header().first, active.readable());
            self.active = Some(active);
        }
        let Some(active) = &mut self.active else {
            return Ok(());
        };
        let salt = active.header().salt;
        let mut next = self.next;
        self.buffer.clear();
        self.buffer.shrink_to(BUFFER_BYTES_KEPT);
        for append in batch {
            next = append.chunk.seal(salt, next);
            let frames = append.chunk.frames();
            if frames.len() < GATHERED_BYTES_MAX {
                self.buffer.extend_from_slice(frames);
                continue;
            }
            active.write(&self.buffer)?;
            self.buffer.clear();
            active.write(frames)?;
        }
        active.write(&self.buffer)?;
        active.sync()?;
        self.next = next;
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
        let deleted = self.directory.delete(first, self.next);
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

    /// Takes a new id; sequences go on.
    fn renew(&mut self) -> Result<Result<Uuid, RenewError>, Fatal> {
        match self.directory.renew_id() {
            Ok(id) => {
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
        match self.directory.note_end(self.next) {
            Ok(()) => {}
            Err(WriteFailure::Fatal(error)) => return Err(Fatal(error)),
            Err(WriteFailure::NoSpace(error) | WriteFailure::NoHandle(error)) => {
                tracing::warn!(%error, "spool closed without a note of its end");
            }
        }
        self.shared.phase.send_replace(Phase::Closed);
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

/// Poisons the spool if the writer panics: those who wait must not wait for ever.
struct PanicWatch(Arc<Shared>);

impl Drop for PanicWatch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.poison();
        }
    }
}
