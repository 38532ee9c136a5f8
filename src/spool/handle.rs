//! The handle by which everybody else uses the spool.

use std::{
    io,
    sync::{Arc, Mutex},
    thread::JoinHandle,
};

use tokio::sync::watch;
use uuid::Uuid;

use super::{
    AppendError, Chunk, OpenError, Phase, Reader, Receipt, Recovery, Settings, Status,
    damage::DamageRegister,
    inbox::{Inbox, Reply},
    lanes::Lanes,
    locked, recovery,
    shared::Shared,
    status,
    writer::Writer,
};
use crate::disk::Disk;

/// An open spool; clones are handles to the same one. When the last is dropped without [`Spool::close`], the spool is
/// closed all the same, and the drop waits for the writer.
#[derive(Clone)]
pub struct Spool {
    running: Arc<Running>,
}

struct Running {
    shared: Arc<Shared>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

/// A chunk that the writer has: it will be written, whether or not anybody waits for it.
#[must_use = "whether the chunk is durable is not known yet"]
pub struct Queued(Reply);

impl Queued {
    /// Waits for the fsync.
    ///
    /// # Cancel safety
    /// It can be waited for again, as long as it has not answered.
    pub async fn receipt(&mut self) -> Result<Receipt, AppendError> {
        // The writer died before it could answer.
        (&mut self.0).await.unwrap_or(Err(AppendError::Poisoned))
    }
}

/// Why the spool has no new id.
#[derive(Debug, thiserror::Error)]
pub enum RenewError {
    /// It could not be written down; it may work another time.
    #[error("the spool's new id cannot be written")]
    Io(#[source] io::Error),
    /// A write or fsync failed before or now.
    #[error("the spool is poisoned by a failed write")]
    Poisoned,
    /// The spool is closed.
    #[error("the spool is closed")]
    Closed,
}

/// The spool could not be closed well: a write or fsync had failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the spool is poisoned by a failed write")]
pub struct CloseError;

impl Spool {
    /// Opens the spool, recovers it from whatever the last run left behind, and starts the writer. Blocks.
    pub fn open(disk: Arc<dyn Disk>, settings: Settings) -> Result<(Self, Recovery), OpenError> {
        let directory = settings.directory.clone();
        let fail = |source| OpenError::Io { path: directory.clone(), source };
        disk.create_dir_all(&directory, true).map_err(fail)?;
        let lock_path = directory.join("LOCK");
        let lock = disk.lock(&lock_path).map_err(|source| {
            if source.kind() == io::ErrorKind::WouldBlock {
                OpenError::Locked { path: lock_path.clone() }
            } else {
                OpenError::Io { path: lock_path.clone(), source }
            }
        })?;
        let damage = DamageRegister::new(disk.clone(), directory.clone());
        let recovered = recovery::recover(disk.as_ref(), &directory, &damage)?;
        let (identity, end) = (recovered.identity, recovered.report.end);
        let shared = Arc::new(Shared {
            id: Mutex::new(identity.id),
            inbox: Inbox::new(&settings, recovered.index.bytes()),
            index: Mutex::new(recovered.index),
            lanes: Lanes::default(),
            damage,
            end: watch::Sender::new(end),
            phase: watch::Sender::new(Phase::Open),
            times: Mutex::default(),
            disk,
            settings,
            _lock: lock,
        });
        let writer = Writer::new(shared.clone(), identity, end);
        let writer = std::thread::Builder::new()
            .name("spool-writer".into())
            .spawn(move || writer.run())
            .map_err(fail)?;
        let running = Running { shared, writer: Mutex::new(Some(writer)) };
        Ok((Self { running: Arc::new(running) }, recovered.report))
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.running.shared
    }

    /// The id under which sequences are given out now.
    pub fn id(&self) -> Uuid {
        *locked(&self.shared().id)
    }

