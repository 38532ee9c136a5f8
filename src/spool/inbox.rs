//! The queue between those who append and the writer: bounded by bytes, one message per delivery, one wake-up per batch.

use std::{
    collections::VecDeque,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, mpsc},
    time::Duration,
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use uuid::Uuid;

use super::{AppendError, Chunk, Receipt, RenewError, Settings, locked};

/// A batch is closed once it has so many records or bytes; a chunk is never divided.
const BATCH_RECORDS: usize = 4096;
const BATCH_BYTES: u64 = 4 << 20;

/// Where the outcome of an append is awaited.
pub(super) type Reply = oneshot::Receiver<Result<Receipt, AppendError>>;

/// A chunk on its way to the disk. Nobody can take it back: who no longer waits for the reply just does not hear it.
pub(super) struct Append {
    pub(super) chunk: Chunk,
    pub(super) reply: oneshot::Sender<Result<Receipt, AppendError>>,
    _room: OwnedSemaphorePermit,
}

/// What the writer is to do next.
pub(super) enum Task {
    /// Make the batch durable.
    Commit,
    /// Take a new id.
    Renew(mpsc::Sender<Result<Uuid, RenewError>>),
    /// Delete a file that all lanes have passed.
    Retain,
    /// Everything is done and nothing more will come.
    Finish,
}

/// The queue.
pub(super) struct Inbox {
    queue: Mutex<Queue>,
    arrived: Condvar,
    /// Bytes that may wait. A semaphore, because it can be awaited, and serves in the order of arrival.
    room: Arc<Semaphore>,
    room_bytes: u32,
    wait: Duration,
    bytes_max: u64,
}

#[derive(Default)]
struct Queue {
    appends: VecDeque<Append>,
    renewals: Vec<mpsc::Sender<Result<Uuid, RenewError>>>,
    retention_is_due: bool,
    retained_last: bool,
    /// Bytes of the chunks that wait or are being written.
    queued_bytes: u64,
    /// Bytes that the spool's files occupy.
    disk_bytes: u64,
    /// Why nothing more is taken in.
    refusal: Option<AppendError>,
    writer_sleeps: bool,
    /// Whether the last chunk that came was refused for want of quota, and nothing was freed since.
    lacks_quota: bool,
}

impl Inbox {
    pub(super) fn new(settings: &Settings, disk_bytes: u64) -> Self {
        let room_bytes = u32::try_from(settings.queue_bytes).unwrap_or(u32::MAX).max(1);
        Self {
            queue: Mutex::new(Queue { disk_bytes, ..Queue::default() }),
            arrived: Condvar::new(),
            room: Arc::new(Semaphore::new(room_bytes as usize)),
            room_bytes,
            wait: settings.queue_wait,
            bytes_max: settings.max_bytes,
        }
    }

    /// Queues a chunk, once there is room for it.
    ///
    /// # Cancel safety
    /// Dropped before it returns, nothing was queued.
    pub(super) async fn push(&self, chunk: Chunk) -> Result<Reply, AppendError> {
        let bytes = chunk.disk_bytes();
        let room = self.room_for(bytes).await?;
        let (sender, reply) = oneshot::channel();
        let mut queue = locked(&self.queue);
        queue.admit(bytes, self.bytes_max)?;
        queue.queued_bytes += bytes;
        queue.appends.push_back(Append { chunk, reply: sender, _room: room });
        self.wake(queue);
        Ok(reply)
    }

    async fn room_for(&self, bytes: u64) -> Result<OwnedSemaphorePermit, AppendError> {
        // What can only be refused does not wait for room.
        locked(&self.queue).admit(bytes, self.bytes_max)?;
        // A chunk larger than the whole queue gets in alone.
        let share = u32::try_from(bytes).unwrap_or(u32::MAX).min(self.room_bytes);
        if let Ok(room) = self.room.clone().try_acquire_many_owned(share) {
            return Ok(room);
        }
        let room = self.room.clone().acquire_many_owned(share);
        match tokio::time::timeout(self.wait, room).await {
            Ok(Ok(room)) => Ok(room),
            Ok(Err(_closed)) => Err(locked(&self.queue).refusal.unwrap_or(AppendError::Closed)),
            Err(_elapsed) => Err(AppendError::Busy),
        }
    }

