//! Status, events, receipts and refusals, as they are read.

use serde_json::Value;

use super::{assert_problem, get, refused, request, send};
use crate::{
    client::Request,
    server::{Site, sink_down, track, until, web},
};

#[test]
fn the_status_tells_what_the_server_is_doing() {
    let site = Site::new(&web(""));
    let server = site.start();
    let fresh = get(&server, "/status");
    assert_eq!(fresh["sources"][0]["secrets"][0]["last_used"], Value::Null);
    server.post(track("one")).expect(200);
    server.post(track("one")).expect(200);
    refused(&server, "two");
    site.wait_until_stored("events", 1);
    site.wait_until_stored("refusals", 1);
    let status = get(&server, "/status");
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(status["ready"], true);
    let source = &status["sources"][0];
    assert_eq!((&source["name"], &source["kind"]), (&"web".into(), &"segment".into()));
    let outcomes = &source["outcomes"];
    for (outcome, events) in
        [("received", 3), ("committed", 1), ("duplicate", 1), ("refused", 1), ("shed", 0)]
    {
        assert_eq!(outcomes[outcome], events, "{outcome} in {outcomes}");
    }
    assert_eq!(source["secrets"][0]["id"], "k");
    assert!(source["secrets"][0]["last_used"].is_string(), "{source}");
    assert_eq!(status["spool"]["end"], 3);
    let lane = &status["lanes"][0];
    assert_eq!((&lane["sink"], &lane["state"]), (&"storage".into(), &"running".into()));
    let checks = status["checks"].as_array().unwrap();
    assert!(checks.iter().any(|check| check["name"] == "spool-writable" && check["ok"] == true));
}

#[test]
fn events_are_found_by_what_they_say_and_read_page_by_page() {
    let site = Site::new(&web(""));
    let server = site.start();
    for index in 0..5 {
        server.post(track(&format!("m{index}"))).expect(200);
    }
    let other = r#"{"type":"page","name":"Home","userId":"ü 2","timestamp":"2026-01-31T12:00:00Z","messageId":"p","odd":1.10}"#;
    server.post(other).expect(200);
    site.wait_until_stored("events", 6);
    let found = |query: &str| get(&server, &format!("/events?{query}"))["items"].as_array().unwrap().len();
    for (query, count) in [
        ("", 6),
        ("source=web", 6),
        ("source=other", 0),
        ("type=Ordered", 5),
        ("action=page", 1),
        ("user=%C3%BC%202", 1),
        ("key=m3", 1),
        ("from=2020-01-01T00:00:00Z", 6),
        ("to=2020-01-01T00:00:00Z", 0),
        ("type=Ordered&key=p", 0),
    ] {
        assert_eq!(found(query), count, "{query}");
    }
    let event = &get(&server, "/events?key=p")["items"][0];
    assert_eq!(event["user_id"], "ü 2");
    assert!(
        send(&server, &request(&server, "GET", "/events?key=p")).text().contains("1.10"),
        "what was sent is shown as it was sent"
    );
    let mut keys = Vec::new();
    let mut next = Some(String::new());
    while let Some(cursor) = next {
        let page = get(&server, &format!("/events?limit=4&cursor={cursor}"));
        keys.extend(page["items"].as_array().unwrap().iter().map(|item| item["dedup_key"].clone()));
        next = page["next"].as_str().map(str::to_owned);
    }
    assert_eq!(keys, ["p", "m4", "m3", "m2", "m1", "m0"]);
}

#[test]
fn a_receipt_leads_to_what_became_of_its_delivery() {
    let site = Site::new(&web(""));
    let server = site.start();
    let batch = format!(r#"[{},{{"type":"track"}},{}]"#, track("a"), track("b"));
    let receipt = server.post(batch).expect(200).receipt();
    site.wait_until_stored("events", 2);
    site.wait_until_stored("refusals", 1);
    let report = get(&server, &format!("/receipts/{receipt}"));
    let elements = report["elements"].as_array().unwrap();
    let outcomes: Vec<_> = elements.iter().map(|element| element["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["stored", "refused", "stored"]);
    assert_eq!(elements[1]["refusal"]["rule"], "user.missing");
    let one = get(&server, &format!("/receipts/{receipt}/2"));
    assert_eq!(one["elements"][0]["event"]["dedup_key"], "b");
    let id = one["elements"][0]["id"].as_str().unwrap();
    assert_eq!(get(&server, &format!("/receipts/{id}"))["elements"].as_array().unwrap().len(), 1);
    let answer = send(&server, &request(&server, "GET", &format!("/receipts/{receipt}/3")));
    assert_problem(&answer, 404, "not_found");
}

#[test]
fn a_receipt_is_found_in_the_spool_while_the_sink_is_down() {
    let site = Site::new(&[sink_down(), web("")].concat());
    let server = site.start();
    let receipt = server.post(track("waits")).expect(200).receipt();
    // The database cannot be asked; the spool can, and what it holds is the answer.
    let report = until("the receipt is found", || {
        let answer = send(&server, &request(&server, "GET", &format!("/receipts/{receipt}")));
        (answer.status == 200).then(|| answer.json())
    });
    assert_eq!(report["elements"][0]["outcome"], "in_spool");
    let answer = send(&server, &request(&server, "GET", "/events"));
    assert_problem(&answer, 503, "storage_unavailable");
    assert!(answer.header("retry-after").is_some());
}

#[test]
fn a_refusal_is_shown_with_its_body_as_it_was_sent() {
    let site = Site::new(&web(""));
    let server = site.start();
    refused(&server, "text");
    let wire = b"\x00\xff not json".to_vec();
    server.send(&Request::post(&format!("/v1/segment/web?key={}", crate::server::KEY), wire)).expect(400);
    site.wait_until_stored("refusals", 2);
    let list = get(&server, "/refusals");
    let items = list["items"].as_array().unwrap();
    assert_eq!(items.len(), 2);
    assert!(items[0].get("body").is_none(), "a list shows no bodies");
    let summary = get(&server, "/refusals/summary?rule=user.missing");
    assert_eq!((&summary["items"][0]["count"], &summary["items"][0]["state"]), (&1.into(), &"new".into()));
    let shown = |rule: &str| {
        let item = &get(&server, &format!("/refusals?rule={rule}"))["items"][0];
        get(&server, &format!("/refusals/{}", item["refusal_id"].as_str().unwrap()))
    };
    let text = shown("user.missing");
    assert_eq!(text["pointer"], "/userId");
    assert_eq!(text["body"]["encoding"], "utf-8");
    assert!(text["body"]["data"].as_str().unwrap().contains(r#""messageId":"text""#));
    let bytes = shown("body.utf8");
    assert_eq!(
        (&bytes["body"]["encoding"], &bytes["body"]["data"]),
        (&"base64".into(), &"AP8gbm90IGpzb24=".into())
    );
}
