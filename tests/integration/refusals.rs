//! Refusals: what is wrong is kept, with its reason, before its sender is told.

use serde_json::json;
use sha2::{Digest, Sha256};

use crate::{
    client::{Connection, Request},
    server::{KEY, Site, assert_has, sink_down, source, track, web},
};

#[test]
fn a_refusal_is_durable_before_it_is_answered() {
    let site = Site::new(&[sink_down(), web("")].concat());
    let server = site.start();
    let answer = server.post(r#"{"userId": "told, then killed" }"#).expect(400);
    server.kill();
    site.write_settings(&web(""));
    let server = site.start();
    site.wait_until_stored("refusals", 1);
    let kept: (String, String) = site.row("SELECT refusal_id, CAST(body AS TEXT) FROM refusals");
    assert_eq!(kept, (answer.receipt(), r#"{"userId": "told, then killed" }"#.into()));
    server.stop();
}

#[test]
fn a_refusal_says_everything_but_the_key() {
    let site = Site::new(&web("paths = [\"/hook\"]"));
    let server = site.start();
    let body = r#" { "type":"track", "userId":"u" , "timestamp":"yesterday" } "#;
    let request = Request::new("PATCH", &format!("/hook?debug=1&key={KEY}&more=2")).with_body(body);
    let request =
        request.header("Content-Type", "text/json; charset=utf-8").header("Host", "collect.example:8080");
    let answer = server.send(&request).expect(400);
    assert_has(
        &answer,
        &json!({"committed": false, "rule": "timestamp.invalid", "pointer": "/timestamp",
                "message": "timestamp is not an RFC 3339 timestamp"}),
    );
    site.wait_until_stored("refusals", 1);

    let row: (String,) = site.row(
        "SELECT concat_ws('|', refusal_id, source, rule, pointer, message, element IS NULL, method, path, host, \
         content_type, truncated, state) FROM refusals",
    );
    let expected = "web|timestamp.invalid|/timestamp|timestamp is not an RFC 3339 timestamp|1|PATCH|/hook|\
                    collect.example|text/json; charset=utf-8|0|new";
    assert_eq!(row.0, format!("{}|{expected}", answer.receipt()));
    let (kept, hash, version, age): (Vec<u8>, Vec<u8>, String, f64) = site.row(
        "SELECT body, body_hash, config_version, \
         (julianday('now') - julianday(received_at)) * 86400 FROM refusals",
    );
    // The element itself; the blanks around it are no part of it.
    assert_eq!(String::from_utf8(kept).unwrap(), body.trim());
    assert_eq!(hash, Sha256::digest(body.trim())[..]);
    assert!(!version.is_empty());
    assert!((-1.0..120.0).contains(&age), "received {age} s ago");
    let whole: (String,) = site.row(
        "SELECT concat_ws('|', quote(refusal_id), quote(source), quote(received_at), quote(rule), quote(pointer), \
         quote(message), quote(method), quote(path), quote(host), quote(content_type), quote(config_version), \
         CAST(body AS TEXT)) FROM refusals",
    );
    assert!(!whole.0.contains(KEY) && !whole.0.contains("debug"), "{}", whole.0);
}

#[test]
fn a_body_that_is_not_json_is_kept_byte_for_byte() {
    let site = Site::new(&web(""));
    let server = site.start();
    let bodies: [(&[u8], &str); 7] = [
        (b"", "body.empty"),
        (b" \r\n", "body.empty"),
        (b"{\"a\":\xff}", "body.utf8"),
        (b"\xef\xbb\xbf{}", "body.malformed"),
        (b"{} {}", "body.malformed"),
        (b"{\"n\":NaN}", "body.malformed"),
        (b"7", "body.not_object"),
    ];
    for (body, rule) in bodies {
        assert_has(&server.post(body).expect(400), &json!({"rule": rule, "pointer": ""}));
    }
    server.stop();
    let kept: Vec<(Vec<u8>, String)> = site.rows("SELECT body, rule FROM refusals ORDER BY refusal_id");
    assert_eq!(kept, bodies.map(|(body, rule)| (body.to_vec(), rule.to_owned())));
}

#[test]
fn of_a_large_body_a_mebibyte_is_kept_and_the_hash_of_all() {
    let site = Site::new(&web(""));
    let server = site.start();
    let body: Vec<u8> = b"{".iter().copied().chain((b'a'..=b'w').cycle().take(1_500_000)).collect();
    server.post(body.as_slice()).expect(400);
    server.post(&body[..1 << 20]).expect(400);
    server.stop();
    let kept: Vec<(Vec<u8>, i64, Vec<u8>)> =
        site.rows("SELECT body, truncated, body_hash FROM refusals ORDER BY refusal_id");
    let front = body[..1 << 20].to_vec();
    let expected = [
        (front.clone(), 1, Sha256::digest(&body).to_vec()),
        (front.clone(), 0, Sha256::digest(&front).to_vec()),
    ];
    assert!(kept == expected, "{:?}", kept.iter().map(|row| (row.0.len(), row.1)).collect::<Vec<_>>());
}

#[test]
fn beyond_their_share_refusals_are_kept_without_their_bodies() {
    let site = Site::new(&["[refusals]\nmax_bytes = \"1KiB\"\n".into(), web("")].concat());
    let server = site.start();
    let body = |letter: char| letter.to_string().repeat(600);
    for letter in ['a', 'b'] {
        assert_has(&server.post(body(letter)).expect(400), &json!({"rule": "body.malformed"}));
    }
    server.post(track("m")).expect(200);
    server.post("c").expect(400);
    server.stop();
    let kept: Vec<(String, i64, Vec<u8>)> =
        site.rows("SELECT CAST(body AS TEXT), truncated, body_hash FROM refusals ORDER BY refusal_id");
    let hash = |text: &str| Sha256::digest(text).to_vec();
    let expected =
        [(body('a'), 0, hash(&body('a'))), (String::new(), 1, hash(&body('b'))), ("c".into(), 0, hash("c"))];
    assert_eq!(kept, expected);
    assert_eq!(site.count("events"), 1, "events have the rest of the spool");
}

#[test]
fn what_was_turned_away_at_the_door_leaves_no_refusal() {
    let limited = "secrets = [{ id = \"k\", value = \"k\" }]\nlimits = { events_per_second = 1 }";
    let settings = "[collect]\nbody_timeout = \"200ms\"\n";
    let site =
        Site::new(&[settings.into(), web("limits = { body = 100 }"), source("slow", limited)].concat());
    let server = site.start();
    server.send(&Request::post("/v1/segment/web?key=wrong", "{")).expect(401);
    server.send(&Request::post(&format!("/v1/segment/none?key={KEY}"), "{")).expect(404);
    server.send(&Request::new("DELETE", &format!("/v1/segment/web?key={KEY}")).with_body("{")).expect(405);
    server.post("x".repeat(101)).expect(413);
    let batch = format!("[{}]", vec!["7"; 1_000].join(","));
    server.send(&Request::post("/v1/segment/slow?key=k", "{}")).expect(400);
    server.send(&Request::post("/v1/segment/slow?key=k", batch)).expect(429);

    let mut connection = Connection::open(server.collect).unwrap();
    let head = format!("POST /v1/segment/web?key={KEY} HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n{{");
    connection.write(head.as_bytes()).unwrap();
    connection.read_answer("POST").unwrap().expect(408);

    server.stop();
    let kept: Vec<(String, String)> = site.rows("SELECT source, CAST(body AS TEXT) FROM refusals");
    assert_eq!(kept, [("slow".into(), "{}".into())]);
}
