//! Steps of the clock, forth and back. Time that goes evenly, by which waits and back-offs are measured, goes on: the
//! kernel steps the one and never the other. The database and the senders have the right time.

use std::fs;

use super::{Context, faketime};
use crate::{report::Finding, rig::Rig};

/// What the clock is set to, and how the receipt of events begins that arrive then.
const STEPS: &[(&str, &str)] = &[
    ("@2038-01-19 03:14:06", "2038-01-19"),
    ("@2001-09-09 01:46:40", "2001-09-09"),
    ("@2124-02-29 12:00:00", "2124-02-29"),
    ("@1999-12-31 12:00:00", "1999-12-31"),
];

pub(super) async fn steps(name: &'static str, context: &Context) -> Finding {
    let mut rig = Rig::sqlite(name, context);
    let home = tempfile::tempdir().unwrap();
    let time = home.path().join("time");
    let set = |to: &str| {
        // In one step: the library may be reading.
        fs::write(home.path().join("next"), format!("{to}\n")).unwrap();
        fs::rename(home.path().join("next"), &time).unwrap();
    };
    set("+0");
    let variables = [
        ("LD_PRELOAD", faketime().unwrap().into_os_string()),
        ("FAKETIME_TIMESTAMP_FILE", time.clone().into_os_string()),
        ("FAKETIME_NO_CACHE", "1".into()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1".into()),
    ];
    rig.collector.variables.extend(variables);
    rig.start().await;
    rig.answers(50).await;
    for (to, _) in STEPS {
        set(to);
        rig.answers(context.rounds(100, 1_000)).await;
        // Also a restart must bear with records from the future.
        rig.collector.stop().await;
        rig.load.close();
        rig.start().await;
        rig.answers(50).await;
    }
    set("+0");
    rig.answers(100).await;
    let mut fired = 0;
    for (_, day) in STEPS {
        let seen = format!("SELECT dedup_key FROM events WHERE received_at LIKE '{day}%' LIMIT 1");
        fired += rig.trial.storage.rows::<(Option<String>,)>(&seen).await.unwrap().len();
    }
    assert_eq!(fired, STEPS.len(), "not every step shows in received_at");
    rig.judge(fired, "2001, 2038 and 2124, there and back, with a restart at each").await
}
