//! Events and refusals as they become durable.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;

use super::{assert_problem, refused, request, send, token};
use crate::server::{Server, Site, track, until, web};

/// A reader of server-sent events.
struct Tail(BufReader<TcpStream>);

impl Tail {
    fn open(server: &Server<'_>, query: &str) -> Self {
        let stream = TcpStream::connect(server.operate).unwrap();
        stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
        let mut reader = BufReader::new(stream);
        let head = request(server, "GET", &format!("/tail{query}")).head();
        reader.get_mut().write_all(&head).unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert!(reader.read_line(&mut head).unwrap() > 0, "{head}");
        }
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        assert!(head.to_lowercase().contains("text/event-stream"), "{head}");
        Self(reader)
    }

    /// The next event: its name and data.
    fn next(&mut self) -> (String, Value) {
        let (mut name, mut data) = (String::new(), Value::Null);
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream ended early");
            let line = line.trim_end();
            if let Some(event) = line.strip_prefix("event: ") {
                event.clone_into(&mut name);
            } else if let Some(json) = line.strip_prefix("data: ") {
                data = serde_json::from_str(json).unwrap_or(Value::Null);
            } else if line.is_empty() && !name.is_empty() {
                return (name, data);
            }
        }
    }
}

#[test]
fn what_becomes_durable_is_seen_and_filtered() {
    let site = Site::new(&web(""));
    let server = site.start();
    server.post(track("before")).expect(200);
    let mut all = Tail::open(&server, "");
    let mut refusals = Tail::open(&server, "?outcome=refused&rule=user.missing");
    server.post(track("one")).expect(200);
    refused(&server, "two");
    let (name, event) = all.next();
    assert_eq!(
        (name.as_str(), &event["dedup_key"], &event["source"]),
        ("event", &"one".into(), &"web".into())
    );
    let (name, refusal) = all.next();
    assert_eq!((name.as_str(), &refusal["rule"]), ("refusal", &"user.missing".into()));
    assert!(refusal["body"]["data"].as_str().unwrap().contains("two"), "{refusal}");
    assert_eq!(refusals.next().1["rule"], "user.missing");
}

#[test]
fn a_tail_ends_when_the_server_stops_and_holds_it_up_for_nothing() {
    let site = Site::new(&web(""));
    let mut server = site.start();
    let mut tail = Tail::open(&server, "");
    server.signal("TERM");
    assert_eq!(tail.next().0, "end");
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
}

#[test]
fn a_reader_goes_on_where_it_left_off() {
    let site = Site::new(&web(""));
    let server = site.start();
    for key in ["a", "b", "c"] {
        server.post(track(key)).expect(200);
    }
    let stream = TcpStream::connect(server.operate).unwrap();
    let mut reader = BufReader::new(stream);
    let ask = format!(
        "GET /admin/v1/tail HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nLast-Event-ID: 0\r\n\r\n",
        token(&server)
    );
    reader.get_mut().write_all(ask.as_bytes()).unwrap();
    let mut tail = Tail(reader);
    let keys: Vec<Value> = (0..2).map(|_| tail.next().1["dedup_key"].clone()).collect();
    assert_eq!(keys, ["b", "c"]);
}

#[test]
fn a_tail_ends_with_the_token_that_opened_it() {
    let named = |token: &str| format!("[operate]\ntoken = {{ value = \"{token}\" }}\n{}", web(""));
    let site = Site::new(&named("0123456789abcdef0123456789abcdef"));
    let server = site.start();
    let stream = TcpStream::connect(server.operate).unwrap();
    stream.set_read_timeout(Some(Duration::from_mins(1))).unwrap();
    let mut reader = BufReader::new(stream);
    let ask = "GET /admin/v1/tail HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer 0123456789abcdef0123456789abcdef\r\n\r\n";
    reader.get_mut().write_all(ask.as_bytes()).unwrap();
    let mut tail = Tail(reader);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        assert!(tail.0.read_line(&mut head).unwrap() > 0, "{head}");
    }
    server.post(track("before")).expect(200);
    assert_eq!(tail.next().1["dedup_key"], "before");
    site.write_settings(&named("fedcba9876543210fedcba9876543210"));
    server.signal("HUP");
    // The chunk of no bytes ends the answer; the connection may go on.
    let mut line = String::new();
    while line != "0\r\n" {
        line.clear();
        assert!(tail.0.read_line(&mut line).unwrap() > 0, "the connection ended before the answer");
        assert!(!line.starts_with("event: "), "{line}");
    }
}

#[test]
fn a_reader_who_left_gives_its_place_to_another() {
    let site = Site::new(&web(""));
    let server = site.start();
    let all: Vec<Tail> = (0..16).map(|_| Tail::open(&server, "")).collect();
    let one_more = request(&server, "GET", "/tail");
    assert_problem(&send(&server, &one_more), 503, "unavailable");
    drop(all);
    until("a place is free", || (one_more.send(server.operate).ok()?.status == 200).then_some(()));
}
