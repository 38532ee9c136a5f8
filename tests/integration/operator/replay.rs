//! Refusals are judged again, and discarded.

use serde_json::json;

use super::{get, post, refused};
use crate::server::{Server, Site, track, until, web};

const EDX: &str = r#"required = ["userId", "timestamp"]"#;
const LENIENT: &str = r#"required = ["timestamp"]"#;

/// Puts other settings in force by the admin API.
fn reload(server: &Server<'_>, settings: &str) {
    server.site.write_settings(settings);
    let reloaded = post(server, "/reload", &json!({}));
    assert_eq!(reloaded["needs_restart"], json!([]));
}

#[test]
fn what_the_mended_rules_accept_is_stored_once_and_the_rest_stays() {
    let site = Site::new(&web(EDX));
    let server = site.start();
    let first = refused(&server, "r0").receipt();
    for index in 1..50 {
        refused(&server, &format!("r{index}"));
    }
    server.post(r#"{"type":"track","event":"x","messageId":"untimely"}"#).expect(400);
    site.wait_until_stored("refusals", 51);

    let before = post(&server, "/refusals/replay", &json!({ "dry_run": true }));
    assert_eq!((&before["considered"], &before["stored"]), (&51.into(), &0.into()), "{before}");
    assert_eq!(before["refused"], json!({ "user.missing": 51 }));

    reload(&server, &web(LENIENT));
    let dry = post(&server, "/refusals/replay", &json!({ "source": "web", "dry_run": true }));
    assert_eq!((&dry["stored"], &dry["refused"]), (&50.into(), &json!({ "timestamp.missing": 1 })), "{dry}");
    assert_eq!(site.count("events"), 0, "a dry run stores nothing");

    let replayed = post(&server, "/refusals/replay", &json!({ "rule": "user.missing" }));
    assert_eq!((&replayed["stored"], &replayed["next"]), (&50.into(), &json!(null)), "{replayed}");
    site.wait_until_stored("events", 50);
    let again = post(&server, "/refusals/replay", &json!({}));
    assert_eq!((&again["considered"], &again["stored"]), (&1.into(), &0.into()), "{again}");
    let (id,): (String,) = site.row("SELECT event_id FROM events WHERE dedup_key = 'r0'");
    assert_eq!(id, first, "a replay stores under the refusal's id");
    let states: Vec<(String, i64)> =
        site.rows("SELECT state, count(*) FROM refusals GROUP BY state ORDER BY state");
    assert_eq!(states, [("new".to_owned(), 1), ("replayed".to_owned(), 50)]);
    until("the audit holds", || (get(&server, "/audit")["holds"] == true).then_some(()));
}

#[test]
fn a_replay_of_what_came_again_meanwhile_is_a_duplicate() {
    let site = Site::new(&web(EDX));
    let server = site.start();
    refused(&server, "same");
    server.post(track("same")).expect(200);
    site.wait_until_stored("refusals", 1);
    site.wait_until_stored("events", 1);
    reload(&server, &web(LENIENT));
    for dry_run in [true, false] {
        let replayed = post(&server, "/refusals/replay", &json!({ "dry_run": dry_run }));
        assert_eq!((&replayed["stored"], &replayed["duplicates"]), (&0.into(), &1.into()), "{replayed}");
    }
    assert_eq!(site.count("events"), 1);
}

/// A third event with the key of a conflict comes after the first is gone, and waits in the spool while the second is
/// replayed: the lane finds the key taken when the replay has long said that it was free.
#[test]
fn a_replayed_conflict_that_loses_its_key_again_is_new_again() {
    let site = Site::new(&web(""));
    let server = site.start();
    let version = |content: &str| {
        format!(
            r#"{{"type":"track","event":"{content}","userId":"u","timestamp":"2026-01-31T12:00:00Z","messageId":"k"}}"#
        )
    };
    server.post(version("v1")).expect(200);
    let second = server.post(version("v2")).expect(200).receipt();
    site.wait_until_stored("refusals", 1);
    let before = json!({ "before": "9999-01-01T00:00:00Z", "events": true, "refusals": false });
    assert_eq!(post(&server, "/prune", &before)["events"], 1);

    post(&server, "/lanes/storage/pause", &json!({}));
    server.post(version("v3")).expect(200);
    let replayed = post(&server, "/refusals/replay", &json!({}));
    assert_eq!((&replayed["considered"], &replayed["stored"]), (&1.into(), &1.into()), "{replayed}");
    let receipt = get(&server, &format!("/receipts/{second}"));
    assert_eq!(receipt["elements"][0]["outcome"], "in_spool", "{receipt}");
    post(&server, "/lanes/storage/resume", &json!({}));
    until("the lane has caught up", || {
        (get(&server, "/status")["lanes"][0]["lag_records"] == 0).then_some(())
    });
    let names: Vec<(String,)> = site.rows("SELECT name FROM events");
    assert_eq!(names, [("v3".to_owned(),)]);
    let refusals: Vec<(String, String, String)> = site.rows("SELECT refusal_id, rule, state FROM refusals");
    assert_eq!(refusals, [(second, "dedup.conflict".to_owned(), "new".to_owned())]);
    let audit = get(&server, "/audit");
    assert_eq!(audit["holds"], true, "{audit}");

    assert_eq!(post(&server, "/refusals/replay", &json!({}))["refused"], json!({ "dedup.conflict": 1 }));
    assert_eq!(post(&server, "/prune", &before)["events"], 1);
    assert_eq!(post(&server, "/refusals/replay", &json!({}))["stored"], 1);
    site.wait_until_stored("events", 1);
    let names: Vec<(String,)> = site.rows("SELECT name FROM events");
    assert_eq!(names, [("v2".to_owned(),)], "it is stored once its key is free");
}

#[test]
fn what_is_discarded_is_not_judged_again() {
    let site = Site::new(&web(EDX));
    let server = site.start();
    refused(&server, "a");
    refused(&server, "b");
    site.wait_until_stored("refusals", 2);
    let id = get(&server, "/refusals")["items"][0]["refusal_id"].clone();
    assert_eq!(post(&server, "/refusals/discard", &json!({ "ids": [id], "dry_run": true }))["discarded"], 1);
    assert_eq!(post(&server, "/refusals/discard", &json!({ "ids": [id] }))["discarded"], 1);
    assert_eq!(post(&server, "/refusals/discard", &json!({ "ids": [id] }))["discarded"], 0);
    assert_eq!(post(&server, "/refusals/replay", &json!({ "dry_run": true }))["considered"], 1);
    assert_eq!(get(&server, "/refusals?state=discarded")["items"].as_array().unwrap().len(), 1);
}
