//! Sinks that fail, lose answers, or are not ours alone.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_long_outage_loses_and_kills_nothing() {
    let world = World::new();
    world.append_events(100).await;
    world.sink.script([Scripted::Fail(ErrorClass::Transient); 500]);
    let started = Instant::now();
    let mut lane = world.start();
    lane.until_backing_off(Trouble::Transient).await;
    let snapshot = lane.status.snapshot();
    assert_eq!((snapshot.lag_events, snapshot.lag_micros), (100, 1_000_000));
    assert_eq!(snapshot.last_error.unwrap().code, "scripted");
    assert_eq!(lane.finish().await, LaneEnd::Drained, "a lane that is to finish keeps trying");
    world.assert_all_stored();
    assert!(lane.letters.is_empty());
    assert!(started.elapsed() < Duration::from_mins(250));
}

#[tokio::test(start_paused = true)]
async fn a_misconfigured_sink_pauses_the_lane_until_it_is_mended() {
    let world = World::new();
    world.append_events(100).await;
    world.sink.script([Scripted::Fail(ErrorClass::Configuration); 7]);
    let started = Instant::now();
    let mut lane = world.start();
    lane.until_paused(Trouble::Configuration).await;
    assert_eq!(lane.finish().await, LaneEnd::Drained);
    assert_eq!(started.elapsed().as_secs(), 1 + 2 + 4 + 8 + 16 + 30 + 30);
    assert_eq!(lane.status.snapshot().state, LaneState::Running);
    assert_eq!((lane.letters.len(), world.row().written.stored), (0, 100));
}

#[tokio::test(start_paused = true)]
async fn an_unanswered_commit_is_neither_lost_nor_repeated() {
    for outcome in [Scripted::LoseAnswer, Scripted::Fail(ErrorClass::OutcomeUnknown)] {
        let world = World::new();
        world.append_events(10).await;
        world.sink.script([outcome; 3]);
        let mut lane = world.start();
        lane.until_cursor(10).await;
        world.append_events(5).await;
        assert_eq!(lane.finish().await, LaneEnd::Drained);
        world.assert_all_stored();
        assert_eq!((world.row().written.stored, world.row().written.duplicates), (15, 0), "{outcome:?}");
        let last_error = lane.status.snapshot().last_error.unwrap();
        assert_eq!(last_error.trouble, Trouble::OutcomeUnknown);
    }
}

/// Does not answer the first write, and carries it out just before the second one.
struct LateSink {
    sink: Arc<MemorySink>,
    writes: AtomicUsize,
}

#[async_trait]
impl Sink for LateSink {
    fn name(&self) -> &str {
        self.sink.name()
    }

    async fn cursor(&self, spool_id: Uuid) -> Result<Option<u64>, SinkError> {
        self.sink.cursor(spool_id).await
    }

    async fn write(&self, batch: &Batch<'_>) -> Result<Written, SinkError> {
        match self.writes.fetch_add(1, Ordering::Relaxed) {
            0 => return Err(SinkError::new(ErrorClass::OutcomeUnknown, "lost", "")),
            1 => {
                let events: Vec<Event> = (0..4).map(event).collect();
                let late = Batch { to: 4, events: events.iter().collect(), ..batch.clone() };
                self.sink.write(&late).await.unwrap();
            }
            _ => {}
        }
        self.sink.write(batch).await
    }

    async fn canary(&self) -> Result<(), SinkError> {
        self.sink.canary().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_late_commit_is_recognised_as_our_own() {
    let world = World::new();
    world.append_events(4).await;
    let mut lane = world.start_with(Arc::new(LateSink { sink: world.sink.clone(), writes: 0.into() }));
    lane.until_cursor(4).await;
    world.append_events(2).await;
    assert_eq!(lane.finish().await, LaneEnd::Drained);
    world.assert_all_stored();
    assert_eq!((world.row().written.stored, world.row().written.duplicates), (6, 0));
}

#[tokio::test(start_paused = true)]
async fn a_cursor_that_somebody_else_moved_pauses_the_lane() {
    let world = World::new();
    world.append_events(4).await;
    let mut lane = world.start();
    lane.until_cursor(4).await;
    let before = world.row();
    world.sink.set_cursor_row(world.spool.id(), Some(cursor_at(5)));
    world.append_events(1).await;
    // It looked again, and stays where it is.
    let found_foreign = |error: &LastError| error.code == "foreign_cursor";
    lane.status.wait_for(|lane| lane.last_error.as_ref().is_some_and(found_foreign)).await;
    lane.until_paused(Trouble::CursorMoved).await;
    assert_eq!(world.stored(), (0..4).collect(), "nothing is written over somebody else's cursor");

    world.sink.set_cursor_row(world.spool.id(), Some(before));
    assert_eq!(lane.finish().await, LaneEnd::Drained);
    world.assert_all_stored();
}

#[tokio::test(start_paused = true)]
async fn a_sink_that_was_restored_gets_its_events_again() {
    let world = World::new();
    world.append_events(4).await;
    let mut lane = world.start();
    lane.until_cursor(4).await;
    for restored in [Some(cursor_at(2)), None] {
        world.sink.set_cursor_row(world.spool.id(), restored);
        world.append_events(1).await;
        lane.until_cursor(world.spool.end()).await;
    }
    assert_eq!(lane.finish().await, LaneEnd::Drained);
    world.assert_all_stored();
    assert_eq!((world.row().written.duplicates, world.row().written.stored), (5, 1));
}

#[tokio::test(start_paused = true)]
async fn lanes_do_not_know_each_other() {
    let world = World::new();
    world.append_events(10).await;
    let broken = Arc::new(MemorySink::new("broken"));
    broken.script([Scripted::Fail(ErrorClass::Configuration); 1000]);
    let broken = world.start_with(broken);
    broken.until_paused(Trouble::Configuration).await;

    let started = Instant::now();
    world.drain().await;
    world.assert_all_stored();
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(broken.kill().await, LaneEnd::Left { behind: 10 });
}
