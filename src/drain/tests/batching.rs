//! How batches form.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_batch_holds_at_most_so_many_events_or_bytes() {
    let mut world = World::new();
    world.append_events(25).await;
    world.settings.events = 10;
    world.drain().await;
    assert_eq!(world.sink.writes(), 3);

    let mut world = World::new();
    world.append_events(25).await;
    world.settings.bytes = event(0).encoded_len() * 5;
    world.drain().await;
    assert!(world.sink.writes() >= 5, "{}", world.sink.writes());
    world.assert_all_stored();
}

#[tokio::test(start_paused = true)]
async fn an_age_lets_a_batch_fill() {
    let mut world = World::new();
    world.settings.age = Duration::from_secs(5);
    world.settings.events = 4;
    let mut lane = world.start();
    let started = Instant::now();
    for _ in 0..3 {
        world.append_events(1).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    world.sink.reached(world.spool.id(), 3).await;
    assert_eq!((world.sink.writes(), started.elapsed().as_secs()), (1, 5));

    // A full batch does not wait; nor does one that is to finish.
    world.append_events(4).await;
    world.sink.reached(world.spool.id(), 7).await;
    world.append_events(1).await;
    assert_eq!(lane.finish().await, LaneEnd::Drained);
    assert_eq!((world.sink.writes(), started.elapsed().as_secs()), (3, 5));
}
