//! Batches: what is told about them, and what is stored of them.

use serde_json::json;
use uuid::Uuid;

use crate::server::{Site, assert_has, track, web};

fn batch(elements: impl IntoIterator<Item = String>) -> String {
    format!("[{}]", elements.into_iter().collect::<Vec<_>>().join(","))
}

#[test]
fn one_bad_element_costs_no_other() {
    let site = Site::new(&web("allowed_channels = [\"web\"]"));
    let server = site.start();
    let event = |id: &str, more: &str| {
        format!(
            r#"{{"type":"track","channel":"web","userId":"u","timestamp":"2026-01-31T12:00:00Z","messageId":"{id}"{more}}}"#
        )
    };
    let elements = [
        event("a", ""),
        "7".into(),
        event("b", r#","timestamp":"soon""#),
        event("c", r#","channel":"tv""#),
        event("a", ""),
        "null".into(),
        event("d", ""),
    ];
    let answer = server.post(batch(elements)).expect(200);
    assert_has(
        &answer,
        &json!({
            "committed": 3, "ignored": 1, "refused": 3, "duplicates": 1,
            "results": [
                {"index": 1, "outcome": "refused", "rule": "body.not_object", "pointer": ""},
                {"index": 2, "outcome": "refused", "rule": "timestamp.invalid", "pointer": "/timestamp"},
                {"index": 3, "outcome": "ignored", "rule": "channel.ignored", "pointer": "/channel"},
                {"index": 4, "outcome": "duplicate"},
                {"index": 5, "outcome": "refused", "rule": "body.not_object", "pointer": ""},
            ],
        }),
    );
    site.wait_until_stored("events", 2);
    site.wait_until_stored("refusals", 3);

    // Element i is stored under the receipt with i in its last 16 bits.
    let receipt: Uuid = answer.receipt().parse().unwrap();
    assert_eq!(receipt.get_version_num(), 7);
    assert_eq!(receipt.as_u128() & 0xffff, 0);
    let id = |index: u128| Uuid::from_u128(receipt.as_u128() | index).to_string();
    let events: Vec<(String, String)> = site.rows("SELECT event_id, dedup_key FROM events ORDER BY event_id");
    assert_eq!(events, [(id(0), "a".into()), (id(6), "d".into())]);
    let refusals: Vec<(String, i64, String)> =
        site.rows("SELECT refusal_id, element, CAST(body AS TEXT) FROM refusals ORDER BY refusal_id");
    let expected =
        [(id(1), 1, "7".into()), (id(2), 2, event("b", r#","timestamp":"soon""#)), (id(5), 5, "null".into())];
    assert_eq!(refusals, expected);
}

#[test]
fn an_empty_batch_is_fine() {
    let site = Site::new(&web(""));
    let server = site.start();
    for body in ["[]", " [ \n] "] {
        let zeros = json!({"committed": 0, "ignored": 0, "refused": 0, "duplicates": 0, "results": []});
        assert_has(&server.post(body).expect(200), &zeros);
    }
    server.stop();
    assert_eq!((site.count("events"), site.count("refusals")), (0, 0));
}

#[test]
fn only_a_batch_that_is_refused_whole_is_answered_400() {
    let site = Site::new(&web("allowed_actions = [\"track\"]"));
    let server = site.start();
    let answer = server.post(batch(["1".into(), "{}".into(), "[]".into()]));
    // `{}` lacks an action: nobody wants it, which is no fault of the sender.
    assert_has(&answer.expect(200), &json!({"committed": 0, "ignored": 1, "refused": 2}));
    let answer = server.post(batch(["1".into(), "\"{}\"".into()])).expect(400);
    assert_has(&answer, &json!({"committed": 0, "ignored": 0, "refused": 2}));
    let answer = server.post(batch([track("m"), "1".into()])).expect(200);
    assert_has(&answer, &json!({"committed": 1, "refused": 1}));
    site.wait_until_stored("refusals", 5);
    site.wait_until_stored("events", 1);
}

#[test]
fn a_malformed_batch_is_one_refusal() {
    let site = Site::new(&web(""));
    let server = site.start();
    let body = format!("[{},{}", track("a"), track("b"));
    let answer = server.post(body.as_str()).expect(400);
    assert_has(&answer, &json!({"committed": false, "rule": "body.malformed", "pointer": ""}));
    site.wait_until_stored("refusals", 1);
    let kept: (Option<i64>, String) = site.row("SELECT element, CAST(body AS TEXT) FROM refusals");
    assert_eq!(kept, (None, body));
    server.stop();
    assert_eq!(site.count("events"), 0);
}

#[test]
fn four_thousand_events_pass_and_one_more_is_too_many() {
    let site = Site::new(&web(""));
    let server = site.start();
    let events = |count: usize| batch((0..count).map(|index| track(&format!("m{index}"))));
    let answer = server.post(events(4_001)).expect(413);
    assert!(answer.text().contains("limits.batch"), "{}", answer.text());
    let answer = server.post(events(4_000)).expect(200);
    assert_has(&answer, &json!({"committed": 4_000, "refused": 0, "duplicates": 0, "results": []}));
    site.wait_until_stored("events", 4_000);
    let last: Uuid =
        site.row::<(String,)>("SELECT event_id FROM events WHERE dedup_key = 'm3999'").0.parse().unwrap();
    let receipt: Uuid = answer.receipt().parse().unwrap();
    assert_eq!(last.as_u128() - receipt.as_u128(), 3_999);
    assert_eq!(site.count("refusals"), 0, "what is too large is not kept");
}

#[test]
fn a_delivery_sent_again_says_so_and_is_stored_once() {
    let site = Site::new(&web(""));
    let server = site.start();
    let first = server.post(track("a")).expect(200);
    assert_eq!(first.json().get("duplicate"), None);
    assert_has(&server.post(track("a")).expect(200), &json!({"committed": true, "duplicate": true}));
    let answer = server.post(batch([track("a"), track("b")])).expect(200);
    let results = json!([{"index": 0, "outcome": "duplicate"}]);
    assert_has(&answer, &json!({"committed": 2, "duplicates": 1, "results": results}));
    server.stop();
    let stored: Vec<(String, String)> =
        site.rows("SELECT dedup_key, event_id FROM events ORDER BY dedup_key");
    assert_eq!(stored.len(), 2);
    assert_eq!(stored[0], ("a".into(), first.receipt()));
}
