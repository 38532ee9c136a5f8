//! System calls that fail at the n-th time.

use std::{fs, os::unix::process::ExitStatusExt as _};

use super::Context;
use crate::{injection::Injection, report::Finding, rig::Rig};

const SIGKILL: i32 = 9;

/// What the process says when its disk has failed, so that its supervisor starts it again.
const DISK_FAILED: i32 = 74;

/// Calls that the writer makes for more than its file: it also wakes those who wait, and makes other files, which may fail
/// without harm and are made anew.
const OF_THE_FILE: &[&str] = &["write", "fdatasync"];

/// Makes the spool keep to one file.
const ONE_FILE: (&str, &str) = ("TIDEGATE_SPOOL__FILE_BYTES", "64MiB");

/// Begins an injection of the call that the first of the expressions names.
async fn inject(rig: &mut Rig, expressions: &[&str]) -> Injection {
    let call = expressions[0].split(':').next().unwrap();
    let process = rig.collector.process();
    if OF_THE_FILE.contains(&call) {
        let files = fs::read_dir(rig.collector.data.join("spool")).unwrap().map(|file| file.unwrap().path());
        let newest = files.filter(|file| file.extension().is_some_and(|suffix| suffix == "spool")).max();
        Injection::into_writing(process, &newest.unwrap(), call, expressions).await
    } else {
        Injection::into_writer(process, call, expressions).await
    }
}

/// Starts the collector in the way that the call needs.
async fn start_for(rig: &mut Rig, expression: &str) {
    rig.collector.variables.clear();
    if OF_THE_FILE.iter().any(|call| expression.starts_with(call)) {
        rig.collector.variables.push((ONE_FILE.0, ONE_FILE.1.into()));
    }
    rig.start().await;
    rig.answers(50).await;
}

/// Dies at the n-th of a call, for many n.
pub(super) async fn kills(name: &'static str, context: &Context) -> Finding {
    const CALLS: &[&str] = &["write", "fdatasync", "fsync", "rename", "unlink", "openat"];
    let mut rig = Rig::sqlite(name, context);
    let mut fired = 0;
    for when in 1..=context.rounds(1, 5) {
        for call in CALLS {
            start_for(&mut rig, call).await;
            let expression = format!("{call}:signal=KILL:when={}", when * 2);
            let _injection = inject(&mut rig, &[&expression]).await;
            let ended = rig.collector.ended().await;
            rig.load.close();
            assert_eq!(ended.signal(), Some(SIGKILL), "{expression}: {ended}");
            fired += 1;
        }
    }
    rig.judge(fired, CALLS.join(", ")).await
}

/// Whatever fails for good ends the process with its own code, and the next one recovers.
pub(super) async fn broken_disk(name: &'static str, context: &Context) -> Finding {
    const FAULTS: &[&str] = &[
        "write:error=EIO:when=3",
        "fdatasync:error=EIO:when=2",
        "fdatasync:error=ENOSPC:when=5",
        "fsync:error=EIO:when=1",
        "rename:error=EIO:when=1",
        "unlink:error=EROFS:when=2",
        "openat:error=EIO:when=1",
        "write:error=EROFS:when=20",
        "fdatasync:error=EDQUOT:when=30",
        "fsync:error=EIO:when=4",
    ];
    let mut rig = Rig::sqlite(name, context);
    let mut fired = 0;
    for expression in &FAULTS[..context.rounds(7, FAULTS.len())] {
        start_for(&mut rig, expression).await;
        let injection = inject(&mut rig, &[expression]).await;
        injection.fires(1).await;
        let ended = rig.collector.ended().await;
        rig.load.close();
        assert_eq!(ended.code(), Some(DISK_FAILED), "{expression}: {ended}");
        // Once, although the expression would have let a second attempt succeed.
        assert_eq!(injection.fired(), 1, "{expression}");
        fired += 1;
    }
    rig.judge(fired, "exit code 74 each time, started again").await
}

/// Something that passes is done to the same process a number of times; afterwards senders are answered as before.
async fn pass(rig: &mut Rig, expressions: &[&str], times: usize) -> usize {
    let process = rig.collector.process();
    let mut injection = inject(rig, expressions).await;
    injection.fires(times).await;
    injection.end();
    rig.answers(100).await;
    assert_eq!(rig.collector.process(), process);
    injection.fired()
}

/// Lack of space is taken back, and passes without a restart.
pub(super) async fn no_space(name: &'static str, context: &Context) -> Finding {
    const FAULTS: &[&str] = &[
        "write:error=ENOSPC:when=2+3",
        "write:error=EDQUOT:when=1+2",
        "rename:error=ENOSPC:when=1+2",
        "openat:error=EMFILE:when=1+2",
    ];
    let mut rig = Rig::sqlite(name, context);
    let (mut fired, times) = (0, context.rounds(10, 60));
    for expression in FAULTS {
        start_for(&mut rig, expression).await;
        fired += pass(&mut rig, &[expression], times).await;
        rig.collector.stop().await;
        rig.load.close();
    }
    let turned_away = rig.trial.oracle.turned_away_count();
    assert!(turned_away > 0, "nobody was turned away");
    rig.judge(fired, format!("{turned_away} requests answered 503, no restart")).await
}

/// A call that was interrupted is made again.
pub(super) async fn interruptions(name: &'static str, context: &Context) -> Finding {
    let mut rig = Rig::sqlite(name, context);
    let (mut fired, times) = (0, context.rounds(50, 500));
    for expression in ["write:error=EINTR:when=1+2", "fdatasync:error=EINTR:when=1+2"] {
        start_for(&mut rig, expression).await;
        fired += pass(&mut rig, &[expression], times).await;
        rig.collector.stop().await;
        rig.load.close();
    }
    assert_eq!(rig.trial.oracle.turned_away_count(), 0, "senders were turned away");
    rig.judge(fired, "nobody turned away").await
}

/// Group commit: who waits, waits together.
pub(super) async fn slow_disk(name: &'static str, context: &Context) -> Finding {
    let mut rig = Rig::sqlite(name, context);
    start_for(&mut rig, "fdatasync").await;
    let fired = pass(&mut rig, &["fdatasync:delay_enter=200000"], context.rounds(5, 40)).await;
    rig.judge(fired, "").await
}

/// The database's disk fails and the spool's does not: nobody is turned away.
pub(super) async fn broken_database(name: &'static str, context: &Context) -> Finding {
    const CALLS: &str = "pwrite64,fdatasync,fsync";
    // Not the first calls of a connection: each error costs a connection, and some must come to a commit.
    const FAULTS: &[&[&str]] = &[
        &["pwrite64:error=EIO:when=100+50"],
        &["fdatasync:error=EIO:when=2+2", "fsync:error=EIO:when=2+2"],
        &["pwrite64:error=ENOSPC:when=100+50"],
    ];
    let mut rig = Rig::sqlite(name, context);
    rig.start().await;
    rig.answers(100).await;
    rig.delivers().await;
    let files = ["", "-wal"].map(|suffix| rig.collector.data.join(format!("events.db{suffix}")));
    let mut fired = 0;
    for expressions in FAULTS {
        rig.answers(100).await;
        let process = rig.collector.process();
        let mut injection = Injection::into_files(process, &files, CALLS, expressions).await;
        injection.fires(context.rounds(2, 8)).await;
        rig.answers(50).await;
        injection.end();
        fired += injection.fired();
    }
    rig.answers(100).await;
    assert_eq!(rig.trial.oracle.turned_away_count(), 0, "senders were turned away");
    rig.judge(fired, "nobody turned away").await
}
