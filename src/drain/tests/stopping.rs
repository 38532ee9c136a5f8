//! How a lane ends.

use super::*;

#[tokio::test(start_paused = true)]
async fn an_idle_lane_leaves_when_the_spool_is_closed_and_it_is_to_finish() {
    let world = World::new();
    world.append_events(3).await;
    let mut lane = world.start();
    lane.until_cursor(3).await;
    world.spool.close().await.unwrap();
    assert_eq!(lane.finish().await, LaneEnd::Drained);
    world.assert_all_stored();
}

#[tokio::test(start_paused = true)]
async fn a_lane_leaves_a_hanging_write_at_once() {
    let world = World::new();
    world.append_events(3).await;
    let hanging = Arc::new(DyingSink::new(world.sink.clone(), 2, true));
    let lane = world.start_with(hanging.clone());
    hanging.dead.notified().await;
    assert_eq!(lane.kill().await, LaneEnd::Left { behind: 3 });

    world.drain().await;
    world.assert_all_stored();
    assert_eq!(world.row().written.duplicates, 0, "the abandoned write had committed");
}

#[tokio::test(start_paused = true)]
async fn a_lane_whose_sink_is_down_leaves_at_once() {
    let world = World::new();
    world.append_events(3).await;
    world.sink.script_cursor([ErrorClass::Transient; 1000]);
    let lane = world.start();
    lane.until_backing_off(Trouble::Transient).await;
    lane.finish.cancel();
    assert_eq!(lane.kill().await, LaneEnd::Left { behind: 3 });
}
