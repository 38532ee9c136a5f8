//! Commands that ask a server: what they ask, what they show, and what they end with. The server is a stub, so that it
//! can say anything.

use std::process::{Output, Stdio};

use serde_json::{Value, json};

use crate::{
    cli_stub::{Answer, Asked, Stub, json, problem},
    server::{Site, free_address, source},
};

const TOKEN: &str = "0f6f5a1c9be24d1f8a7e3c5d2b4a6978";
const ID: &str = "01a20032-5f3c-7c9e-9ffe-800000000000";

/// Runs a command against a stub that gives these answers.
fn ask(answers: &[Answer<'_>], arguments: &[&str]) -> (Stub, Output) {
    let stub = Stub::new(answers);
    let site =
        Site::empty().with_variable("TIDEGATE_TOKEN", TOKEN).with_variable("TIDEGATE_URL", &stub.url());
    let output = site.run(arguments);
    assert_eq!(std::fs::read_dir(site.path("")).unwrap().count(), 0, "asking makes nothing");
    (stub, output)
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
fn assert_ends(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "{}{}", out(output), err(output));
    assert!(!err(output).contains(TOKEN) && !out(output).contains(TOKEN), "the token is never shown");
}

/// A page of events.
fn page(items: &[&str], next: Option<&str>) -> String {
    format!(r#"{{"items":[{}],"next":{}}}"#, items.join(","), json!(next))
}

fn event(id: u32) -> String {
    format!(
        r#"{{"event_id":"e-{id}","source":"web","kind":"segment","dedup_key":null,"action":"track","event_type":"Ordered","received_at":"2026-01-31T12:00:00.123456Z","user_id":"u1","event":{{"z":12345678901234567890123,"a":1.0}}}}"#
    )
}

#[test]
fn the_token_is_sent_and_the_query_is_what_was_asked_for() {
    let arguments = [
        "events",
        "--source",
        "web",
        "--type",
        "A & B=é",
        "--user",
        "u1",
        "--from",
        "2026-01-31T13:00:00+01:00",
        "--limit",
        "7",
    ];
    let (stub, output) = ask(&[json(&page(&[&event(1)], None))], &arguments);
    assert_ends(&output, 0);
    assert_eq!(
        stub.lines(),
        [
            "GET /admin/v1/events?source=web&type=A+%26+B%3D%C3%A9&user=u1&from=2026-01-31T12%3A00%3A00.000000Z&limit=7"
        ]
    );
    assert_eq!(stub.asked()[0].header("authorization"), Some(&format!("Bearer {TOKEN}")[..]));
    let lines: Vec<String> = out(&output).lines().map(str::to_owned).collect();
    assert!(lines[0].starts_with("RECEIVED"), "{lines:?}");
    assert_eq!(lines[1], "2026-01-31T12:00:00.123Z  web     track   Ordered  u1    -    e-1");
}

#[test]
fn pages_are_followed_up_to_the_limit_and_json_is_passed_on_as_it_is() {
    let items: Vec<String> = (0..1500).map(event).collect();
    let items: Vec<&str> = items.iter().map(String::as_str).collect();
    let (first, second) = (page(&items[..1000], Some("c/1 &")), page(&items[1000..], Some("c2")));
    let (stub, output) = ask(&[json(&first), json(&second)], &["events", "--json", "--limit", "1500"]);
    assert_ends(&output, 0);
    assert_eq!(
        stub.lines(),
        ["GET /admin/v1/events?limit=1000", "GET /admin/v1/events?limit=500&cursor=c%2F1+%26"]
    );
    assert_eq!(out(&output).lines().collect::<Vec<_>>(), items);
    assert!(err(&output).contains("more than 1500"), "{}", err(&output));

    let (stub, output) = ask(&[json(&page(&items[..2], None))], &["events", "--json"]);
    assert_eq!(stub.lines(), ["GET /admin/v1/events?limit=100"]);
    assert_eq!((out(&output).lines().count(), err(&output).as_str()), (2, ""));
    let (_, output) = ask(&[json(&page(&[], None))], &["events"]);
    assert_ends(&output, 0);
    assert_eq!((out(&output).as_str(), err(&output).as_str()), ("", "tidegate: nothing found\n"));
}

#[test]
fn each_page_is_shown_as_it_comes() {
    let body = json!({"status": 503, "code": "storage_unavailable", "detail": "gone"}).to_string();
    let first = page(&[&event(1), &event(2)], Some("c"));
    let (stub, output) = ask(&[json(&first), problem(503, &body)], &["events"]);
    assert_ends(&output, 69);
    assert_eq!(stub.lines().len(), 2);
    assert_eq!(out(&output).lines().count(), 3, "what came before is seen: {}", out(&output));
    let second = page(&[&event(3)], None);
    let (_, output) = ask(&[json(&first), json(&second)], &["events"]);
    assert_ends(&output, 0);
    let lines: Vec<String> = out(&output).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 4);
    assert!(lines[0].starts_with("RECEIVED") && lines[3].ends_with("  e-3"), "one head: {lines:?}");
}

#[test]
fn json_with_line_breaks_becomes_one_line() {
    let (_, output) = ask(&[json(&page(&["{\n  \"a\":\r\n [1]}"], None))], &["events", "--json"]);
    assert_eq!(out(&output), "{   \"a\":   [1]}\n");
}

#[test]
fn a_hostile_event_cannot_drive_the_terminal() {
    let hostile = r#"{"event_id":"e","source":"web","event_type":"\u001b]0;owned\u0007\u009b2J","user_id":"a\nb\u202e","received_at":"\u001b[1m"}"#;
    let (_, output) = ask(&[json(&page(&[hostile], None))], &["events"]);
    assert_ends(&output, 0);
    let shown = out(&output);
    assert!(shown.chars().all(|shown| shown == '\n' || !shown.is_control()), "{shown:?}");
    assert_eq!(shown.lines().count(), 2, "{shown}");
    assert!(shown.contains("\\u{1b}]0;owned\\u{7}\\u{9b}2J") && shown.contains("a\\nb\\u{202e}"), "{shown}");

    let body =
        json!({"status": 404, "code": "not_found", "detail": "no \u{1b}[31m receipt\u{202e}"}).to_string();
    let (_, output) = ask(&[problem(404, &body)], &["receipt", ID]);
    assert_eq!(err(&output), "tidegate: no \\u{1b}[31m receipt\\u{202e}\n");
}

#[test]
fn what_goes_wrong_has_its_exit_code_and_its_words() {
    let told = |status: u16, code: &str| {
        json!({"type": "about:blank", "title": "x", "status": status, "code": code, "detail": "because"})
            .to_string()
    };
    for (status, code, exit, says) in [
        (400, "invalid_parameter", 65, "because"),
        (401, "unauthorized", 77, "refuses the token"),
        (404, "not_found", 1, "because"),
        (409, "conflict", 1, "because"),
        (413, "too_large", 65, "because"),
        (503, "storage_unavailable", 69, "because"),
        (503, "unavailable", 69, "because"),
    ] {
        let body = told(status, code);
        for arguments in [&["status"][..], &["events", "--json"], &["tail"]] {
            let (_, output) = ask(&[problem(status, &body)], arguments);
            assert_ends(&output, exit);
            assert!(err(&output).contains(says), "{}", err(&output));
            assert_eq!(out(&output), "");
        }
    }
    for (status, body) in
        [(200, "<html>hello</html>"), (200, "[]"), (502, "<html>Bad Gateway</html>"), (302, "")]
    {
        let (_, output) = ask(&[(status, "text/html", body)], &["events"]);
        assert_ends(&output, 1);
        let says = format!("does not answer as tidegate's operate listener does (status {status})");
        assert!(err(&output).contains(&says), "{}", err(&output));
    }
    let (_, output) = ask(&[], &["status"]);
    assert_ends(&output, 69);
    assert!(err(&output).contains("no answer from http://127.0.0.1:"), "{}", err(&output));
}

#[test]
fn mistakes_that_a_reload_finds_are_all_told() {
    let body = json!({
        "status": 422, "code": "settings_invalid", "detail": "the settings have 2 mistakes",
        "mistakes": [
            {"origin": "tidegate.toml", "line": 3, "key": "spool.max_bytes", "message": "must be a size"},
            {"origin": "environment", "line": null, "key": "", "message": "odd"},
        ],
    });
    let (stub, output) = ask(&[problem(422, &body.to_string())], &["reload"]);
    assert_ends(&output, 78);
    assert_eq!(stub.lines(), ["POST /admin/v1/reload"]);
    let expected = "tidegate: the settings have 2 mistakes\n\
                    tidegate.toml:3: spool.max_bytes: must be a size\nenvironment: odd\n";
    assert_eq!(err(&output), expected);
    let body = json!({"config_version": "a1b2", "warnings": ["odd"], "needs_restart": ["spool"]}).to_string();
    let (_, output) = ask(&[json(&body)], &["reload"]);
    assert_ends(&output, 0);
    assert_eq!(out(&output), "settings a1b2 are in use\n");
    assert!(err(&output).contains("warning: odd") && err(&output).contains("[spool] need a restart"));
}

#[test]
fn the_settings_say_where_the_server_is_and_what_opens_it() {
    let body = page(&[], None);
    let stub = Stub::new(&[json(&body), json(&body), json(&body)]);
    let settings = |token: &str| format!("[operate]\nlisten = \"{}\"\n{token}", stub.address);
    let site = Site::new(&settings("token = { file = \"operator\" }"));
    site.write("operator", &format!("{TOKEN}\n"));
    site.write("other", "of-a-file\r\n");
    assert_ends(&site.run(&["events"]), 0);
    assert_ends(&site.run(&["events", "--token-file", "other"]), 0);
    let mut command = site.command(&["events"]);
    assert_ends(&command.env("TIDEGATE_TOKEN", "of-the-environment").output().unwrap(), 0);
    let sent: Vec<_> =
        stub.asked().iter().map(|asked| asked.header("authorization").unwrap().to_owned()).collect();
    assert_eq!(sent, [&format!("Bearer {TOKEN}"), "Bearer of-a-file", "Bearer of-the-environment"]);
}

#[test]
fn mistakes_elsewhere_in_the_settings_keep_nobody_from_asking() {
    let body = page(&[], None);
    let stub = Stub::new(&[json(&body), json(&body), json("{}")]);
    let site = Site::new(&format!(
        "[operate]\nlisten = \"{}\"\ntoken = {{ file = \"operator\" }}\n[spool]\nmax_bytes = \"lots\"\n{}",
        stub.address,
        source("web", "secrets = [{ id = \"k\", file = \"secrets/that/others/may/not/read\" }]"),
    ));
    let site = site.with_variable("TIDEGATE_SPOOL__SIZE", "1");
    site.write("operator", &format!("{TOKEN}\n"));
    assert_ends(&site.run(&["events"]), 0);
    assert_eq!(stub.asked()[0].header("authorization"), Some(&format!("Bearer {TOKEN}")[..]));

    // Nobody reads a token that is not needed.
    std::fs::remove_file(site.path("operator")).unwrap();
    let mut command = site.command(&["events"]);
    assert_ends(&command.env("TIDEGATE_TOKEN", "another").output().unwrap(), 0);
    assert_ends(&site.run(&["healthcheck"]), 0);
    let expected = ["GET /admin/v1/events?limit=100", "GET /admin/v1/events?limit=100", "GET /readyz"];
    assert_eq!(stub.lines(), expected);
    let output = site.run(&["events"]);
    assert_ends(&output, 78);
    assert!(err(&output).contains("tidegate.toml:4: operate.token.file: operator cannot be read"));
    assert_eq!(err(&output).lines().count(), 2, "and nothing else is told: {}", err(&output));
    assert!(!site.path("data").exists());
}

#[test]
fn the_settings_token_goes_nowhere_else() {
    let elsewhere = Stub::new(&[json(&page(&[], None))]);
    let site = Site::new(&format!("[operate]\ntoken = {{ value = \"{TOKEN}\" }}\n"));
    let output = site.run(&["events", "--url", &elsewhere.url()]);
    assert_ends(&output, 2);
    assert!(err(&output).contains("--url needs a token of its own"), "{}", err(&output));
    assert_eq!(elsewhere.lines(), [""; 0]);
}

#[test]
fn without_settings_nothing_is_asked_and_nothing_is_made() {
    let site = Site::empty();
    let output = site.run(&["status"]);
    assert_ends(&output, 78);
    assert!(err(&output).contains("there are no settings here"), "{}", err(&output));
    let mut healthcheck = site.command(&["healthcheck"]);
    let output = healthcheck.env("TIDEGATE_OPERATE__LISTEN", free_address().to_string()).output().unwrap();
    assert_ends(&output, 1);
    assert_eq!(std::fs::read_dir(site.path("")).unwrap().count(), 0);
    for address in ["127.0.0.1:8081", "ftp://x", "http://", "https://x?token=1", "nonsense"] {
        let (_, output) = ask(&[], &["status", "--url", address]);
        assert_ends(&output, 2);
    }
    let missing = site.run(&["status", "--url", "http://127.0.0.1:1", "--token-file", "gone"]);
    assert_ends(&missing, 65);
    let nobody = format!("http://{}", free_address());
    let output = site.command(&["status", "--url", &nobody]).env("TIDEGATE_TOKEN", TOKEN).output().unwrap();
    assert_ends(&output, 69);
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    // More than fits a pipe, so that it cannot have been written before the reader left.
    let items: Vec<String> = (0..1000).map(event).collect();
    let items: Vec<&str> = items.iter().map(String::as_str).collect();
    let stub = Stub::new(&[json(&page(&items, None))]);
    let site =
        Site::empty().with_variable("TIDEGATE_TOKEN", TOKEN).with_variable("TIDEGATE_URL", &stub.url());
    let mut command = site.command(&["events", "--json", "--limit", "1000"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_ends(&output, 0);
    assert_eq!(err(&output), "");
}

#[test]
fn status_is_a_picture_or_json() {
    let status = json!({
        "version": "0.1.0", "config_version": "a1b2c3", "started_at": "2026-01-31T12:00:00.000000Z",
        "now": "2026-01-31T12:00:01.000000Z", "ready": false,
        "checks": [
            {"name": "running", "ok": true, "decisive": true, "detail": ""},
            {"name": "spool", "ok": false, "decisive": true, "detail": "the disk is full"},
        ],
        "config": {"reload_successful": false, "loaded_at": "2026-01-31T12:00:00.000000Z"},
        "spool": {
            "id": ID, "phase": "open", "bytes": 12345, "max_bytes": 10_737_418_240_u64, "records": 1234, "oldest": 0,
            "end": 1234, "free_bytes": 1_073_741_824, "lacks_quota": false, "no_space": true,
            "last_commit_age_seconds": 0.1, "records_per_second": 12.5, "bytes_per_second": 6400.0,
            "seconds_left": 7200.0, "damaged_records": 2,
        },
        "lanes": [{
            "sink": "storage", "state": "paused", "trouble": "operator", "since": "2026-01-31T12:00:00.000000Z",
            "cursor": 12, "lag_records": 1222, "lag_seconds": 3.0, "dead_letters": 1, "dead_letters_bytes": 10,
            "last_error": {"trouble": "transient", "code": "08006", "at": "2026-01-31T11:00:00.000000Z"},
        }],
        "sources": [{
            "name": "web", "kind": "segment", "enabled": true, "priority": "normal", "paths": ["/v1/segment/web"],
            "secrets": [{"id": "k", "last_used": null, "not_after": "2026-02-01T00:00:00.000000Z", "expired": false}],
            "outcomes": {"received": 10, "committed": 7, "duplicate": 0, "ignored": 1, "refused": 2, "filtered": 0, "sampled_out": 0, "shed": 0},
        }],
    })
    .to_string();
    let (stub, output) = ask(&[json(&status)], &["status", "--json"]);
    assert_ends(&output, 0);
    assert_eq!(stub.lines(), ["GET /admin/v1/status"]);
    assert_eq!(out(&output), format!("{status}\n"));
    let (_, output) = ask(&[json(out(&output).trim())], &["status"]);
    assert_ends(&output, 0);
    let shown = out(&output);
    for words in [
        "tidegate 0.1.0  NOT READY  since 2026-01-31T12:00:00.000Z",
        "settings a1b2c3 of 2026-01-31T12:00:00.000Z  THE LAST RELOAD FAILED",
        "not well: spool the disk is full",
        "spool open  1,234 records in 12.06 KiB of 10.00 GiB, 1.00 GiB free on the disk",
        "arriving  12.5 records/s; full in 2 hours if nothing were delivered",
        "not well: 2 records were damaged or missing",
        "storage  paused  operator  2026-01-31T12:00:00.000Z   1,222  3.0 s             1  08006",
        "web     segment  true           10          7",
        "web     k       -          2026-02-01T00:00:00.000Z  false",
    ] {
        assert!(shown.contains(words), "{words:?} in\n{shown}");
    }
    let unknown = status.replace("\"free_bytes\":1073741824", "\"free_bytes\":null");
    let (_, output) = ask(&[json(&unknown)], &["status"]);
    assert!(out(&output).contains("of 10.00 GiB, - free on the disk"), "{}", out(&output));
}

#[test]
fn a_receipt_shows_what_became_of_its_elements() {
    let found = json!({
        "receipt": ID, "more": true, "spool_searched": false, "storage_searched": false,
        "elements": [
            {"element": 0, "id": ID, "outcome": "stored", "event": {"source": "web", "event_type": "Ordered"}},
            {"element": 1, "id": ID, "outcome": "refused", "refusal": {"source": "web", "rule": "user.missing"}},
            {"element": 2, "id": ID, "outcome": "in_spool", "sequence": 12},
        ],
    })
    .to_string();
    let (stub, output) = ask(&[json(&found)], &["receipt", ID, "--limit", "5"]);
    assert_ends(&output, 0);
    assert_eq!(stub.lines(), [format!("GET /admin/v1/receipts/{ID}?limit=5")]);
    let shown = out(&output);
    assert!(
        shown.contains("stored    web     Ordered") && shown.contains("refused   web     user.missing"),
        "{shown}"
    );
    let notices = err(&output);
    for words in ["more elements", "not searched to its end", "the database did not answer"] {
        assert!(notices.contains(words), "{notices}");
    }
    let (_, output) = ask(&[json(&found)], &["receipt", ID, "--json"]);
    assert_eq!((out(&output), err(&output)), (found + "\n", notices), "JSON or not");
    let one = format!(
        r#"{{"receipt":"{ID}","elements":[{{"element":3,"id":"{ID}","outcome":"stored","event":{{"source":"web","event":{{"z":12345678901234567890123}}}}}}],"more":false,"spool_searched":true,"storage_searched":true}}"#
    );
    let (stub, output) = ask(&[json(&one)], &["receipt", &format!("{ID}/3")]);
    assert_ends(&output, 0);
    assert_eq!(stub.lines(), [format!("GET /admin/v1/receipts/{ID}/3")]);
    assert_eq!(err(&output), "");
    assert!(
        out(&output).contains("outcome  stored") && out(&output).contains("{\"z\":12345678901234567890123}")
    );
}

#[test]
fn a_refusal_is_shown_with_what_was_refused() {
    let refusal = |body: &Value| {
        json!({"refusal_id": ID, "rule": "body.utf8", "metadata": {}, "state": "new", "body": body})
            .to_string()
    };
    let text = refusal(&json!({"encoding": "utf-8", "data": "{\"a\":\"\u{1b}[2J\"}"}));
    let bytes = refusal(&json!({"encoding": "base64", "data": "/wAb"}));
    let (stub, output) = ask(&[json(&text)], &["refusals", "show", ID]);
    assert_ends(&output, 0);
    assert_eq!(stub.lines(), [format!("GET /admin/v1/refusals/{ID}")]);
    assert!(out(&output).contains("rule        body.utf8\n"), "{}", out(&output));
    let (_, output) = ask(&[json(&bytes)], &["refusals", "show", ID, "--body"]);
    assert_eq!(output.stdout, [0xff, 0, 0x1b], "byte for byte");
    let counts = r#"{"items":[{"source":"web","rule":"user.missing","state":"new","count":1234,"first":"2026-01-31T12:00:00.000000Z","last":"2026-01-31T12:00:00.000000Z"}]}"#;
    let (stub, output) = ask(&[json(counts)], &["refusals", "summary", "--state", "new"]);
    assert_eq!(stub.lines(), ["GET /admin/v1/refusals/summary?state=new"]);
    assert!(out(&output).contains("web     user.missing  new    1,234"), "{}", out(&output));
}

#[test]
fn a_replay_goes_on_to_the_end_and_adds_up() {
    let part = |next: Option<&str>| {
        json!({
            "dry_run": true, "considered": 1000, "stored": 900, "duplicates": 10, "refused": {"user.missing": 80},
            "ignored": {"channel.ignored": 0}, "filtered": 0, "not_replayable": {"truncated": 10, "source_unknown": 0}, "next": next,
        })
        .to_string()
    };
    let arguments = [
        "refusals",
        "replay",
        "--rule",
        "user.missing",
        "--id",
        ID,
        "--to",
        "2026-01-31T12:00:00Z",
        "--dry-run",
    ];
    let (first, last) = (part(Some("go on")), part(None));
    let (stub, output) = ask(&[json(&first), json(&last)], &arguments);
    assert_ends(&output, 0);
    let expected = "2,000 considered\n1,800 would be stored\n20 stored already\n\
                    160 still refused: user.missing\n20 cannot be replayed: truncated\n";
    assert_eq!(out(&output), expected);
    let mut asked =
        json!({"rule": "user.missing", "ids": [ID], "to": "2026-01-31T12:00:00.000000Z", "dry_run": true});
    assert_eq!(stub.lines(), ["POST /admin/v1/refusals/replay"; 2]);
    assert_eq!(stub.asked()[0].json(), asked);
    asked["cursor"] = "go on".into();
    assert_eq!(stub.asked()[1].json(), asked);
    let (_, output) = ask(&[json(&first), json(&last)], &["refusals", "replay", "--json"]);
    assert_eq!(out(&output), format!("{first}\n{last}\n"));
}

#[test]
fn nothing_is_discarded_by_mistake() {
    for arguments in [
        &["refusals", "discard"][..],
        &["refusals", "discard", "--dry-run"],
        &["refusals", "discard", "--all", "--source", "web"],
        &["dead-letters", "discard"],
        &["dead-letters", "discard", "--sink", "storage"],
        &["dead-letters", "requeue", "--all", "00000000000000000001-0f"],
        &["prune"],
    ] {
        let (stub, output) = ask(&[json("{}")], arguments);
        assert_ends(&output, 2);
        assert_eq!(stub.lines(), [""; 0], "{arguments:?}");
    }
    let (stub, output) = ask(&[json(r#"{"discarded":7}"#)], &["refusals", "discard", "--all"]);
    assert_ends(&output, 0);
    assert_eq!(
        (out(&output).as_str(), stub.asked()[0].json()),
        ("7 discarded\n", json!({"all": true, "dry_run": false}))
    );
}

#[test]
fn dead_letters_are_each_requeued_once_however_many_fail() {
    let answer = |requeued: u64, failed: &[&str], next: Option<&str>| {
        let failed: Vec<_> = failed.iter().map(|id| json!({"id": id, "why": "23514"})).collect();
        json!({"requeued": requeued, "failed": failed, "remaining": 7, "next": next}).to_string()
    };
    let answers =
        [answer(0, &["1-a"], Some("1-a")), answer(1000, &[], Some("2-a")), answer(500, &["3-a"], None)];
    let answers: Vec<_> = answers.iter().map(|answer| json(answer)).collect();
    let (stub, output) = ask(&answers, &["dead-letters", "requeue", "--all"]);
    assert_ends(&output, 1);
    assert_eq!(out(&output), "1,500 written\n");
    let refused = |id: &str| format!("tidegate: {id} was refused again: 23514\n");
    assert_eq!(err(&output), refused("1-a") + &refused("3-a"));
    assert_eq!(stub.lines(), ["POST /admin/v1/dead-letters/requeue"; 3]);
    let asked: Vec<_> = stub.asked().iter().map(Asked::json).collect();
    let behind = |after: &str| json!({"sink": "storage", "all": true, "after": after});
    assert_eq!(asked, [json!({"sink": "storage", "all": true}), behind("1-a"), behind("2-a")]);
    let answers = [answer(1, &[], Some("2-a")), answer(1, &[], None)];
    let answers: Vec<_> = answers.iter().map(|answer| json(answer)).collect();
    let named = ["dead-letters", "requeue", "1-a", "2-a", "3-a", "--sink", "other"];
    let (stub, output) = ask(&answers, &named);
    assert_ends(&output, 0);
    let asked: Vec<_> = stub.asked().iter().map(|asked| asked.json()["ids"].clone()).collect();
    assert_eq!(asked, [json!(["1-a", "2-a", "3-a"]), json!(["3-a"])]);
    assert_eq!(stub.asked()[0].json()["sink"], "other");
    let answers = [json(r#"{"discarded":1000}"#), json(r#"{"discarded":3}"#), json(r#"{"discarded":0}"#)];
    let (_, output) = ask(&answers, &["dead-letters", "discard", "--all"]);
    assert_eq!(out(&output), "1,003 deleted\n");
}

#[test]
fn what_became_of_a_dead_letter_is_told_as_it_is() {
    let failed = ["missing", "stored_but_letter_stays", "letter_damaged", "23514"];
    let failed: Vec<_> = failed.iter().map(|why| json!({"id": "1-a", "why": why})).collect();
    let answer = json!({"requeued": 1, "failed": failed, "remaining": 3}).to_string();
    let (_, output) = ask(&[json(&answer)], &["dead-letters", "requeue", "1-a"]);
    assert_ends(&output, 1);
    let expected = "tidegate: 1-a is no dead letter, or no longer one\n\
                    tidegate: 1-a was written, but its file could not be removed\n\
                    tidegate: 1-a cannot be read: letter_damaged\n\
                    tidegate: 1-a was refused again: 23514\n";
    assert_eq!(err(&output), expected);
}

#[test]
fn a_dead_letter_that_was_not_there_to_be_deleted_is_told() {
    let discard = |ids: &[&str], discarded: u64| {
        let answer = json!({ "discarded": discarded }).to_string();
        ask(&[json(&answer)], &[&["dead-letters", "discard"], ids].concat()).1
    };
    let output = discard(&["1-a", "2-b", "3-c"], 1);
    assert_ends(&output, 1);
    assert_eq!(out(&output), "1 deleted\n");
    assert_eq!(err(&output), "tidegate: 2 of the ids are no dead letters, or no longer\n");
    let output = discard(&["1-a", "1-a"], 1);
    assert_ends(&output, 0);
    assert_eq!(err(&output), "");
}

#[test]
fn paths_are_made_of_plain_names_only() {
    for arguments in [
        &["lanes", "pause", "../status"][..],
        &["lanes", "resume", "a/b"],
        &["dead-letters", "show", "../../status"],
        &["dead-letters", "show", "1-a", "--sink", "a?b"],
        &["receipt", "status"],
        &["refusals", "show", "summary"],
    ] {
        let (stub, output) = ask(&[json("{}")], arguments);
        assert_ends(&output, 2);
        assert_eq!(stub.lines(), [""; 0], "{arguments:?}");
    }
    let lane = r#"{"sink":"storage","state":"paused","trouble":"operator","lag_records":3}"#;
    let (stub, output) = ask(&[json(lane)], &["lanes", "pause", "storage"]);
    assert_ends(&output, 0);
    assert_eq!(stub.lines(), ["POST /admin/v1/lanes/storage/pause"]);
    assert!(out(&output).contains("storage  paused  operator"), "{}", out(&output));
}

#[test]
fn an_audit_that_does_not_hold_is_1() {
    for (holds, code, says) in [(true, 0, "it adds up"), (false, 1, "IT DOES NOT ADD UP")] {
        let body = json!({
            "holds": holds, "checks": [{"name": "stored", "holds": holds, "left": 1, "right": 2, "detail": "rows and totals"}],
            "cursors": [], "backlog": 3,
        })
        .to_string();
        let (_, output) = ask(&[json(&body)], &["audit"]);
        assert_ends(&output, code);
        assert!(out(&output).contains(says) && out(&output).contains("3 records wait"), "{}", out(&output));
        let (_, output) = ask(&[json(&body)], &["audit", "--json"]);
        assert_ends(&output, code);
        assert_eq!(out(&output), body + "\n");
    }
}

#[test]
fn a_prune_says_what_it_is_about() {
    let arguments =
        ["prune", "--before", "2026-01-31T12:00:00Z", "--user", "u1", "--only", "events", "--dry-run"];
    let (stub, output) = ask(&[json(r#"{"events":1200,"refusals":0}"#)], &arguments);
    assert_ends(&output, 0);
    assert_eq!(out(&output), "1,200 events and 0 refusals would be deleted\n");
    assert_eq!(
        stub.asked()[0].json(),
        json!({"before": "2026-01-31T12:00:00.000000Z", "user": "u1", "events": true, "refusals": false, "dry_run": true})
    );
}

#[test]
fn the_tail_shows_what_comes_and_ends_with_the_server() {
    let stream = concat!(
        ": keep-alive\n\n",
        "id: 7\nevent: event\ndata: {\"sequence\":7,\"event_id\":\"e\",\"source\":\"web\",\"action\":\"track\",\"event_type\":\"A\\u001b[1m\",\"user_id\":\"u\",\"received_at\":\"2026-01-31T12:00:00.123456Z\"}\n\n",
        "event: dropped\ndata: {\"records\":12}\n\n",
        "id: 20\nevent: refusal\ndata: {\"sequence\":20,\"refusal_id\":\"r\",\"source\":\"web\",\"rule\":\"user.missing\",\"pointer\":\"/userId\",\"received_at\":\"2026-01-31T12:00:00.123456Z\"}\n\n",
    );
    let ended = format!("{stream}event: end\ndata: {{}}\n\n");
    let stream_of = |body| (200, "text/event-stream", body);
    let arguments = ["tail", "--source", "web", "--outcome", "refused", "--after", "6"];
    let (stub, output) = ask(&[stream_of(&ended[..])], &arguments);
    assert_ends(&output, 0);
    assert_eq!(stub.lines(), ["GET /admin/v1/tail?source=web&outcome=refused"]);
    assert_eq!(stub.asked()[0].header("last-event-id"), Some("6"));
    let expected = "2026-01-31T12:00:00.123Z  web  committed  track  A\\u{1b}[1m  u  e\n\
                    2026-01-31T12:00:00.123Z  web  refused    user.missing  /userId  r\n";
    assert_eq!(out(&output), expected);
    assert!(err(&output).contains("12 records went by unseen") && err(&output).contains("stopping"));

    let (_, output) = ask(&[stream_of(stream)], &["tail", "--json"]);
    assert_ends(&output, 69);
    let sequences: Vec<u64> = out(&output)
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["sequence"].as_u64().unwrap())
        .collect();
    assert_eq!(sequences, [7, 20]);
    assert!(err(&output).contains("broke the stream off"), "{}", err(&output));
    let (_, output) = ask(&[stream_of(stream)], &["tail", "--limit", "1"]);
    assert_ends(&output, 0);
    assert_eq!(out(&output).lines().count(), 1);
}

#[test]
fn an_explanation_is_asked_with_the_bytes_and_headers_of_a_sender() {
    let explained = json!({
        "source": "web", "kind": "segment",
        "results": [
            {"element": 0, "outcome": "committed", "rule": null, "pointer": null, "message": null, "event": {"name": "A"}, "checks": []},
            {"element": 1, "outcome": "refused", "rule": "user.missing", "pointer": "/userId", "message": "Required", "event": null, "checks": [
                {"rule": "channel.invalid", "message": "The channel", "verdict": "passed", "pointer": null},
                {"rule": "user.missing", "message": "Required", "verdict": "broken", "pointer": "/userId"},
            ]},
        ],
    })
    .to_string();
    let stub = Stub::new(&[json(&explained), json(r#"{"source":"web","kind":"segment","results":[]}"#)]);
    let site =
        Site::empty().with_variable("TIDEGATE_TOKEN", TOKEN).with_variable("TIDEGATE_URL", &stub.url());
    site.write("event.json", "[{},{}]\n");
    let arguments = ["explain", "event.json", "--source", "web", "-H", "X-Mm-Geo: 60231"];
    let output = site.run(&arguments);
    assert_ends(&output, 1);
    let asked = &stub.asked()[0];
    assert_eq!(
        (asked.line.as_str(), &asked.body[..]),
        ("POST /admin/v1/explain?source=web", &b"[{},{}]\n"[..])
    );
    assert_eq!(asked.header("x-mm-geo"), Some("60231"));
    let shown = out(&output);
    for words in [
        "element 0: committed",
        "name  A",
        "element 1: refused by user.missing at /userId: Required",
        "user.missing     broken   /userId",
    ] {
        assert!(shown.contains(words), "{words:?} in\n{shown}");
    }
    assert_ends(&site.run(&["explain", "-", "--source", "web"]), 0);
    assert_eq!(stub.asked()[1].body, b"", "standard input is empty here");
    assert_ends(&site.run(&["explain", "gone.json", "--source", "web"]), 65);
    assert_ends(&site.run(&["explain", "event.json", "--source", "web", "-H", "no header"]), 2);
}

#[test]
fn more_than_the_server_explains_is_not_sent() {
    let most = 1 << 20;
    let stub = Stub::new(&[json(r#"{"source":"web","kind":"segment","results":[]}"#)]);
    let site =
        Site::empty().with_variable("TIDEGATE_TOKEN", TOKEN).with_variable("TIDEGATE_URL", &stub.url());
    site.write("large.json", &" ".repeat(most + 1));
    let output = site.run(&["explain", "large.json", "--source", "web"]);
    assert_ends(&output, 65);
    assert!(err(&output).contains("large.json: too large: at most 1.00 MiB"), "{}", err(&output));
    assert_eq!(stub.lines(), [""; 0]);
    site.write("large.json", &" ".repeat(most));
    assert_ends(&site.run(&["explain", "large.json", "--source", "web"]), 0);
    assert_eq!(stub.asked()[0].body.len(), most);
}