    /// Makes a chunk durable; answers after the fsync.
    ///
    /// # Cancel safety
    /// Dropping the future never un-writes: once the chunk is queued it will be written, whether or not anybody
    /// waits for the answer.
    pub async fn append(&self, chunk: Chunk) -> Result<Receipt, AppendError> {
        self.queue(chunk).await?.receipt().await
    }

    /// The first half of [`Self::append`]: hands a chunk over to the writer.
    ///
    /// # Cancel safety
    /// Dropped before it returns, nothing of the chunk was or will be written.
    pub async fn queue(&self, chunk: Chunk) -> Result<Queued, AppendError> {
        self.shared().inbox.push(chunk).await.map(Queued)
    }

    /// The first sequence that may be there.
    pub fn oldest(&self) -> u64 {
        locked(&self.shared().index).oldest()
    }

    /// The sequence after the last durable record.
    pub fn end(&self) -> u64 {
        self.shared().end()
    }

    /// Waits until there is something to read from `from` on, or until nothing more will come.
    pub async fn readable(&self, from: u64) {
        let mut end = self.shared().end.subscribe();
        tokio::select! {
            _ = end.wait_for(|end| *end > from) => {}
            _ = self.reached(|phase| phase != Phase::Open) => {}
        }
    }

    /// A reader that begins at `from`.
    pub fn reader(&self, from: u64) -> Reader {
        Reader::new(self.running.shared.clone(), from)
    }

    /// Keeps all records for this lane until it releases them.
    pub fn register_lane(&self, lane: &str) {
        self.shared().lanes.register(lane);
    }

    /// The lane's durable cursor stands at `cursor`: of what is before it the lane needs nothing more. A file goes
    /// when all registered lanes have passed it.
    pub fn release(&self, lane: &str, cursor: u64) {
        self.shared().lanes.release(lane, cursor);
        self.shared().retain();
    }

    /// Takes a new id, durable when this returns; sequences go on. To be called when a lane's cursor lies beyond
    /// [`Self::end`]: what the cursor speaks of was lost, and its sequences are about to be given out again. All lanes
    /// start over under the new id, and what they had released is kept until they release it again. Blocks shortly.
    pub fn renew_id(&self) -> Result<Uuid, RenewError> {
        let reply = self.shared().inbox.renew()?;
        reply.recv().unwrap_or(Err(RenewError::Poisoned))
    }

    /// How much of the quota is used, as in [`Status::usage`]; cheap enough for every append.
    pub fn usage(&self) -> f64 {
        let (bytes, queued_bytes) = self.shared().inbox.bytes();
        status::ratio(bytes + queued_bytes, self.shared().settings.max_bytes)
    }

    /// How the spool is doing; cheap enough for every probe.
    pub fn status(&self) -> Status {
        Status::of(self.shared())
    }

    /// Waits until a write or fsync has failed: the process is to end then, and to recover at its next start.
    pub async fn poisoned(&self) {
        self.reached(|phase| phase == Phase::Poisoned).await;
    }

    /// Waits until the spool's life has come so far.
    async fn reached(&self, is_there: impl Fn(Phase) -> bool) -> Phase {
        let mut phase = self.shared().phase.subscribe();
        let reached = phase.wait_for(|phase| is_there(*phase)).await;
        // The sender lives as long as this handle.
        reached.map_or(Phase::Poisoned, |phase| *phase)
    }

    /// Takes nothing more in, makes durable what is queued, and ends the writer. Readers may go on.
    pub async fn close(&self) -> Result<(), CloseError> {
        self.shared().inbox.close();
        let phase = self.reached(|phase| phase != Phase::Open).await;
        self.running.join();
        if phase == Phase::Closed { Ok(()) } else { Err(CloseError) }
    }
}

impl Running {
    fn join(&self) {
        let writer = locked(&self.writer).take();
        // A panic of the writer has been told as poison.
        let _ = writer.map(JoinHandle::join);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.shared.inbox.close();
        self.join();
    }
}
