//! Spool files that rot: a bit that is another, an end that is gone. Nothing can bring back what was hit; the rest must be
//! there, and the server must start.

use std::{fs, path::PathBuf};

use super::Context;
use crate::{
    client::Connection,
    load::{Afterwards, Delivery},
    oracle::{Allowance, Verdict},
    report::Finding,
    rig::Rig,
};

const NOBODY: &str = "postgres://nobody@127.0.0.1:1/nothing";

/// Events in the file that is damaged.
const EVENTS: usize = 30;

/// How each of them begins.
const MESSAGE: &[u8] = br#"{"messageId":""#;

/// Each costs one record at most.
pub(super) async fn flips(name: &'static str, context: &Context) -> Finding {
    let mut total = Finding { fired: 0, verdict: Verdict::default(), note: String::new() };
    let mut hit = 0;
    for round in 0..context.rounds(4, 40) {
        let (rig, mut bytes, path) = written(name, context, round % 2 == 0).await;
        // The first few at the beginning, where the header is.
        let range = if round < 2 { 0..96 } else { 0..bytes.len() };
        let at = fastrand::usize(range);
        bytes[at] ^= 1 << fastrand::u8(..8);
        fs::write(&path, bytes).unwrap();
        let mut verdict = destroyed(rig).await;
        assert!(verdict.lost <= 1, "byte {at} cost {} records", verdict.lost);
        hit += std::mem::take(&mut verdict.lost);
        total.add(verdict);
    }
    total.note = format!("{hit} of the records hit, no other lost");
    total
}

/// Each costs what it cut off.
pub(super) async fn cuts(name: &'static str, context: &Context) -> Finding {
    let mut total = Finding { fired: 0, verdict: Verdict::default(), note: String::new() };
    let mut gone = 0;
    for round in 0..context.rounds(3, 30) {
        let (rig, bytes, path) = written(name, context, round % 2 == 0).await;
        let length = fastrand::usize(..bytes.len());
        fs::write(&path, &bytes[..length]).unwrap();
        // Behind the beginning of a record, everything of the record before it is there.
        let begun = bytes[..length].windows(MESSAGE.len()).filter(|window| *window == MESSAGE).count();
        let mut verdict = destroyed(rig).await;
        let kept = EVENTS - verdict.lost;
        assert!(kept + 1 >= begun, "of {begun} records before the cut at {length}, {kept} were kept");
        gone += std::mem::take(&mut verdict.lost);
        total.add(verdict);
    }
    total.note = format!("{gone} records behind the cuts, no other lost");
    total
}

/// A collector that has ended, by a stop or by a kill, with [`EVENTS`] records in one file of its spool and none in its
/// database. The file's bytes, and where it lies.
async fn written(name: &'static str, context: &Context, is_stopped: bool) -> (Rig, Vec<u8>, PathBuf) {
    let mut rig = Rig::sqlite(name, context);
    rig.collector.variables.push(("TIDEGATE_SHUTDOWN__GRACE", "100ms".into()));
    rig.collector.move_storage(Some(NOBODY.into()));
    let mut connection = Connection::open(rig.collector.start().await).await.unwrap();
    for _ in 0..EVENTS {
        let sent = Delivery::probe(&rig.trial.oracle).send(&rig.trial.oracle, &mut connection).await;
        assert_eq!(sent, Afterwards::Next, "a single event was to be answered");
    }
    drop(connection);
    if is_stopped {
        assert_eq!(rig.collector.stop().await.code(), Some(0));
    } else {
        rig.collector.kill();
    }
    rig.collector.move_storage(None);
    let files = fs::read_dir(rig.collector.data.join("spool")).unwrap().map(|file| file.unwrap().path());
    let files: Vec<_> =
        files.filter(|file| file.extension().is_some_and(|suffix| suffix == "spool")).collect();
    let [file] = &files[..] else { panic!("one file of the spool: {files:?}") };
    (rig, fs::read(file).unwrap(), file.clone())
}

/// What is left after the next start. That something is lost is no breach here.
async fn destroyed(rig: Rig) -> Verdict {
    let allowance = Allowance { destroys: true, ..Allowance::default() };
    let mut verdict = rig.judge_allowing(1, "", &allowance).await.verdict;
    verdict.breaches.retain(|breach| !breach.starts_with("lost: "));
    verdict
}
