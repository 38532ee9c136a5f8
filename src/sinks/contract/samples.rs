//! Rows for checks. Their JSON is written as jsonb prints it, so that every sink gives back the same bytes.

use bytes::Bytes;
use uuid::Uuid;

use crate::{
    event::{
        record::{Event, Refusal, content_hash},
        time::{EARLIEST, LATEST},
    },
    sinks::Batch,
};

/// An event with this number as its id, its own content and no key.
pub(super) fn event(number: u64) -> Event {
    let json = Bytes::from(format!(r#"{{"number": {number}}}"#));
    Event {
        event_id_high: 0x0190_0000_0000_7000,
        event_id_low: number,
        source: "mobile".into(),
        kind: "segment".into(),
        action: "track".into(),
        time: i64::try_from(number).unwrap() * 1_000_003,
        received_at: 1_767_225_600_000_001,
        event_hash: content_hash(&json),
        event: json,
        context: Bytes::from_static(b"{}"),
        ..Event::default()
    }
}

/// The same with a key.
pub(super) fn keyed(number: u64, key: &str) -> Event {
    Event { dedup_key: Some(key.into()), ..event(number) }
}

/// A refusal with this number as its id.
pub(super) fn refusal(number: u64) -> Refusal {
    Refusal {
        refusal_id_high: 0x0190_0000_0000_7000,
        refusal_id_low: number,
        source: "mobile".into(),
        received_at: 1_767_225_600_000_002,
        rule: "user.missing".into(),
        ..Refusal::default()
    }
}

/// A batch of these rows that begins at `from`, where the cursor stands, or begins with the batch.
pub(super) fn batch<'a>(
    spool: u128,
    begins: bool,
    from: u64,
    events: &'a [Event],
    refusals: &'a [Refusal],
) -> Batch<'a> {
    Batch {
        spool_id: Uuid::from_u128(spool),
        expected: (!begins).then_some(from),
        from,
        to: from + (events.len() + refusals.len()) as u64,
        events: events.iter().collect(),
        refusals: refusals.iter().collect(),
        dead: 0,
        gaps: 0,
    }
}

/// Events whose values are hard to keep: everything set, everything empty, and the ends of time.
pub(super) fn difficult_events() -> Vec<Event> {
    let full = Event {
        source: "ünï-'source'".into(),
        kind: "bof".into(),
        dedup_key: Some("key; DROP TABLE events; --".into()),
        action: "an action".into(),
        event_type: "{\"not\", \"an\", array}".into(),
        name: "\\N \\x41 %s $1 ?".into(),
        event_source: "tab\tnewline\ncarriage\rquote\"".into(),
        time: EARLIEST,
        received_at: LATEST,
        user_id: Some("NULL".into()),
        anonymous_id: Some(String::new()),
        username: Some("Ørsted 漢字 👩‍🚀".into()),
        page: Some("{}".into()),
        host: "example.org".into(),
        agent: "\u{fffd}\u{200b}\u{10ffff}".into(),
        ip: "2001:db8::1".into(),
        event: Bytes::from_static(
            r#"{"a": 12345678901234567890, "b": 1.50, "c": "\"é\\ 👩‍🚀\n", "d": [null, true, {}], "long": -0.000000000000000000001}"#
                .as_bytes(),
        ),
        context: Bytes::from_static(b"null"),
        event_hash: Bytes::from_static(b"\0\x01\xff'\\x"),
        sanitised: true,
        ..event(1)
    };
    let empty = Event {
        event_id_high: u64::MAX,
        event_id_low: u64::MAX,
        source: "s".into(),
        event: Bytes::from_static(b"\"\""),
        context: Bytes::from_static(b"[]"),
        ..Event::default()
    };
    let times = [-1, 0, 1, EARLIEST + 1, 951_782_400_123_456].into_iter().zip(10..);
    let at_times = times.map(|(time, number)| Event { time, received_at: time, ..event(number) });
    [full, empty].into_iter().chain(at_times).collect()
}

/// The same for refusals.
pub(super) fn difficult_refusals() -> Vec<Refusal> {
    let full = Refusal {
        source: "ünï-'source'".into(),
        received_at: EARLIEST,
        rule: "json.syntax".into(),
        pointer: "/a~1b/0/'".into(),
        message: "words\nand \"quotes\"".into(),
        element: Some(u32::MAX),
        method: "POST".into(),
        path: "/v1/segment/möbile".into(),
        content_type: "application/json; content-encoding=gzip".into(),
        config_version: "c0ffee".into(),
        body: (0..=255).collect::<Vec<u8>>().into(),
        truncated: true,
        body_hash: content_hash(b"body"),
        host: "example.org".into(),
        metadata: Bytes::from_static(r#"{"x-mm-datacenter": "ew\"ré"}"#.as_bytes()),
        ..refusal(2)
    };
    vec![full, refusal(3)]
}
