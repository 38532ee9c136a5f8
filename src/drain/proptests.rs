//! Lanes against chance: which rows are bad, when the sink fails, and at which statement the process dies.

use std::{collections::BTreeSet, future::Future, sync::Arc, time::Duration};

use proptest::prelude::*;

use super::{
    bisect::tests::statements_max,
    lane::LaneEnd,
    tests::{DyingSink, World},
};
use crate::sinks::{ErrorClass, memory::Scripted};

/// Runs on one thread, in virtual time.
fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(test)
}

fn poisoned(rows: u64, bad: &BTreeSet<u64>) -> World {
    let world = World::new();
    let bad = bad.clone();
    world.sink.poison_when(move |id| bad.contains(&id.as_u64_pair().1));
    run(world.append_events(rows));
    world
}

fn check(world: &World, dead: Vec<u64>, rows: u64, bad: &BTreeSet<u64>) -> Result<(), TestCaseError> {
    prop_assert_eq!(dead.into_iter().collect::<BTreeSet<u64>>(), bad.clone());
    prop_assert_eq!(world.stored(), (0..rows).filter(|row| !bad.contains(row)).collect::<BTreeSet<u64>>());
    let row = world.row();
    prop_assert_eq!((row.next_sequence, row.dead), (rows, bad.len() as u64));
    prop_assert_eq!((row.written.stored, row.written.duplicates), (rows - bad.len() as u64, 0));
    Ok(())
}

fn bad_rows() -> impl Strategy<Value = (u64, BTreeSet<u64>)> {
    (1_u64..=64).prop_flat_map(|rows| (Just(rows), proptest::collection::btree_set(0..rows, 0..=8)))
}

/// What an operator and the senders do meanwhile.
#[derive(Clone, Copy, Debug)]
enum Act {
    Append(u64),
    Pause,
    Resume,
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        (1_u64..5).prop_map(Act::Append),
        Just(Act::Pause),
        Just(Act::Resume),
        (0_u64..40).prop_map(Act::Wait),
    ];
    proptest::collection::vec(act, 0..20)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn exactly_the_bad_rows_die_while_the_sink_comes_and_goes(
        (rows, bad) in bad_rows(),
        script in proptest::collection::vec(prop_oneof![
            3 => Just(Scripted::Pass),
            1 => Just(Scripted::Fail(ErrorClass::Transient)),
            1 => Just(Scripted::Fail(ErrorClass::Configuration)),
        ], 0..60),
    ) {
        let world = poisoned(rows, &bad);
        world.sink.script(script.iter().copied());
        let dead = run(async {
            let mut lane = world.start();
            assert_eq!(lane.finish().await, LaneEnd::Drained);
            lane.letters.list().into_iter().map(|id| id.sequence).collect()
        });
        check(&world, dead, rows, &bad)?;
        let failures = script.iter().filter(|outcome| matches!(outcome, Scripted::Fail(_))).count();
        let max = statements_max(usize::try_from(rows).unwrap(), bad.len()) + failures;
        prop_assert!(world.sink.writes() <= max as u64, "{} of {max}", world.sink.writes());
    }

    #[test]
    fn unanswered_commits_change_nothing(
        (rows, bad) in bad_rows(),
        script in proptest::collection::vec(prop_oneof![
            3 => Just(Scripted::Pass),
            1 => Just(Scripted::LoseAnswer),
            1 => Just(Scripted::Fail(ErrorClass::OutcomeUnknown)),
        ], 0..60),
    ) {
        let world = poisoned(rows, &bad);
        world.sink.script(script);
        let dead = run(async {
            let mut lane = world.start();
            assert_eq!(lane.finish().await, LaneEnd::Drained);
            lane.letters.list().into_iter().map(|id| id.sequence).collect()
        });
        check(&world, dead, rows, &bad)?;
    }

    #[test]
    fn a_crash_at_any_statement_changes_nothing(
        (rows, bad) in bad_rows(),
        crashes in proptest::collection::vec((1_usize..30, any::<bool>()), 1..6),
    ) {
        let mut world = poisoned(rows, &bad);
        let dead = run(async {
            for (nth, after) in crashes {
                let dying = Arc::new(DyingSink::new(world.sink.clone(), nth, after));
                let mut lane = world.start_with(dying.clone());
                let died = tokio::select! {
                    () = dying.dead.notified() => true,
                    _ = lane.finish() => false,
                };
                if died {
                    lane.kill().await;
                }
                // The letters' disk loses whatever was not synced.
                world.disk = world.disk.crash();
            }
            let mut lane = world.start();
            assert_eq!(lane.finish().await, LaneEnd::Drained);
            lane.letters.list().into_iter().map(|id| id.sequence).collect()
        });
        check(&world, dead, rows, &bad)?;
    }
    #[test]
    fn an_operator_who_pauses_and_resumes_changes_nothing_but_time(
        (rows, bad) in bad_rows(),
        script in proptest::collection::vec(prop_oneof![
            3 => Just(Scripted::Pass),
            1 => Just(Scripted::Fail(ErrorClass::Transient)),
            1 => Just(Scripted::Fail(ErrorClass::Configuration)),
            1 => Just(Scripted::LoseAnswer),
        ], 0..30),
        acts in acts(),
        resumed in any::<bool>(),
    ) {
        let world = poisoned(rows, &bad);
        world.sink.script(script);
        let (dead, rows) = run(async {
            let mut lane = world.start();
            let mut held = false;
            for act in acts {
                match act {
                    Act::Append(rows) => world.append_events(rows).await,
                    Act::Pause => {
                        lane.handle.pause();
                        held = true;
                    }
                    Act::Resume => {
                        lane.handle.resume();
                        held = false;
                    }
                    Act::Wait(seconds) => {
                        if held {
                            lane.handle.paused().await;
                        }
                        let asked = (world.sink.writes(), world.sink.canaries());
                        tokio::time::sleep(Duration::from_secs(seconds)).await;
                        assert!(!held || asked == (world.sink.writes(), world.sink.canaries()));
                    }
                }
            }
            let behind = world.spool.end();
            if resumed {
                lane.handle.resume();
            }
            match lane.finish().await {
                LaneEnd::Drained => {}
                LaneEnd::Left { behind: left } => assert!(held && !resumed && (1..=behind).contains(&left)),
            }
            let mut lane = world.start();
            assert_eq!(lane.finish().await, LaneEnd::Drained);
            let dead = lane.letters.list().into_iter().map(|id| id.sequence).collect();
            (dead, world.spool.end())
        });
        check(&world, dead, rows, &bad)?;
    }
}
