//! Lanes are paused and resumed, and their dead letters looked after.

use serde_json::{Value, json};

use super::{assert_problem, get, post, request, send};
use crate::server::{Site, track, until, web};

#[test]
fn a_paused_lane_keeps_everything_and_resumes_at_once() {
    let site = Site::new(&web(""));
    let server = site.start();
    server.post(track("before")).expect(200);
    site.wait_until_stored("events", 1);
    let lane = post(&server, "/lanes/storage/pause", &json!({}));
    assert_eq!(lane["sink"], "storage");
    until("the lane is paused", || {
        let lane = &get(&server, "/status")["lanes"][0];
        (lane["state"] == "paused" && lane["trouble"] == "operator").then_some(())
    });
    for index in 0..10 {
        server.post(track(&format!("during{index}"))).expect(200);
    }
    assert_eq!(get(&server, "/status")["lanes"][0]["lag_records"], 10);
    assert_eq!(site.count("events"), 1);
    assert_eq!(server.metrics().get(r#"tidegate_lane_paused{sink="storage"}"#), Some(1.0));
    post(&server, "/lanes/storage/resume", &json!({}));
    site.wait_until_stored("events", 11);
}

#[test]
fn a_pause_ends_with_the_process_and_holds_up_no_stop() {
    let site = Site::new(&web(""));
    let server = site.start();
    post(&server, "/lanes/storage/pause", &json!({}));
    server.post(track("waits")).expect(200);
    server.stop();
    let server = site.start();
    site.wait_until_stored("events", 1);
    assert_eq!(get(&server, "/status")["lanes"][0]["state"], "running");
}

#[test]
fn dead_letters_are_listed_shown_requeued_and_discarded() {
    let site = Site::new(&web(""));
    let server = site.start();
    server.post(track("fine")).expect(200);
    site.wait_until_stored("events", 1);
    // A trigger makes some rows poison, as a constraint of somebody else's would.
    site.execute(
        "CREATE TRIGGER poison BEFORE INSERT ON events WHEN NEW.dedup_key LIKE 'bad%' \
         BEGIN SELECT RAISE(ABORT, 'bad row'); END",
    );
    for key in ["bad1", "bad2", "good"] {
        server.post(track(key)).expect(200);
    }
    let letters = until("two letters", || {
        let letters = get(&server, "/dead-letters")["items"].as_array().unwrap().clone();
        (letters.len() == 2).then_some(letters)
    });
    site.wait_until_stored("events", 2);
    let id = |index: usize| letters[index]["id"].as_str().unwrap().to_owned();
    assert_eq!((&letters[0]["sink"], &letters[0]["kind"]), (&"storage".into(), &"event".into()));
    let shown = get(&server, &format!("/dead-letters/storage/{}", id(0)));
    assert!(shown["record"]["dedup_key"].as_str().unwrap().starts_with("bad"), "{shown}");

    let still = post(&server, "/dead-letters/requeue", &json!({ "sink": "storage", "all": true }));
    assert_eq!((&still["requeued"], &still["remaining"]), (&0.into(), &2.into()), "{still}");
    assert_eq!((still["failed"].as_array().unwrap().len(), &still["next"]), (2, &Value::Null));
    let behind =
        post(&server, "/dead-letters/requeue", &json!({ "sink": "storage", "all": true, "after": id(1) }));
    assert_eq!(behind["failed"].as_array().unwrap().len(), 1);
    assert_eq!(behind["failed"][0]["id"], id(0), "the newer one is behind the older one");
    site.execute("DROP TRIGGER poison");
    let one = post(&server, "/dead-letters/requeue", &json!({ "sink": "storage", "ids": [id(0)] }));
    assert_eq!((&one["requeued"], &one["remaining"]), (&1.into(), &1.into()), "{one}");
    site.wait_until_stored("events", 3);
    let discarded = post(&server, "/dead-letters/discard", &json!({ "sink": "storage", "ids": [id(1)] }));
    assert_eq!(discarded["discarded"], 1);
    assert_eq!(get(&server, "/dead-letters")["items"], json!([]));
    let gone = send(&server, &request(&server, "GET", &format!("/dead-letters/storage/{}", id(1))));
    assert_problem(&gone, 404, "not_found");
    let audit = get(&server, "/audit");
    assert_eq!(audit["holds"], true, "{audit}");
}
