//! Settings are reloaded, rows pruned, sums checked.

use serde_json::json;

use super::{assert_problem, get, post, refused, request, send};
use crate::server::{Site, track, until, web};

#[test]
fn settings_with_mistakes_are_told_and_change_nothing() {
    let site = Site::new(&web(""));
    let server = site.start();
    let version = get(&server, "/status")["config_version"].clone();
    site.write_settings(&web("colour = \"red\""));
    let answer = send(&server, &request(&server, "POST", "/reload"));
    assert_problem(&answer, 422, "settings_invalid");
    let mistake = &answer.json()["mistakes"][0];
    assert_eq!(mistake["key"], "source.web.colour");
    assert!(mistake["line"].is_u64(), "{mistake}");
    let status = get(&server, "/status");
    assert_eq!(
        (&status["config_version"], &status["config"]["reload_successful"]),
        (&version, &false.into())
    );
    site.write_settings(&format!("[shutdown]\ngrace = \"9s\"\n{}", web("")));
    let reloaded = post(&server, "/reload", &json!({}));
    assert_eq!(reloaded["needs_restart"], json!(["shutdown.grace"]));
    assert_eq!(get(&server, "/status")["config"]["reload_successful"], true);
}

#[test]
fn pruned_rows_are_gone_and_still_accounted_for() {
    let site = Site::new(&web(""));
    let server = site.start();
    for key in ["a", "b"] {
        server.post(track(key)).expect(200);
    }
    let other =
        r#"{"type":"track","event":"x","userId":"u2","timestamp":"2026-01-31T12:00:00Z","messageId":"c"}"#;
    server.post(other).expect(200);
    refused(&server, "d");
    site.wait_until_stored("events", 3);
    site.wait_until_stored("refusals", 1);
    let everything = "2100-01-01T00:00:00Z";
    let dry = post(&server, "/prune", &json!({ "before": everything, "dry_run": true }));
    assert_eq!((&dry["events"], &dry["refusals"]), (&3.into(), &1.into()), "{dry}");
    let user = post(&server, "/prune", &json!({ "before": everything, "user": "u2" }));
    assert_eq!((&user["events"], &user["refusals"]), (&1.into(), &0.into()), "{user}");
    let events = post(&server, "/prune", &json!({ "before": everything, "refusals": false }));
    assert_eq!((&events["events"], &events["refusals"]), (&2.into(), &0.into()), "{events}");
    assert_eq!((site.count("events"), site.count("refusals")), (0, 1));
    let audit = get(&server, "/audit");
    assert_eq!(audit["holds"], true, "{audit}");
    // Pruned keys may come again.
    server.post(track("a")).expect(200);
    site.wait_until_stored("events", 1);
}

#[test]
fn rows_older_than_they_are_kept_for_go_by_themselves() {
    let site = Site::new(&web(""));
    let server = site.start();
    server.post(track("old")).expect(200);
    site.wait_until_stored("events", 1);
    server.stop();
    site.execute("UPDATE events SET received_at = '2020-01-01T00:00:00.000000Z', event_id = '016f5e66-e800-7000-8000-000000000000'");
    site.write_settings(&format!("[storage]\nkeep = \"30d\"\n{}", web("")));
    let server = site.start();
    until("the old row is gone", || (site.count("events") == 0).then_some(()));
    server.post(track("new")).expect(200);
    site.wait_until_stored("events", 1);
}

#[test]
fn a_row_that_vanished_shows_in_the_audit() {
    let site = Site::new(&web(""));
    let server = site.start();
    server.post(track("a")).expect(200);
    server.post(track("b")).expect(200);
    site.wait_until_stored("events", 2);
    assert_eq!(get(&server, "/audit")["holds"], true);
    site.execute("DELETE FROM events WHERE dedup_key = 'a'");
    let audit = get(&server, "/audit");
    assert_eq!(audit["holds"], false, "{audit}");
}
