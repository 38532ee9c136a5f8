//! What happens to the process itself.

use std::{os::unix::process::ExitStatusExt as _, time::Duration};

use tokio::time::sleep;

use super::Context;
use crate::{collector::Collector, report::Finding, rig::Rig, trial};

const SIGKILL: i32 = 9;

pub(super) async fn kills(name: &'static str, context: &Context) -> Finding {
    let mut rig = Rig::sqlite(name, context);
    let rounds = context.rounds(6, 40);
    let fired = trial::kill_under_load(&mut rig.collector, &rig.load, rig.trial.rng.fork(), rounds).await;
    rig.judge(fired, "").await
}

pub(super) async fn terminations(name: &'static str, context: &Context) -> Finding {
    let mut rig = Rig::sqlite(name, context);
    let rounds = context.rounds(2, 10);
    for _ in 0..rounds {
        rig.start().await;
        rig.answers(200).await;
        let ended = rig.collector.stop().await;
        assert_eq!((ended.code(), ended.signal()), (Some(0), None), "a stop under load");
        rig.load.close();
    }
    rig.judge(rounds, "exit code 0 each time").await
}

pub(super) async fn freezes(name: &'static str, context: &Context) -> Finding {
    let mut rig = Rig::sqlite(name, context);
    rig.start().await;
    let rounds = context.rounds(2, 5);
    let seconds = if context.is_short { 1 } else { 8 };
    for _ in 0..rounds {
        rig.answers(100).await;
        rig.collector.freeze().await;
        // Nothing waits for anything by this: the length of the freeze is what is being tried.
        sleep(Duration::from_secs(seconds)).await;
        rig.collector.signal("CONT");
    }
    rig.answers(200).await;
    rig.judge(rounds, format!("{seconds} s each, all threads seen stopped")).await
}

pub(super) async fn two_servers(name: &'static str, context: &Context) -> Finding {
    let mut rig = Rig::sqlite(name, context);
    rig.start().await;
    rig.answers(100).await;
    let mut second = Collector::new(None);
    second.program.clone_from(&context.program);
    second.data.clone_from(&rig.collector.data);
    let rounds = context.rounds(2, 5);
    for _ in 0..rounds {
        let ended = second.refuses_to_start().await;
        assert_eq!(ended.code(), Some(1), "{}", second.log_end());
    }
    assert_eq!(second.log_count("in use by another process"), rounds, "{}", second.log_end());
    rig.answers(200).await;
    // Nor does a kill leave the door locked.
    assert_eq!(rig.collector.kill().signal(), Some(SIGKILL));
    rig.judge(rounds, "exit code 1, `in use by another process`").await
}
