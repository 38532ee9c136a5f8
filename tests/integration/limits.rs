//! Limits of content, of rate and of memory, at their edges.

use serde_json::json;

use crate::{
    client::{Connection, Request},
    server::{KEY, Site, assert_has, track, until, web},
};

/// An event with one more member.
fn event_with(member: &str) -> String {
    format!(r#"{{"type":"track","userId":"u","timestamp":"2026-01-31T12:00:00Z",{member}}}"#)
}

#[test]
fn sixty_four_levels_pass_and_one_more_does_not() {
    let site = Site::new(&web(""));
    let server = site.start();
    // The event itself is the first level.
    let nested = |levels: usize| {
        event_with(&format!(r#""deep":{}{}"#, "[".repeat(levels - 1), "]".repeat(levels - 1)))
    };
    server.post(nested(64)).expect(200);
    let answer = server.post(nested(65)).expect(400);
    let pointer = format!("/deep{}", "/0".repeat(63));
    assert_has(&answer, &json!({"rule": "depth.exceeded", "pointer": pointer}));
    // Depth is the event's own: a batch adds none.
    server.post(format!("[{}]", nested(64))).expect(200);
    // What no stack could bear is refused like anything else.
    server.post(nested(200_000)).expect(400);
    site.wait_until_stored("events", 2);
}

#[test]
fn numbers_within_their_range_keep_every_digit() {
    let site = Site::new(&web(""));
    let server = site.start();
    let digits = "7".repeat(100);
    let good = [digits.as_str(), "1e308", "-1E-308", "2.50", "-0", "123456789012345678901234567890.10"];
    for number in good {
        server.post(event_with(&format!(r#""number":{number}"#))).expect(200);
    }
    for number in [&format!("{digits}7"), "1e309", "1e-309", "1E+131071"] {
        let answer = server.post(event_with(&format!(r#""list":[0,{{"a/b":{number}}}]"#))).expect(400);
        assert_has(&answer, &json!({"rule": "number.range", "pointer": "/list/1/a~1b"}));
    }
    site.wait_until_stored("events", 6);
    let stored: Vec<(String,)> = site.rows("SELECT event FROM events ORDER BY event_id");
    assert_eq!(stored, good.map(|number| (event_with(&format!(r#""number":{number}"#)),)));
}

#[test]
fn a_full_bucket_lets_a_batch_pass_which_is_then_owed() {
    let site = Site::new(&web("limits = { events_per_second = 10 }"));
    let server = site.start();
    let batch: Vec<String> = (0..1_000).map(|index| track(&format!("m{index}"))).collect();
    assert_has(&server.post(format!("[{}]", batch.join(","))).expect(200), &json!({"committed": 1_000}));
    let answer = server.post(track("later")).expect(429);
    assert_has(&answer, &json!({"committed": false}));
    assert!((10..=100).contains(&answer.retry_after()), "{}", answer.retry_after());
    // A delivery that is owed for is not taken in part.
    server.post(format!("[{},{}]", track("x"), track("y"))).expect(429);
    server.stop();
    assert_eq!(site.count("events"), 1_000);
}

#[test]
fn bodies_share_a_memory_and_wait_their_turn() {
    let site = Site::new(&["[collect]\nbody_memory = \"2MiB\"\n".into(), web("")].concat());
    let server = site.start();
    let blanks = |bytes: usize| format!("{}{}", " ".repeat(bytes), track("large"));
    let body = blanks(1900 << 10);
    let (most, rest) = body.split_at(body.len() - 10);
    let large = Request::post(&format!("/v1/segment/web?key={KEY}"), body.as_str());
    let mut holder = Connection::open(server.collect).unwrap();
    holder.write(&large.head()).unwrap();
    holder.write(most.as_bytes()).unwrap();
    until("the body's memory is set aside", || {
        server.metrics().get("tidegate_body_memory_bytes").filter(|bytes| *bytes > f64::from(1900 << 10))
    });

    let answer = server.post(blanks(300 << 10)).expect(503);
    assert_eq!(answer.retry_after(), 1);
    server.post(track("small")).expect(200);
    // A body that the whole memory could not hold does not wait for it.
    server.post(blanks(2 << 20)).expect(413);

    holder.write(rest.as_bytes()).unwrap();
    holder.read_answer("POST").unwrap().expect(200);
    server.post(blanks(300 << 10)).expect(200);
    assert_eq!(server.metrics().get("tidegate_body_memory_bytes"), Some(0.0));
}
