//! Where a lane begins: its cursor, the spool's id, and what is missing in between.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_new_lane_delivers_the_whole_spool() {
    let world = World::new();
    world.append_events(3).await;
    let refusal = Refusal { refusal_id_low: 9, source: "web".into(), ..Refusal::default() };
    world.append(Kind::Refusal, &refusal.encode_to_vec()).await;
    world.append_events(2).await;
    let lane = world.drain().await;

    assert_eq!(world.stored(), [0, 1, 2, 4, 5].into());
    assert_eq!(world.sink.refusals(), [refusal]);
    assert_eq!((world.row().first_sequence, world.row().next_sequence), (0, 6));
    let snapshot = lane.status.snapshot();
    assert_eq!((snapshot.cursor, snapshot.lag_events, snapshot.lag_micros), (Some(6), 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_restarted_lane_goes_on_from_its_cursor() {
    let world = World::new();
    world.append_events(4).await;
    world.drain().await;
    world.append_events(3).await;
    world.drain().await;
    world.assert_all_stored();
    assert_eq!((world.row().written.stored, world.row().written.duplicates), (7, 0));
}

#[tokio::test(start_paused = true)]
async fn a_lane_waits_for_events_and_for_its_sink() {
    let world = World::new();
    world.sink.script_cursor([ErrorClass::Transient; 8]);
    let mut lane = world.start();
    lane.until_backing_off(Trouble::Transient).await;
    lane.status.wait_for(|lane| lane.state == LaneState::Running).await;
    world.append_events(2).await;
    world.sink.reached(world.spool.id(), 2).await;
    assert_eq!(lane.finish().await, LaneEnd::Drained);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_beyond_the_end_makes_the_spool_take_a_new_id() {
    let world = World::new();
    world.append_events(5).await;
    let old = world.spool.id();
    world.sink.set_cursor_row(old, Some(cursor_at(100)));
    world.drain().await;
    assert_ne!(world.spool.id(), old);
    world.assert_all_stored();
    assert_eq!(world.row().first_sequence, 0);
    assert_eq!(world.sink.cursor_row(old), Some(cursor_at(100)));
}

#[tokio::test(start_paused = true)]
async fn a_running_lane_keeps_its_place_when_another_renews_the_id() {
    let world = World::new();
    world.append_events(5).await;
    let mut first = world.start();
    first.until_cursor(5).await;

    let other = Arc::new(MemorySink::new("other"));
    other.set_cursor_row(world.spool.id(), Some(cursor_at(100)));
    let mut second = world.start_with(other.clone());
    second.until_cursor(5).await;
    world.append_events(2).await;
    assert_eq!((first.finish().await, second.finish().await), (LaneEnd::Drained, LaneEnd::Drained));

    world.assert_all_stored();
    assert_eq!((world.row().first_sequence, world.row().written.duplicates), (5, 0));
    assert_eq!(other.events().len(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_cursor_below_the_oldest_counts_gaps() {
    let world = World::with_file_bytes(300);
    world.append_events(20).await;
    world.spool.register_lane("other");
    // A file is deleted between two appends, some time after it was released.
    while world.spool.oldest() == 0 {
        world.append_events(1).await;
        world.spool.release("other", world.spool.end());
    }
    world.sink.set_cursor_row(world.spool.id(), Some(cursor_at(0)));
    world.drain().await;

    let (gaps, end) = (world.row().gaps, world.spool.end());
    assert!(gaps > 0);
    assert_eq!(world.stored(), (gaps..end).collect());
    assert_eq!(world.row().written.stored, end - gaps);
}

/// The lag of a database that was down from the start was shown as no age at all.
#[tokio::test]
async fn a_sink_that_was_never_reached_shows_how_long() {
    let world = World::new();
    let clock = Clock::manual(NOW);
    let letters = Arc::new(DeadLetters::open(Arc::new(world.disk.clone()), "/dead".into(), 1 << 20).unwrap());
    let lane = Lane::new(world.spool.clone(), world.sink.clone(), letters, world.settings, clock.clone());
    clock.set(NOW + 5_000_000);
    assert_eq!(lane.status().snapshot().lag_micros, 0, "nothing waits");
    world.append_events(1).await;
    assert_eq!(lane.status().snapshot().lag_micros, 5_000_000);
}
