//! The commands and a real server, as an operator uses them: a rule refuses events, they are found, explained and
//! replayed, and nothing is left unexplained.

use std::{
    io::{BufRead as _, BufReader},
    process::{Output, Stdio},
};

use serde_json::{Value, json};

use crate::server::{KEY, Server, Site, source, track, until, web};

/// Runs a command beside a server, which must end so.
#[track_caller]
fn run(server: &Server<'_>, arguments: &[&str], code: i32) -> Output {
    let output = command(server, arguments).output().unwrap();
    let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    output
}

fn command(server: &Server<'_>, arguments: &[&str]) -> std::process::Command {
    let mut command = server.site.command(arguments);
    command.env("TIDEGATE_OPERATE__LISTEN", server.operate.to_string());
    command.env("TIDEGATE_COLLECT__LISTEN", server.collect.to_string());
    command
}

fn text(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    text(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The source `web`, which wants these members.
fn wanting(required: &str) -> String {
    let key = format!("secrets = [{{ id = \"k\", value = \"{KEY}\" }}]");
    source("web", &format!("{key}\nrequired = [{required}]"))
}

#[test]
fn refused_events_are_found_explained_and_replayed() {
    let site = Site::new(&wanting("\"userId\", \"timestamp\""));
    let server = site.start();
    let anonymous = |id: u32| {
        format!(
            r#"{{"type":"track","event":"A","anonymousId":"a","messageId":"m-{id}","timestamp":"2026-01-31T12:00:00Z"}}"#
        )
    };
    let events: Vec<String> = (0..50).map(anonymous).collect();
    site.write("events.json", &events.join("\n"));
    let sent = lines(&run(&server, &["send", "web", "--file", "events.json", "--batch", "25", "--json"], 1));
    assert_eq!(sent[0]["outcomes"], json!({"refused": 50}));
    site.wait_until_stored("refusals", 50);

    let summary = lines(&run(&server, &["refusals", "summary", "--json"], 0));
    assert_eq!(
        (&summary[0]["items"][0]["rule"], &summary[0]["items"][0]["count"]),
        (&json!("user.missing"), &json!(50))
    );
    let listed =
        lines(&run(&server, &["refusals", "list", "--rule", "user.missing", "--limit", "7", "--json"], 0));
    assert_eq!(listed.len(), 7);
    let id = listed[0]["refusal_id"].as_str().unwrap();
    let body = run(&server, &["refusals", "show", id, "--body"], 0);
    assert!(events.contains(&text(&body)), "byte for byte: {}", text(&body));
    site.write("refused.json", &text(&body));
    let explained = text(&run(&server, &["explain", "refused.json", "--source", "web"], 1));
    assert!(explained.contains("refused by user.missing at /userId"), "{explained}");

    site.write_settings(&wanting("\"userId|anonymousId\", \"timestamp\""));
    run(&server, &["reload"], 0);
    run(&server, &["explain", "refused.json", "--source", "web"], 0);
    run(&server, &["explain", "refused.json", "--source", "nobody"], 65);
    run(&server, &["send", "nobody"], 65);
    let dry = text(&run(&server, &["refusals", "replay", "--dry-run"], 0));
    assert_eq!(dry, "50 considered\n50 would be stored\n");
    assert_eq!(text(&run(&server, &["refusals", "replay"], 0)), "50 considered\n50 stored\n");
    site.wait_until_stored("events", 50);
    let stored = lines(&run(&server, &["events", "--source", "web", "--json", "--limit", "1000"], 0));
    assert_eq!(stored.len(), 50);
    let receipt = text(&run(&server, &["receipt", id], 0));
    assert!(
        receipt.contains("outcome  stored") && receipt.contains(&format!("event_id      {id}")),
        "{receipt}"
    );
    until("the audit holds", || {
        let output = command(&server, &["audit"]).output().unwrap();
        output.status.success().then_some(())
    });
}

#[test]
fn a_lane_is_paused_watched_and_resumed() {
    let site = Site::new(&web(""));
    let server = site.start();
    assert!(text(&run(&server, &["lanes", "pause", "storage"], 0)).contains("paused  operator"));
    let receipt = server.post(track("m-1")).expect(200).receipt();
    let found = text(&run(&server, &["receipt", &receipt], 0));
    assert!(found.contains("outcome   in_spool"), "{found}");
    let status = lines(&run(&server, &["status", "--json"], 0));
    assert_eq!(status[0]["lanes"][0]["state"], json!("paused"));
    assert!(text(&run(&server, &["status"], 0)).contains("storage  paused  operator"));
    assert_eq!(site.count("events"), 0);
    run(&server, &["lanes", "resume", "storage"], 0);
    site.wait_until_stored("events", 1);
    run(&server, &["lanes", "pause", "nothing"], 1);
    run(&server, &["receipt", "01a20032-5f3c-7c9e-9ffe-800000000000"], 1);
    run(&server, &["events", "--token-file", "tidegate.toml"], 65);
    site.write("wrong", "wrong");
    run(&server, &["status", "--token-file", "wrong"], 77);
    assert_eq!(
        text(&run(&server, &["prune", "--before", "0s", "--only", "events"], 0)),
        "1 events and 0 refusals deleted\n"
    );
    run(&server, &["audit"], 0);
}

#[test]
fn the_tail_shows_a_delivery_while_it_runs_and_ends_with_the_server() {
    let site = Site::new(&web(""));
    let server = site.start();
    let mut tail = command(&server, &["tail", "--json", "--after", "0"]);
    server.post(track("m-0")).expect(200);
    server.post(track("m-1")).expect(200);
    let mut tail = tail.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut shown = BufReader::new(tail.stdout.take().unwrap()).lines();
    let mut next = || serde_json::from_str::<Value>(&shown.next().unwrap().unwrap()).unwrap();
    assert_eq!(next()["dedup_key"], json!("m-1"), "after the first");
    server.post(r#"{"type":"track","event":"A"}"#).expect(400);
    assert_eq!(next()["rule"], json!("user.missing"));
    server.stop();
    let output = tail.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
