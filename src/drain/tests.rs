//! Lanes against the reference sink: every way in which a sink, a spool, a disk or a process can fail them.

mod batching;
mod burying;
mod failures;
mod holding;
mod starting;
mod stopping;

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use prost::Message;
use tokio::{
    runtime::Handle,
    sync::Notify,
    task::{JoinHandle, spawn_blocking},
    time::Instant,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    Settings,
    dead_letters::DeadLetters,
    lane::{Lane, LaneEnd},
    lane_handle::LaneHandle,
    lane_status::{LaneState, LaneStatus, LastError, Trouble},
    letter::LetterId,
    requeue::{RequeueError, requeue},
};
use crate::{
    clock::Clock,
    disk::simulated::{Failure, Operation, SimDisk},
    event::record::{Event, Refusal},
    sinks::{
        Batch, ErrorClass, Sink, SinkError, Written,
        memory::{Cursor, MemorySink, Scripted},
    },
    spool::{self, Chunk, Kind, Spool},
};

/// The time by the clock of every test.
const NOW: i64 = 1_700_000_000_000_000;

/// What outlives a process: the spool, the letters' disk and the sink.
pub(super) struct World {
    pub spool: Spool,
    pub disk: SimDisk,
    pub sink: Arc<MemorySink>,
    pub settings: Settings,
}

/// A lane at work.
pub(super) struct Running {
    pub status: LaneStatus,
    pub handle: LaneHandle,
    pub letters: Arc<DeadLetters>,
    pub finish: CancellationToken,
    pub now: CancellationToken,
    task: JoinHandle<LaneEnd>,
}

impl World {
    pub(super) fn new() -> Self {
        Self::with_file_bytes(spool::Settings::default().file_bytes)
    }

    fn with_file_bytes(file_bytes: u64) -> Self {
        let settings = spool::Settings {
            directory: "/data/spool".into(),
            min_free: 0,
            file_bytes,
            ..spool::Settings::default()
        };
        let (spool, _) = Spool::open(Arc::new(SimDisk::new(1)), settings).unwrap();
        let sink = Arc::new(MemorySink::new("memory"));
        Self { spool, disk: SimDisk::new(2), sink, settings: Settings::default() }
    }

    /// Appends events, each named by its place in the spool.
    pub(super) async fn append_events(&self, count: u64) {
        let from = self.spool.end();
        let mut chunk = Chunk::new();
        for sequence in from..from + count {
            chunk.push(Kind::Event, |out| event(sequence).encode(out).unwrap());
        }
        self.commit(chunk).await;
    }

    async fn append(&self, kind: Kind, bytes: &[u8]) {
        let mut chunk = Chunk::new();
        chunk.push(kind, |out| out.extend_from_slice(bytes));
        self.commit(chunk).await;
    }

    /// Virtual time runs on whenever nothing is to be done, but not while a thread of tokio's blocks: the spool's
    /// own thread must not be overtaken by it.
    async fn commit(&self, chunk: Chunk) {
        let (spool, runtime) = (self.spool.clone(), Handle::current());
        let append = move || runtime.block_on(spool.append(chunk)).unwrap();
        let _receipt = spawn_blocking(append).await.unwrap();
    }

    /// Starts a process: only what is on disk and in the sink is known to it.
    pub(super) fn start(&self) -> Running {
        self.start_with(Arc::clone(&self.sink) as Arc<dyn Sink>)
    }

    pub(super) fn start_with(&self, sink: Arc<dyn Sink>) -> Running {
        let directory = format!("/data/dead/{}", sink.name()).into();
        let quota = self.settings.dead_letters_bytes;
        let letters = Arc::new(DeadLetters::open(Arc::new(self.disk.clone()), directory, quota).unwrap());
        let clock = Clock::manual(NOW);
        let lane = Lane::new(self.spool.clone(), sink, Arc::clone(&letters), self.settings, clock);
        let (finish, now) = (CancellationToken::new(), CancellationToken::new());
        let (status, handle) = (lane.status(), lane.handle());
        let task = tokio::spawn(lane.run(finish.clone(), now.clone()));
        Running { status, handle, letters, finish, now, task }
    }

