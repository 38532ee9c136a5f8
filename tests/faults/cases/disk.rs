//! The disk that the spool and SQLite share: full, and read-only.

use super::Context;
use crate::{
    injection::Injection,
    report::Finding,
    rig::Rig,
    volume::{Ballast, Volume},
};

const DISK_FAILED: i32 = 74;

/// 503 while it is full, and 200 by itself when it is not, by the same process.
pub(super) async fn full(name: &'static str, context: &Context) -> Finding {
    let volume = Volume::new(64);
    let mut rig = Rig::sqlite_at(name, context, &volume.path());
    rig.start().await;
    let (process, rounds) = (rig.collector.process(), context.rounds(2, 6));
    let mut short_writes = 0;
    for round in 0..rounds {
        rig.answers(200).await;
        let told = rig.collector.log_count("disk is full");
        let mut watch = Injection::into_writer(process, "write", &[]).await;
        // An odd number of bytes, so that the last write finds room for a part of itself.
        let ballast = Ballast::new(&volume.path(), 300_001 + 1_000 * round as u64);
        rig.turns_away(20).await;
        rig.logs("disk is full", told).await;
        for (path, status) in [("/livez", 200), ("/readyz", 503)] {
            assert_eq!(rig.collector.status_of(path).await, status, "{path} on a full disk");
        }
        watch.end();
        short_writes += watch.short_writes();
        drop(ballast);
        rig.answers(200).await;
    }
    assert_eq!(rig.collector.process(), process);
    let turned_away = rig.trial.oracle.turned_away_count();
    let note = format!(
        "{turned_away} requests answered 503, {short_writes} short writes, the same process throughout"
    );
    rig.judge(rounds, note).await
}

/// Exit code 74, also from a start; and the start after the repair recovers.
pub(super) async fn read_only(name: &'static str, context: &Context) -> Finding {
    let volume = Volume::new(64);
    let mut rig = Rig::sqlite_at(name, context, &volume.path());
    let mut fired = 0;
    for _ in 0..context.rounds(1, 4) {
        rig.start().await;
        rig.answers(200).await;
        volume.break_down();
        fired += usize::from(!volume.is_writable());
        let ended = rig.collector.ended().await;
        rig.load.close();
        assert_eq!(ended.code(), Some(DISK_FAILED), "{}", rig.collector.log_end());
        let ended = rig.collector.refuses_to_start().await;
        assert_eq!(ended.code(), Some(DISK_FAILED), "{}", rig.collector.log_end());
        volume.repair();
    }
    rig.judge(fired, "exit code 74, also at a start meanwhile").await
}
