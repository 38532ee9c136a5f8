//! Preset segment end to end, and everything about the request that comes before a body is looked at.

use serde_json::json;

use crate::{
    client::Request,
    server::{KEY, Server, Site, assert_has, sink_down, source, track, web},
};

/// The path of the source `web`, with its key.
fn target() -> String {
    format!("/v1/segment/web?key={KEY}")
}

fn send(server: &Server<'_>, method: &str, target: &str) -> crate::client::Answer {
    server.send(&Request::new(method, target).with_body(track("m")))
}

#[test]
fn an_event_is_stored_as_it_was_sent() {
    let site = Site::new(&web(""));
    let server = site.start();
    let body = concat!(
        "{ \"type\" : \"Track\",\"event\":\"Order \\u0041\",\n \"userId\": 42, \"channel\":\"Server\",",
        "\"timestamp\":\"2021-03-04T07:06:07.0891239+02:00\",",
        "\"context\": { \"userAgent\" : \"UA/1\",  \"ip\":\"203.0.113.9\", \"rate\": 1.50 },",
        "\"properties\":{ \"page\" : \"/a\",  \"total\": 1.0, \"list\":[ 1 , 2e5 ] },",
        "\"big\":123456789012345678901234567890,\"own\":{ \"c\\u006fntext\":1 }, \"messageId\":\"m-1\" }"
    );
    let receipt = server
        .send(&Request::post(&target(), body).header("Host", "collect.example:8443"))
        .expect(200)
        .receipt();
    site.wait_until_stored("events", 1);

    let (event, context): (String, String) = site.row("SELECT event, context FROM events");
    assert_eq!(
        event,
        concat!(
            r#"{"type":"Track","event":"Order \u0041","userId":42,"channel":"Server","#,
            r#""timestamp":"2021-03-04T07:06:07.0891239+02:00","#,
            r#""properties":{ "page" : "/a",  "total": 1.0, "list":[ 1 , 2e5 ] },"#,
            r#""big":123456789012345678901234567890,"own":{ "c\u006fntext":1 },"messageId":"m-1"}"#
        )
    );
    assert_eq!(context, r#"{ "userAgent" : "UA/1",  "ip":"203.0.113.9", "rate": 1.50 }"#);
    let columns: (String,) = site.row(
        "SELECT concat_ws('|', event_id, source, kind, dedup_key, action, event_type, name, event_source, time, \
         user_id, anonymous_id IS NULL, username IS NULL, page, host, agent, ip, sanitised) FROM events",
    );
    let expected = "web|segment|m-1|track|Order A|Order A|Server|2021-03-04T05:06:07.089123Z|42|1|1|/a|\
                    collect.example|UA/1|203.0.113.9|0";
    assert_eq!(columns.0, format!("{receipt}|{expected}"));
}

#[test]
fn the_type_and_name_of_an_event_depend_on_the_call() {
    let site = Site::new(&web(""));
    let server = site.start();
    for call in [
        r#""type":"track","event":"Bought","name":"no""#,
        r#""type":"page","name":"Home","event":"no""#,
        r#""type":"screen","name":"Main""#,
        r#""type":"identify","event":"no","name":"no""#,
        r#""type":"track","event":"""#,
        r#""type":"page","name":7"#,
        r#""action":"alias""#,
    ] {
        server.post(format!(r#"{{{call},"userId":"u","timestamp":"2026-01-31T12:00:00Z"}}"#)).expect(200);
    }
    site.wait_until_stored("events", 7);
    let found: Vec<(String, String, String)> =
        site.rows("SELECT action, event_type, name FROM events ORDER BY event_id");
    let expected = [
        ("track", "Bought", "Bought"),
        ("page", "Home", "Home"),
        ("screen", "Main", "Main"),
        ("identify", "identify", ""),
        ("track", "track", ""),
        ("page", "page", "7"),
        ("alias", "alias", ""),
    ];
    assert_eq!(found, expected.map(|(action, kind, name)| (action.into(), kind.into(), name.into())));
}

#[test]
fn a_user_is_any_text_or_number_or_anonymous() {
    let site = Site::new(&web(""));
    let server = site.start();
    let event =
        |who: &str| format!(r#"{{"type":"track","event":"E","timestamp":"2026-01-31T12:00:00Z"{who}}}"#);
    for who in [
        r#","userId":"Zoë""#,
        r#","userId":7.0"#,
        r#","userId":123456789012345678901234567890,"anonymousId":"a""#,
        r#","anonymousId":"only""#,
        r#","userId":"","anonymousId":"blank""#,
        r#","userId":null,"anonymousId":5"#,
    ] {
        server.post(event(who)).expect(200);
    }
    for (who, rule) in [
        ("", "user.missing"),
        (r#","userId":"","anonymousId":null"#, "user.missing"),
        (r#","userId":true"#, "user.invalid"),
        (r#","userId":["u"],"anonymousId":"a""#, "user.invalid"),
        (r#","userId":{}"#, "user.invalid"),
    ] {
        let answer = server.post(event(who)).expect(400);
        assert_has(&answer, &json!({"committed": false, "rule": rule, "pointer": "/userId"}));
    }
    site.wait_until_stored("events", 6);
    site.wait_until_stored("refusals", 5);
    let found: Vec<(Option<String>, Option<String>)> =
        site.rows("SELECT user_id, anonymous_id FROM events ORDER BY event_id");
    let some = |text: &str| Some(text.to_owned());
    let expected = [
        (some("Zoë"), None),
        (some("7.0"), None),
        (some("123456789012345678901234567890"), some("a")),
        (None, some("only")),
        (None, some("blank")),
        (None, some("5")),
    ];
    assert_eq!(found, expected);
}

#[test]
fn three_methods_are_taken_and_all_others_told_so() {
    let site = Site::new(&web(""));
    let server = site.start();
    for method in ["POST", "PUT", "PATCH"] {
        let answer = server.send(&Request::new(method, &target()).with_body(track(method))).expect(200);
        assert_has(&answer, &json!({"committed": true}));
    }
    for method in ["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "PROPFIND"] {
        let answer = send(&server, method, &target()).expect(405);
        assert_eq!(answer.header("allow"), Some("POST, PUT, PATCH"), "{method}");
        // The method is looked at before the key.
        send(&server, method, "/v1/segment/web").expect(405);
    }
    site.wait_until_stored("events", 3);
}

#[test]
fn paths_are_exact() {
    let site = Site::new(&web("paths = [\"/segmentio/event\", \"/hook/\"]"));
    let server = site.start();
    for path in ["/v1/segment/web", "/segmentio/event", "/hook/"] {
        send(&server, "POST", &format!("{path}?key={KEY}")).expect(200);
    }
    for path in [
        "/v1/segment/web/",
        "/segmentio/event/",
        "/hook",
        "/",
        "/v1/segment/other",
        "/v1/segment/WEB",
        "/V1/segment/web",
        "//v1/segment/web",
        "/v1/segment/we%62",
        "/v1/segment/",
    ] {
        let answer = send(&server, "POST", &format!("{path}?key={KEY}")).expect(404);
        assert_has(&answer, &json!({"committed": false}));
    }
}

#[test]
fn the_last_key_counts_as_the_query_spells_it() {
    let site = Site::new(&source("web", "secrets = [{ id = \"k\", value = \"a key & more\" }]"));
    let server = site.start();
    for query in [
        "key=a%20key%20%26%20more",
        "key=a+key+%26+more",
        "key=wrong&key=a+key+%26+more",
        "key=&x=1&%6Bey=%61+key+%26+more&KEY=no",
    ] {
        send(&server, "POST", &format!("/v1/segment/web?{query}")).expect(200);
    }
    for query in [
        "",
        "key",
        "key=",
        "key=a+key+%26+mor",
        "key=a+key+%26+more+",
        "key=A+key+%26+more",
        "KEY=a+key+%26+more",
        "key=a+key+%26+more&key=wrong",
        "key=a+key+%26+more&key",
        "key=a%2Bkey%2B%26%2Bmore",
    ] {
        let answer = send(&server, "POST", &format!("/v1/segment/web?{query}")).expect(401);
        assert_has(&answer, &json!({"committed": false, "message": "Unauthorized"}));
    }
    let bearer = Request::post("/v1/segment/web", track("m")).header("Authorization", "Bearer a key & more");
    server.send(&bearer).expect(401);
}

#[test]
fn every_live_secret_opens_and_expired_or_empty_ones_do_not() {
    let secrets = "secrets = [{ id = \"new\", value = \"the-new-one\" }, { id = \"old\", value = \"the-old-one\", \
                   not_after = \"2999-01-01T00:00:00Z\" }, { id = \"gone\", value = \"the-expired-one\", \
                   not_after = \"2020-01-01T00:00:00Z\" }, { id = \"blank\", value = \"\" }]";
    let site = Site::new(&[source("web", secrets), source("shut", "")].concat());
    let server = site.start();
    for (key, status) in [("the-new-one", 200), ("the-old-one", 200), ("the-expired-one", 401), ("", 401)] {
        send(&server, "POST", &format!("/v1/segment/web?key={key}")).expect(status);
    }
    for query in ["", "?key=", "?key=the-new-one"] {
        send(&server, "POST", &format!("/v1/segment/shut{query}")).expect(401);
    }
    let metrics = server.metrics();
    for (id, is_used) in [("new", true), ("old", true), ("gone", false), ("blank", false)] {
        let used = metrics
            .get(&format!(r#"tidegate_secret_last_used_timestamp_seconds{{source="web",secret_id="{id}"}}"#));
        assert_eq!(used.is_some_and(|at| at > 1.7e9), is_used, "{id}: {used:?}");
    }
}

#[test]
fn a_disabled_source_sends_its_senders_away_for_later() {
    let site = Site::new(
        &[web("enabled = false"), source("open", "secrets = [{ id = \"k\", value = \"k\" }]")].concat(),
    );
    let server = site.start();
    let answer = server.post(track("m")).expect(503);
    assert_has(&answer, &json!({"committed": false}));
    assert!(answer.retry_after() > 0);
    // To whoever does not know the key it looks like any other.
    send(&server, "POST", "/v1/segment/web?key=wrong").expect(401);
    send(&server, "POST", "/v1/segment/open?key=k").expect(200);
    site.wait_until_stored("events", 1);
}

#[test]
fn only_allowed_networks_get_in() {
    let away =
        "secrets = [{ id = \"k\", value = \"k\" }]\nallowed_networks = [\"192.0.2.0/24\", \"2001:db8::/32\"]";
    let site = Site::new(
        &[web("allowed_networks = [\"10.0.0.0/8\", \"127.0.0.0/8\"]"), source("away", away)].concat(),
    );
    let server = site.start();
    server.post(track("m")).expect(200);
    for query in ["?key=k", "?key=wrong", ""] {
        let request = Request::post(&format!("/v1/segment/away{query}"), track("m"))
            .header("X-Forwarded-For", "192.0.2.1");
        server.send(&request).expect(403);
    }
    site.wait_until_stored("events", 1);
}

#[test]
fn low_priority_is_shed_first_and_a_full_spool_is_not_ready() {
    let low = "secrets = [{ id = \"k\", value = \"k\" }]\npriority = \"low\"";
    let spool = "[spool]\nmax_bytes = \"256KiB\"\n";
    let site = Site::new(&[sink_down(), spool.into(), web(""), source("batch", low)].concat());
    let server = site.start();
    let padded = |bytes: usize| {
        format!(
            r#"{{"type":"track","userId":"u","timestamp":"2026-01-31T12:00:00Z","x":"{}"}}"#,
            "x".repeat(bytes)
        )
    };
    let low = || server.send(&Request::post("/v1/segment/batch?key=k", padded(100)));

    let mut taken = 0;
    let shed = loop {
        server.post(padded(4_000)).expect(200);
        taken += 1;
        let answer = low();
        if answer.status == 503 {
            break answer;
        }
        taken += 1;
        answer.expect(200);
    };
    assert!(shed.text().contains("low priority"), "{}", shed.text());
    assert!(shed.retry_after() > 0);
    assert_eq!(server.ask("/readyz").unwrap().status, 200, "others are still served");
    server.post(padded(4_000)).expect(200);
    taken += 1;

    // The last bytes are filled with smaller and smaller events.
    for bytes in [4_000, 400, 1] {
        let full = loop {
            let answer = server.post(padded(bytes));
            if answer.status != 200 {
                break answer.expect(503);
            }
            taken += 1;
        };
        assert!(full.text().contains("the spool is full"), "{}", full.text());
        assert!(full.retry_after() > 0);
    }
    let report = server.ask("/readyz?verbose").unwrap().expect(503).text();
    assert!(report.contains("[-] spool-quota"), "{report}");
    low().expect(503);
    let metrics = server.metrics();
    assert_eq!(
        metrics.get("tidegate_spool_events"),
        Some(f64::from(taken)),
        "what was answered 200 is in the spool"
    );
    assert_eq!(metrics.get("tidegate_ready"), Some(0.0));
}

#[test]
fn a_request_id_comes_back_if_it_is_plain() {
    let site = Site::new(&web(""));
    let server = site.start();
    let ask = |id: &str, target: &str| {
        let answer = server.send(&Request::post(target, track("m")).header("X-Request-Id", id));
        answer.header("x-request-id").map(str::to_owned)
    };
    let longest = "i".repeat(128);
    for id in ["3f2a-77", &longest] {
        assert_eq!(ask(id, &target()).as_deref(), Some(id));
        assert_eq!(
            ask(id, "/v1/segment/web?key=wrong").as_deref(),
            Some(id),
            "a refusal can be traced as well"
        );
    }
    for id in ["two words", "näh", &format!("{longest}i")] {
        assert_eq!(ask(id, &target()), None, "{id}");
    }
    let without = send(&server, "POST", &target()).expect(200);
    assert_eq!(without.header("x-request-id"), None);
}