    /// Asks the writer for a new id.
    pub(super) fn renew(&self) -> Result<mpsc::Receiver<Result<Uuid, RenewError>>, RenewError> {
        let mut queue = locked(&self.queue);
        match queue.refusal {
            None => {}
            Some(AppendError::Closed) => return Err(RenewError::Closed),
            Some(_) => return Err(RenewError::Poisoned),
        }
        let (sender, reply) = mpsc::channel();
        queue.renewals.push(sender);
        self.wake(queue);
        Ok(reply)
    }

    /// Tells the writer that a file can be deleted.
    pub(super) fn retain(&self) {
        let mut queue = locked(&self.queue);
        queue.retention_is_due = true;
        self.wake(queue);
    }

    /// Takes nothing more in; the writer finishes what is queued.
    pub(super) fn close(&self) {
        let mut queue = locked(&self.queue);
        queue.refusal.get_or_insert(AppendError::Closed);
        self.room.close();
        self.wake(queue);
    }

    /// Takes nothing more in and gives up what is queued.
    pub(super) fn poison(&self) {
        let mut queue = locked(&self.queue);
        queue.refusal = Some(AppendError::Poisoned);
        queue.renewals.clear();
        let appends = std::mem::take(&mut queue.appends);
        self.room.close();
        drop(queue);
        for append in appends {
            // Nobody may be waiting any more.
            let _ = append.reply.send(Err(AppendError::Poisoned));
        }
    }

    /// The writer's next task; waits for one. Fills `batch` where it is a commit.
    pub(super) fn take(&self, batch: &mut Vec<Append>) -> Task {
        let mut queue = locked(&self.queue);
        loop {
            if let Some(reply) = queue.renewals.pop() {
                return Task::Renew(reply);
            }
            // Deleting many files must not keep appends waiting, nor the other way round: they take turns.
            let has_appends = !queue.appends.is_empty();
            if queue.retention_is_due && !(has_appends && queue.retained_last) {
                queue.retention_is_due = false;
                queue.retained_last = true;
                return Task::Retain;
            }
            if has_appends {
                queue.retained_last = false;
                queue.fill(batch);
                return Task::Commit;
            }
            if queue.refusal.is_some() {
                return Task::Finish;
            }
            queue.writer_sleeps = true;
            queue = self.arrived.wait(queue).unwrap_or_else(PoisonError::into_inner);
            queue.writer_sleeps = false;
        }
    }

    /// So many queued bytes are dealt with, and the files occupy `disk_bytes` now. One step, so that no append is
    /// refused because its bytes were counted twice.
    pub(super) fn settle(&self, queued_bytes: u64, disk_bytes: u64) {
        let mut queue = locked(&self.queue);
        queue.queued_bytes = queue.queued_bytes.saturating_sub(queued_bytes);
        queue.lacks_quota &= disk_bytes >= queue.disk_bytes;
        queue.disk_bytes = disk_bytes;
    }

    /// Whether the last chunk was refused for want of quota.
    pub(super) fn lacks_quota(&self) -> bool {
        locked(&self.queue).lacks_quota
    }

    /// Bytes on disk, and bytes queued.
    pub(super) fn bytes(&self) -> (u64, u64) {
        let queue = locked(&self.queue);
        (queue.disk_bytes, queue.queued_bytes)
    }

    fn wake(&self, mut queue: MutexGuard<'_, Queue>) {
        let sleeps = std::mem::take(&mut queue.writer_sleeps);
        drop(queue);
        if sleeps {
            self.arrived.notify_one();
        }
    }
}

impl Queue {
    fn admit(&mut self, bytes: u64, bytes_max: u64) -> Result<(), AppendError> {
        if let Some(refusal) = self.refusal {
            return Err(refusal);
        }
        let occupied = self.disk_bytes.saturating_add(self.queued_bytes);
        self.lacks_quota = bytes > 0 && occupied.saturating_add(bytes) > bytes_max;
        if self.lacks_quota { Err(AppendError::Full) } else { Ok(()) }
    }

    fn fill(&mut self, batch: &mut Vec<Append>) {
        let (mut records, mut bytes) = (0, 0);
        while records < BATCH_RECORDS && bytes < BATCH_BYTES {
            let Some(append) = self.appends.pop_front() else {
                break;
            };
            records += append.chunk.len();
            bytes += append.chunk.disk_bytes();
            batch.push(append);
        }
    }
}
