//! Statuses that the settings choose, and what happens when there is no room.

use serde_json::json;

use super::{BATCH, assert_metrics_tell, counts, deliver, delivery, firehose, mm, record};
use crate::{
    encodings::gzip,
    server::{Site, assert_has, sink_down, track, web},
};

#[test]
fn success_is_the_status_that_the_settings_choose() {
    let statuses = [("a", 200), ("b", 202), ("c", 204)];
    let sources = statuses.map(|(name, status)| {
        firehose(name, &format!("required = [\"auction_id\"]\nsuccess_status = {status}"))
    });
    let site = Site::new(&sources.concat());
    let server = site.start();
    for (name, status) in statuses {
        let answer = server.send(&delivery(name, BATCH)).expect(status);
        match status {
            204 => assert!(answer.body.is_empty() && answer.header("content-type").is_none(), "{answer:?}"),
            _ => assert_eq!(counts(&answer), [50, 0, 0, 0, 0]),
        }
        assert_metrics_tell(&server.metrics(), name, [50, 0, 0, 0, 0, 0]);
        // A mistake is none of it.
        server.send(&delivery(name, "{")).expect(400);
        let series = format!(r#"tidegate_deliveries_total{{source="{name}",status="{status}"}}"#);
        assert_eq!(server.metrics().get(&series), Some(1.0));
    }
}

#[test]
fn low_priority_is_shed_first_and_every_record_counted() {
    let spool = "[spool]\nmax_bytes = \"256KiB\"\n".to_owned();
    let low = mm("priority = \"low\"\noverload_status = 429");
    let normal = firehose("normal", "required = [\"auction_id\"]");
    let site = Site::new(&[spool, sink_down(), web(""), low, normal].concat());
    let server = site.start();
    deliver(&server, record("early")).expect(200);
    let pad = "p".repeat(4_000);
    let mut sent = 0;
    let answer = loop {
        server.post(track("m").replace("Ordered", &pad)).expect(200);
        sent += 1;
        assert!(sent < 100, "the spool never fills");
        // Without records, so that asking costs nothing.
        let answer = deliver(&server, "");
        if answer.status != 200 {
            break answer.expect(429);
        }
    };
    assert!(answer.retry_after() > 0);
    for body in [BATCH.as_bytes().to_vec(), gzip(BATCH.as_bytes())] {
        let answer = deliver(&server, body).expect(429);
        assert!(answer.retry_after() > 0);
        assert_eq!(counts(&answer), [0; 5]);
        assert_has(&answer, &json!({"shed": 50}));
    }
    assert_metrics_tell(&server.metrics(), "mm", [1, 0, 0, 0, 0, 100]);

    // The others still have room.
    server.post(track("after")).expect(200);
    assert_eq!(counts(&server.send(&delivery("normal", record("after"))).expect(200)), [1, 0, 0, 0, 0]);
    assert_metrics_tell(&server.metrics(), "normal", [1, 0, 0, 0, 0, 0]);
}

#[test]
fn a_rate_that_is_exceeded_is_owed_and_what_comes_meanwhile_is_counted() {
    let site = Site::new(&mm("limits = { events_per_second = 5 }"));
    let server = site.start();
    assert_eq!(counts(&deliver(&server, BATCH).expect(200)), [50, 0, 0, 0, 0]);
    let answer = deliver(&server, BATCH).expect(503);
    assert_has(&answer, &json!({"committed": 0, "shed": 50}));
    assert!(answer.retry_after() > 0);
    assert_metrics_tell(&server.metrics(), "mm", [50, 0, 0, 0, 0, 50]);
}

#[test]
fn a_spool_that_fills_in_the_midst_of_a_delivery_loses_no_count() {
    let spool = "[spool]\nmax_bytes = \"1MiB\"\n".to_owned();
    let site = Site::new(&[spool, sink_down(), mm("")].concat());
    let server = site.start();
    let records: u64 = 20_000;
    let lines: Vec<String> = (0..records).map(|auction| record(&auction.to_string())).collect();
    let answer = deliver(&server, gzip(lines.join("\n").as_bytes())).expect(503);
    assert!(answer.retry_after() > 0);
    let [committed, ..] = counts(&answer);
    let shed = answer.json()["shed"].as_u64().unwrap();
    assert_metrics_tell(&server.metrics(), "mm", [committed, 0, 0, 0, 0, shed]);
    assert_eq!(committed + shed, records, "{}", answer.text());
}
