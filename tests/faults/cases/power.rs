//! Power cuts: see `volume` for how one is played.

use super::Context;
use crate::{oracle::Allowance, report::Finding, rig::Rig, trial, volume::Volume};

/// A port that is reserved and that nobody listens on: the spool alone has what is acknowledged meanwhile.
const NOBODY: &str = "postgres://nobody@127.0.0.1:1/nothing";

/// Switches fsync off in a program with the feature `fault-injection`, and means nothing to any other.
const SWITCH: &str = "TIDEGATE_FAULT_SKIP_FSYNC";

const MEBIBYTES: u64 = 96;

/// The switch is set here as well: the program under test must not have it.
pub(super) async fn cuts(name: &'static str, context: &Context) -> Finding {
    let volume = Volume::new(MEBIBYTES);
    let mut rig = Rig::sqlite_at(name, context, &volume.path());
    rig.collector.variables.push((SWITCH, "1".into()));
    let rounds = context.rounds(4, 20);
    let fired = cut_under_load(&mut rig, &volume, rounds).await;
    let note = format!("{rounds} cuts, every other one without a database");
    rig.judge(fired, note).await
}

/// Shows that the cut finds what was not synced.
pub(super) async fn control(name: &'static str, context: &Context) -> Finding {
    let volume = Volume::new(MEBIBYTES);
    let mut rig = Rig::sqlite_at(name, context, &volume.path());
    rig.collector.program = env!("CARGO_BIN_EXE_tidegate").into();
    rig.collector.variables.push((SWITCH, "1".into()));
    let fired = cut_under_load(&mut rig, &volume, 1).await;
    assert!(rig.collector.log_count("fsync is skipped") > 0, "the switch does not work");
    let allowance = Allowance { destroys: true, ..Allowance::default() };
    let mut finding = rig.judge_allowing(fired, "", &allowance).await;
    finding.note = format!("{} lost, as they must be", finding.verdict.lost);
    finding
}

/// Cuts the power so many times; answers how many of the copies were those of a file system in use.
async fn cut_under_load(rig: &mut Rig, volume: &Volume, rounds: usize) -> usize {
    let mut fired = 0;
    for round in 0..rounds {
        let url = if round % 2 == 0 { Some(NOBODY.into()) } else { None };
        rig.collector.move_storage(url);
        rig.start().await;
        let more = rig.trial.rng.usize(50..800);
        rig.answers(more).await;
        trial::moment(&mut rig.trial.rng, 0..50).await;
        rig.collector.freeze().await;
        let snapshot = volume.snapshot();
        rig.load.close();
        rig.collector.kill();
        fired += usize::from(snapshot.needs_recovery);
        volume.fall_back();
    }
    rig.collector.move_storage(None);
    fired
}
