//! Rows that cannot be stored, and what becomes of their letters.

use metrics_exporter_prometheus::PrometheusBuilder;

use super::*;

#[tokio::test(start_paused = true)]
async fn bad_rows_die_alone() {
    let world = World::new();
    world.append_events(64).await;
    poison(&world.sink, [0, 31, 32, 63]);
    let lane = world.drain().await;
    assert_eq!(lane.dead(), [0, 31, 32, 63].into());
    assert_eq!((world.row().written.stored, world.row().dead), (60, 4));
    assert_eq!(world.sink.canaries(), 4);

    let letter = lane.letters.show(LetterId { spool_id: world.spool.id(), sequence: 31 }).unwrap();
    assert_eq!(Event::decode(letter.payload.clone()).unwrap(), event(31));
    assert_eq!((letter.lane.as_str(), letter.kind, letter.failed_at), ("memory", 1, NOW));
    assert_eq!((letter.reason.as_str(), letter.code.as_str()), ("poison_row", "poison"));
    assert_eq!(letter.attempts, 7);
}

/// A schema that changed shows as a flood of bad rows; each of them alone is only a letter.
#[tokio::test(start_paused = true)]
async fn many_letters_of_one_batch_are_an_alert() {
    for (bad, alerts) in [(2, 0), (3, 1), (8, 1)] {
        let mut world = World::new();
        world.settings.dead_letters_alert = 2;
        world.append_events(8).await;
        poison(&world.sink, 0..bad);
        let recorder = PrometheusBuilder::new().build_recorder();
        let mut lane = metrics::with_local_recorder(&recorder, || world.start());
        assert_eq!(lane.finish().await, LaneEnd::Drained);
        let rendered = recorder.handle().render();
        let series = format!("tidegate_lane_alerts_total{{sink=\"memory\"}} {alerts}");
        assert!(rendered.contains(&series), "{bad} bad rows: {rendered}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_canary_means_that_the_sink_is_ill() {
    for (class, state) in [
        (ErrorClass::PoisonRow, Trouble::Configuration),
        (ErrorClass::Configuration, Trouble::Configuration),
        (ErrorClass::Transient, Trouble::Transient),
    ] {
        let world = World::new();
        world.append_events(8).await;
        poison(&world.sink, 0..8);
        world.sink.set_canary(Some(class));
        let mut lane = world.start();
        if state.needs_a_person() {
            lane.until_paused(state).await;
        } else {
            lane.until_backing_off(state).await;
        }
        while world.sink.canaries() < 5 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!(lane.letters.is_empty());

        poison(&world.sink, [3]);
        world.sink.set_canary(None);
        assert_eq!(lane.finish().await, LaneEnd::Drained);
        assert_eq!(lane.dead(), [3].into());
    }
}

#[tokio::test(start_paused = true)]
async fn a_full_quota_pauses_the_lane_and_loses_nothing() {
    let mut world = World::new();
    world.settings.dead_letters_bytes = 4096;
    world.append_events(8).await;
    poison(&world.sink, [2, 5]);
    let mut lane = world.start();
    lane.until_paused(Trouble::DeadLettersFull).await;
    assert_eq!(lane.dead(), [2].into());
    lane.letters.discard(lane.letters.list()[0]).unwrap();
    assert_eq!(lane.finish().await, LaneEnd::Drained);
    assert_eq!(lane.dead(), [5].into());
    assert_eq!((world.row().written.stored, world.row().dead), (6, 2));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_decoded_dies_unread() {
    let world = World::new();
    world.append_events(2).await;
    world.append(Kind::Event, b"\xff\xff\xff").await;
    world.append_events(2).await;
    world.append(Kind::Refusal, b"\x07").await;
    let lane = world.drain().await;
    assert_eq!((lane.dead(), world.stored()), ([2, 5].into(), [0, 1, 3, 4].into()));
    assert_eq!((world.row().dead, world.sink.writes(), world.sink.canaries()), (2, 1, 0));
    let letter = lane.letters.show(LetterId { spool_id: world.spool.id(), sequence: 2 }).unwrap();
    assert_eq!((letter.reason.as_str(), letter.payload.as_ref()), ("unreadable", b"\xff\xff\xff".as_slice()));
}

#[tokio::test(start_paused = true)]
async fn a_letter_that_cannot_be_written_is_tried_until_it_can() {
    let world = World::new();
    world.append_events(4).await;
    poison(&world.sink, [1]);
    for nth in 1..5 {
        world.disk.fail(Operation::Sync, nth, Failure::NoSpace);
    }
    let mut lane = world.start();
    lane.until_backing_off(Trouble::DeadLettersUnwritable).await;
    assert_eq!(lane.finish().await, LaneEnd::Drained);
    assert_eq!((lane.dead(), world.stored()), ([1].into(), [0, 2, 3].into()));
}

#[tokio::test(start_paused = true)]
async fn the_letter_of_a_record_that_is_stored_after_all_goes() {
    let world = World::new();
    world.append_events(4).await;
    poison(&world.sink, [1]);
    // The process dies between the burial and the write that counts it.
    let dying = Arc::new(DyingSink::new(world.sink.clone(), 7, false));
    let lane = world.start_with(dying.clone());
    dying.dead.notified().await;
    assert_eq!(lane.dead(), [1].into());
    lane.kill().await;

    poison(&world.sink, []);
    let lane = world.drain().await;
    world.assert_all_stored();
    assert!(lane.letters.is_empty());
    assert_eq!(world.row().dead, 0);
}

#[tokio::test(start_paused = true)]
async fn a_requeued_letter_is_stored_once_and_goes() {
    let world = World::new();
    world.append_events(4).await;
    poison(&world.sink, [1, 2]);
    let lane = world.drain().await;
    let [first, second] = lane.letters.list()[..] else { panic!("two letters") };
    let refused = requeue(&lane.letters, world.sink.as_ref(), first).await;
    assert!(matches!(refused, Err(RequeueError::Sink(error)) if error.class == ErrorClass::PoisonRow));
    assert_eq!(lane.letters.len(), 2);

    let row = world.row();
    poison(&world.sink, []);
    for id in [first, second] {
        let written = requeue(&lane.letters, world.sink.as_ref(), id).await.unwrap();
        assert_eq!(written, Written { stored: 1, ..Written::default() });
    }
    world.assert_all_stored();
    assert!(lane.letters.is_empty());
    assert_eq!(world.row(), row, "the lane's own cursor is left alone");
    assert!(matches!(requeue(&lane.letters, world.sink.as_ref(), first).await, Err(RequeueError::Letter(_))));
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_decoded_is_not_requeued() {
    let world = World::new();
    world.append(Kind::Event, b"\xff").await;
    let lane = world.drain().await;
    let answer = requeue(&lane.letters, world.sink.as_ref(), lane.letters.list()[0]).await;
    assert!(matches!(answer, Err(RequeueError::Unreadable(_))));
    assert_eq!(lane.letters.len(), 1);
}
