//! A lane in an operator's hand.

use super::*;

/// A sink whose writes wait at a gate.
struct GatedSink {
    sink: Arc<MemorySink>,
    arrived: Notify,
    gate: Notify,
}

#[async_trait]
impl Sink for GatedSink {
    fn name(&self) -> &str {
        self.sink.name()
    }

    async fn cursor(&self, spool_id: Uuid) -> Result<Option<u64>, SinkError> {
        self.sink.cursor(spool_id).await
    }

    async fn write(&self, batch: &Batch<'_>) -> Result<Written, SinkError> {
        self.arrived.notify_one();
        self.gate.notified().await;
        self.sink.write(batch).await
    }

    async fn canary(&self) -> Result<(), SinkError> {
        self.sink.canary().await
    }
}

/// Virtual time: whatever the lane could do by itself, it has done when this returns.
async fn a_day_passes() {
    tokio::time::sleep(Duration::from_hours(24)).await;
}

#[tokio::test(start_paused = true)]
async fn a_pause_finishes_the_write_under_way_and_begins_no_other() {
    let world = World::new();
    world.append_events(3).await;
    let gated = Arc::new(GatedSink { sink: world.sink.clone(), arrived: Notify::new(), gate: Notify::new() });
    let mut lane = world.start_with(gated.clone());
    gated.arrived.notified().await;
    lane.handle.pause();
    a_day_passes().await;
    let state = lane.status.snapshot().state;
    assert_eq!(state, LaneState::Starting, "it is not said to stand still while a write is under way");

    gated.gate.notify_one();
    lane.handle.paused().await;
    assert_eq!(world.row().next_sequence, 3, "the write was not abandoned");
    world.append_events(2).await;
    a_day_passes().await;
    assert_eq!((world.row().next_sequence, world.sink.writes()), (3, 1));
    let snapshot = lane.status.snapshot();
    assert_eq!(snapshot.state, LaneState::Paused { trouble: Trouble::Operator, since: NOW });
    assert_eq!((snapshot.lag_events, snapshot.lag_micros), (2, 1_000_000), "its lag grows on");

    gated.gate.notify_one();
    lane.handle.resume();
    lane.until_cursor(5).await;
    assert_eq!(lane.finish().await, LaneEnd::Drained);
    world.assert_all_stored();
}

#[tokio::test(start_paused = true)]
async fn a_lane_that_is_held_from_the_start_asks_its_sink_nothing() {
    let world = World::new();
    world.append_events(3).await;
    world.sink.script_cursor([ErrorClass::Transient]);
    let mut lane = world.start();
    lane.handle.pause();
    a_day_passes().await;
    assert_eq!(lane.status.snapshot().last_error, None);
    lane.handle.resume();
    assert_eq!(lane.finish().await, LaneEnd::Drained);
    assert!(lane.status.snapshot().last_error.is_some(), "now it has asked");
    world.assert_all_stored();
}

#[tokio::test(start_paused = true)]
async fn no_canary_is_sent_while_the_lane_is_held() {
    let world = World::new();
    world.append_events(1).await;
    poison(&world.sink, [0]);
    let gated = Arc::new(GatedSink { sink: world.sink.clone(), arrived: Notify::new(), gate: Notify::new() });
    let mut lane = world.start_with(gated.clone());
    gated.arrived.notified().await;
    lane.handle.pause();
    gated.gate.notify_one();
    lane.handle.paused().await;
    a_day_passes().await;
    assert_eq!((world.sink.writes(), world.sink.canaries()), (1, 0));
    gated.gate.notify_one();
    lane.handle.resume();
    assert_eq!(lane.finish().await, LaneEnd::Drained);
    assert_eq!((world.sink.canaries(), lane.dead()), (1, [0].into()));
}

#[tokio::test(start_paused = true)]
async fn a_resume_ends_a_pause_a_back_off_and_a_wait_for_a_probe_at_once() {
    for class in [ErrorClass::Transient, ErrorClass::Configuration] {
        let mut world = World::new();
        world.settings.backoff_cap = Duration::from_hours(1_000_000);
        world.settings.probe_every = Duration::from_hours(1_000_000);
        world.append_events(1).await;
        // Far enough in the streak to wait for weeks.
        world.sink.script([Scripted::Fail(class); 40]);
        let mut lane = world.start();
        let fails = |lane: &Running| lane.status.snapshot().state.trouble().is_some();
        while world.sink.writes() < 40 {
            lane.handle.resume();
            tokio::task::yield_now().await;
        }
        let held = Instant::now();
        lane.handle.pause();
        assert!(fails(&lane));
        a_day_passes().await;
        lane.handle.resume();
        lane.until_cursor(1).await;
        assert_eq!(held.elapsed(), Duration::from_hours(24), "{class:?}");
        assert_eq!(lane.finish().await, LaneEnd::Drained);
    }
}

#[tokio::test(start_paused = true)]
async fn a_held_lane_does_not_hold_up_a_graceful_stop_and_loses_nothing() {
    let world = World::with_file_bytes(300);
    world.append_events(3).await;
    let mut lane = world.start();
    lane.until_cursor(3).await;
    lane.handle.pause();
    lane.handle.paused().await;
    world.append_events(40).await;
    let started = Instant::now();
    assert_eq!(lane.finish().await, LaneEnd::Left { behind: 40 });
    assert_eq!(started.elapsed(), Duration::ZERO);

    // The hold ended with the process.
    world.drain().await;
    world.assert_all_stored();
    assert_eq!((world.row().gaps, world.row().written.duplicates), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_held_lane_that_has_everything_is_drained() {
    let world = World::new();
    world.append_events(3).await;
    let mut lane = world.start();
    lane.until_cursor(3).await;
    lane.handle.pause();
    assert_eq!(lane.finish().await, LaneEnd::Drained);
}

#[tokio::test(start_paused = true)]
async fn pausing_twice_and_resuming_once_is_enough() {
    let world = World::new();
    let mut lane = world.start();
    lane.handle.pause();
    lane.handle.pause();
    lane.handle.resume();
    lane.handle.resume();
    world.append_events(2).await;
    lane.until_cursor(2).await;
    assert_eq!(lane.finish().await, LaneEnd::Drained);
}

#[tokio::test(start_paused = true)]
async fn letters_are_requeued_while_the_lane_is_held_and_two_at_once_take_turns() {
    let world = World::new();
    world.append_events(4).await;
    poison(&world.sink, [1, 2]);
    let mut lane = world.start();
    lane.until_cursor(4).await;
    lane.handle.pause();
    lane.handle.paused().await;
    poison(&world.sink, []);
    let [first, second] = lane.handle.letters().list()[..] else { panic!("two letters") };
    let (one, other) = tokio::join!(lane.handle.requeue(first), lane.handle.requeue(second));
    let stored = Written { stored: 1, ..Written::default() };
    assert_eq!((one.unwrap(), other.unwrap()), (stored, stored));
    world.assert_all_stored();
    assert!(lane.letters.is_empty());
    assert_eq!(lane.finish().await, LaneEnd::Drained);
}
