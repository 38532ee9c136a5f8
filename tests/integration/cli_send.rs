//! `tidegate send`: a sender that is let in, signs, packs, and tells the truth about the answers.

use std::process::Output;

use serde_json::{Value, json};

use crate::server::{KEY, Server, Site, free_address, source, web};

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned()
}

/// Sends to a running server; its address is not that of the settings, which tests share.
fn send(server: &Server<'_>, arguments: &[&str]) -> Output {
    let mut command = server.site.command(&[&["send"], arguments].concat());
    command.env("TIDEGATE_COLLECT__LISTEN", server.collect.to_string()).output().unwrap()
}

/// Sends, which must end so, and answers the summary.
#[track_caller]
fn summary(server: &Server<'_>, arguments: &[&str], code: i32) -> Value {
    let output = send(server, &[arguments, &["--json"]].concat());
    assert_eq!(output.status.code(), Some(code), "{}", said(&output));
    assert!(!said(&output).contains(KEY), "the key is never shown");
    serde_json::from_slice(&output.stdout).unwrap()
}

fn bof(name: &str) -> String {
    format!(
        "[[source]]\nname = \"{name}\"\nkind = \"bof\"\nsecrets = [{{ id = \"k\", value = \"{KEY}\" }}]\n"
    )
}

#[test]
fn made_up_events_are_committed_and_stored_once_each() {
    let strict = source(
        "signed",
        &format!(
            "preset = \"edx\"\nallowed_channels = [\"server\"]\nallowed_actions = [\"track\", \"page\", \"screen\"]\n\
             secrets = [{{ id = \"old\", value = \"gone\", not_after = \"2020-01-01T00:00:00Z\" }}, {{ id = \"k\", value = \"{KEY}\" }}]\n\
             signing_secret = {{ value = \"{KEY}\" }}\n"
        ),
    );
    let site = Site::new(&[web(""), strict, bof("mm")].concat());
    let server = site.start();
    let sent = summary(&server, &["web", "--count", "25", "--batch", "10"], 0);
    assert_eq!((&sent["events"], &sent["deliveries"]), (&json!(25), &json!(3)));
    assert_eq!((&sent["statuses"], &sent["outcomes"]), (&json!({"200": 3}), &json!({"committed": 25})));
    assert!(sent["latency_ms"]["max"].as_f64().unwrap() >= sent["latency_ms"]["p50"].as_f64().unwrap());
    let sent = summary(&server, &["signed", "--count", "7", "--concurrency", "1"], 0);
    assert_eq!(sent["outcomes"], json!({"committed": 7}), "with the live secret, and signed");
    let sent = summary(&server, &["signed", "--count", "7", "--batch", "7"], 0);
    assert_eq!(sent["outcomes"], json!({"committed": 7}), "the first of a batch is signed");
    let sent = summary(&server, &["mm", "--batch", "40"], 0);
    assert_eq!((&sent["deliveries"], &sent["outcomes"]), (&json!(3), &json!({"committed": 100})));
    site.wait_until_stored("events", 25 + 14 + 100);
    assert_eq!(site.count("refusals"), 0);
}

#[test]
fn the_records_of_a_file_are_sent_and_what_is_refused_is_told() {
    let site = Site::new(&[web(""), bof("mm")].concat());
    let server = site.start();
    let event = |id: &str, user: &str| {
        format!(
            r#"{{"type":"track","event":"A","messageId":"{id}",{user}"timestamp":"2026-01-31T12:00:00Z"}}"#
        )
    };
    let good = event("m-1", "\"userId\":\"u\",");
    site.write("mixed.json", &format!("{good}\n{}\n{good}", event("m-2", "")));
    let sent = summary(&server, &["web", "--file", "mixed.json", "--batch", "100"], 0);
    assert_eq!(sent["outcomes"], json!({"committed": 2, "duplicates": 1, "refused": 1}));
    assert_eq!(sent["rules"], json!({"user.missing": 1}));
    let sent = summary(&server, &["web", "--file", "mixed.json", "--concurrency", "1"], 1);
    assert_eq!(sent["statuses"], json!({"200": 2, "400": 1}), "an answer that is no success is a failure");
    let sent = summary(&server, &["web", "--file", "mixed.json", "--count", "1"], 0);
    assert_eq!(sent["events"], json!(1));

    let fixture = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/bof/opportunities.jsonl.gz");
    let sent = summary(&server, &["mm", "--file", fixture, "--batch", "100"], 0);
    assert_eq!((&sent["events"], &sent["deliveries"]), (&json!(300), &json!(3)));

    site.write("broken.json", &format!("[{good},{good}"));
    let output = send(&server, &["web", "--file", "broken.json", "--batch", "5"]);
    assert_eq!(output.status.code(), Some(65), "{}", said(&output));
    let words = said(&output);
    assert!(words.contains("what begins as record 3 is no JSON"), "{words}");
    assert!(words.contains("sent      2 events in 1 deliveries"), "what came before is sent: {words}");
    assert_eq!(send(&server, &["web", "--file", "gone.json"]).status.code(), Some(65));
}

#[test]
fn a_key_of_ones_own_opens_an_address_of_ones_own() {
    let site = Site::new(&web(""));
    let server = site.start();
    site.write("key", &format!("{KEY}\n"));
    site.write("wrong", "wrong\n");
    let url = format!("http://{}/v1/segment/web", server.collect);
    let to_url = ["--url", &url, "--kind", "segment"];
    let with = |more: &[&str], code| summary(&server, &[&to_url, more].concat(), code);
    assert_eq!(with(&["--key-file", "key", "--count", "2"], 0)["outcomes"], json!({"committed": 2}));
    let sent = with(&["--key-file", "wrong", "--count", "1000"], 77);
    let events = sent["events"].as_u64().unwrap();
    assert!((1..1000).contains(&events) && sent["not_taken"] == sent["events"], "it stops by itself: {sent}");
    let output = send(&server, &to_url);
    assert_eq!(
        output.status.code(),
        Some(65),
        "the key of the settings goes nowhere else: {}",
        said(&output)
    );
    let mut command = server.site.command(&[&["send"], &to_url[..], &["--count", "1"]].concat());
    assert_eq!(command.env("TIDEGATE_KEY", KEY).output().unwrap().status.code(), Some(0));
    assert_eq!(site.run(&["send", "nobody"]).status.code(), Some(65));
    for usage in [
        &["send"][..],
        &["send", "web", "--url", &url],
        &["send", "--url", &url],
        &["send", "web", "--batch", "0"],
    ] {
        assert_eq!(site.run(usage).status.code(), Some(2), "{usage:?}");
    }
}

#[test]
fn nobody_there_is_69() {
    let site = Site::new(&web(""));
    let mut command = site.command(&["send", "web"]);
    let nobody = free_address().to_string();
    let output = command.env("TIDEGATE_COLLECT__LISTEN", &nobody).output().unwrap();
    assert_eq!(output.status.code(), Some(69), "{}", said(&output));
    assert!(
        said(&output).contains(&format!("no answer from http://{nobody}/v1/segment/web: ")),
        "{}",
        said(&output)
    );
    assert!(!said(&output).contains(KEY));
}