    /// Starts a lane and lets it drain.
    async fn drain(&self) -> Running {
        let mut lane = self.start();
        assert_eq!(lane.finish().await, LaneEnd::Drained);
        lane
    }

    pub(super) fn stored(&self) -> BTreeSet<u64> {
        self.sink.events().iter().map(|event| event.event_id_low).collect()
    }

    pub(super) fn row(&self) -> Cursor {
        let row = self.sink.cursor_row(self.spool.id()).unwrap();
        assert_eq!(row.accounted(), row.next_sequence - row.first_sequence, "{row:?}");
        row
    }

    fn assert_all_stored(&self) {
        assert_eq!(self.stored(), (0..self.spool.end()).collect());
    }
}

impl Running {
    /// Lets it drain and waits for its end.
    pub(super) async fn finish(&mut self) -> LaneEnd {
        self.finish.cancel();
        (&mut self.task).await.unwrap()
    }

    /// Takes the process away.
    pub(super) async fn kill(mut self) -> LaneEnd {
        self.now.cancel();
        (&mut self.task).await.unwrap()
    }

    async fn until_paused(&self, why: Trouble) {
        self.status
            .wait_for(|lane| matches!(lane.state, LaneState::Paused { trouble, .. } if trouble == why))
            .await;
    }

    async fn until_backing_off(&self, why: Trouble) {
        self.status
            .wait_for(|lane| matches!(lane.state, LaneState::BackingOff { trouble, .. } if trouble == why))
            .await;
    }

    async fn until_cursor(&self, cursor: u64) {
        self.status.wait_for(|lane| lane.cursor == Some(cursor) && lane.state == LaneState::Running).await;
    }

    fn dead(&self) -> BTreeSet<u64> {
        self.letters.list().into_iter().map(|id| id.sequence).collect()
    }
}

pub(super) fn event(sequence: u64) -> Event {
    Event { event_id_low: sequence, source: "web".into(), received_at: NOW - 1_000_000, ..Event::default() }
}

fn poison(sink: &MemorySink, bad: impl IntoIterator<Item = u64>) {
    let bad: BTreeSet<u64> = bad.into_iter().collect();
    sink.poison_when(move |id| bad.contains(&id.as_u64_pair().1));
}

fn cursor_at(next_sequence: u64) -> Cursor {
    Cursor { next_sequence, gaps: next_sequence, ..Cursor::default() }
}

/// A sink during whose `nth` statement the process dies: before it takes effect, or after.
pub(super) struct DyingSink {
    sink: Arc<MemorySink>,
    left: AtomicUsize,
    after: bool,
    /// Told when the time has come; the statement never returns.
    pub dead: Notify,
}

impl DyingSink {
    pub(super) fn new(sink: Arc<MemorySink>, nth: usize, after: bool) -> Self {
        Self { sink, left: nth.into(), after, dead: Notify::new() }
    }

    async fn statement<T>(&self, statement: impl Future<Output = T>) -> T {
        let last = self.left.fetch_sub(1, Ordering::Relaxed) == 1;
        if last && !self.after {
            self.die().await;
        }
        let answer = statement.await;
        if last {
            self.die().await;
        }
        answer
    }

    async fn die(&self) {
        self.dead.notify_one();
        std::future::pending::<()>().await;
    }
}

#[async_trait]
impl Sink for DyingSink {
    fn name(&self) -> &str {
        self.sink.name()
    }

    async fn cursor(&self, spool_id: Uuid) -> Result<Option<u64>, SinkError> {
        self.statement(self.sink.cursor(spool_id)).await
    }

    async fn write(&self, batch: &Batch<'_>) -> Result<Written, SinkError> {
        self.statement(self.sink.write(batch)).await
    }

    async fn canary(&self) -> Result<(), SinkError> {
        self.statement(self.sink.canary()).await
    }
}
