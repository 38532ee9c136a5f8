//! Who may operate.

use serde_json::json;

use super::{assert_problem, get, request, send, token};
use crate::{
    client::{Connection, Request},
    server::{Site, track, until, web},
};

#[test]
fn nothing_is_told_without_the_token() {
    let site = Site::new(&web(""));
    let server = site.start();
    for target in ["/status", "/events", "/refusals", "/tail", "/audit", "/nowhere", ""] {
        let bare = Request::new("GET", &format!("/admin/v1{target}"));
        let answer = bare.send(server.operate).unwrap();
        assert_problem(&answer, 401, "unauthorized");
        assert!(answer.header("www-authenticate").is_some_and(|value| value.starts_with("Bearer")));
        let wrong = bare.header("Authorization", &format!("Bearer {}x", token(&server)));
        assert_problem(&wrong.send(server.operate).unwrap(), 401, "unauthorized");
    }
    assert_problem(&send(&server, &request(&server, "GET", "/nowhere")), 404, "not_found");
    let answer = send(&server, &request(&server, "DELETE", "/status"));
    assert_problem(&answer, 405, "method_not_allowed");
    assert_eq!(answer.header("allow"), Some("GET,HEAD"));
    let on_collect = request(&server, "GET", "/status").send(server.collect).unwrap();
    assert_eq!(on_collect.status, 404, "senders have no business here");
}

#[test]
fn a_configured_token_opens_and_none_is_made() {
    let settings = format!("[operate]\ntoken = {{ env = \"THE_TOKEN\" }}\n{}", web(""));
    let site = Site::new(&settings).with_variable("THE_TOKEN", "0123456789abcdef0123456789abcdef");
    let server = site.start();
    let ask = |token: &str| {
        let request =
            Request::new("GET", "/admin/v1/status").header("Authorization", &format!("Bearer {token}"));
        request.send(server.operate).unwrap().status
    };
    assert_eq!(ask("0123456789abcdef0123456789abcdef"), 200);
    assert_eq!(ask(""), 401);
    assert!(!site.path("data/secrets/operator").exists());
}

#[test]
fn the_token_that_a_server_makes_is_kept_and_is_its_owners() {
    use std::os::unix::fs::PermissionsExt as _;

    let site = Site::new(&web(""));
    let server = site.start();
    let first = token(&server);
    assert_eq!(first.len(), 64);
    let mode = site.path("data/secrets/operator").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    server.stop();
    let server = site.start();
    assert_eq!(token(&server), first);
    assert_eq!(get(&server, "/status")["ready"], true);
    assert!(!server.log().contains(&first) && !server.out().contains(&first));
}

#[test]
fn a_session_is_a_cookie_that_only_our_page_can_use() {
    let site = Site::new(&web(""));
    let server = site.start();
    let sign_in = |token: &str| {
        let body = json!({ "token": token }).to_string();
        Request::post("/admin/v1/session", body).send(server.operate).unwrap()
    };
    assert_problem(&sign_in("wrong"), 401, "unauthorized");
    let answer = sign_in(&token(&server)).expect(204);
    let cookie = answer.header("set-cookie").unwrap();
    for attribute in ["HttpOnly", "SameSite=Strict", "Path=/", "Max-Age=28800"] {
        assert!(cookie.contains(attribute), "{attribute} in {cookie}");
    }
    assert!(!cookie.contains(&token(&server)), "the cookie is not the token");
    let session = cookie.split(';').next().unwrap();
    let with = |method: &str, target: &str| Request::new(method, target).header("Cookie", session);
    with("GET", "/admin/v1/status").send(server.operate).unwrap().expect(200);
    let pause = with("POST", "/admin/v1/lanes/storage/pause");
    assert_problem(&pause.send(server.operate).unwrap(), 403, "forbidden");
    pause.header("X-Tidegate", "page").send(server.operate).unwrap().expect(200);
    with("DELETE", "/admin/v1/session").send(server.operate).unwrap().expect(204);
    assert_problem(&with("GET", "/admin/v1/status").send(server.operate).unwrap(), 401, "unauthorized");
}

#[test]
fn what_is_asked_wrongly_is_told_by_its_name() {
    let site = Site::new(&web(""));
    let server = site.start();
    for (target, named) in [
        ("/events?limit=0", "limit"),
        ("/events?limit=1001", "limit"),
        ("/events?sauce=web", "not known"),
        ("/events?from=yesterday", "from"),
        ("/events?cursor=7", "cursor"),
        ("/refusals?state=old", "state"),
        ("/receipts/7", "UUID"),
        ("/tail?outcome=lost", "outcome"),
        ("/status?verbose", "`verbose`"),
        ("/receipts/%ff", "path"),
    ] {
        let answer = send(&server, &request(&server, "GET", target));
        assert_problem(&answer, 400, "invalid_parameter");
        assert!(answer.text().contains(named), "{target}: {}", answer.text());
    }
    for (target, body) in [
        ("/refusals/replay", "{"),
        ("/refusals/replay", r#"{"sauce":"web"}"#),
        ("/refusals/replay", r#"{"from":"yesterday"}"#),
        ("/refusals/discard", "{}"),
        ("/prune", "{}"),
        ("/dead-letters/discard", r#"{"sink":"storage"}"#),
        ("/dead-letters/requeue", r#"{"sink":"storage","all":true,"after":"7"}"#),
        (
            "/dead-letters/requeue",
            r#"{"sink":"storage","ids":[],"after":"00000000000000000017-0123456789abcdef0011223344556677"}"#,
        ),
    ] {
        let answer = send(&server, &request(&server, "POST", target).with_body(body));
        assert_problem(&answer, 400, "invalid_parameter");
    }
    let large = vec![b' '; (1 << 20) + 1];
    let answer = send(&server, &request(&server, "POST", "/prune").with_body(large));
    assert_problem(&answer, 413, "too_large");
    assert_problem(&send(&server, &request(&server, "POST", "/lanes/kafka/pause")), 404, "not_found");
}

#[test]
fn a_token_that_the_settings_name_no_longer_is_replaced_by_one_of_ours() {
    let named = |token: &str| format!("[operate]\ntoken = {{ value = \"{token}\" }}\n{}", web(""));
    let site = Site::new(&named("0123456789abcdef0123456789abcdef"));
    let server = site.start();
    let ask = |token: &str| {
        let request =
            Request::new("GET", "/admin/v1/status").header("Authorization", &format!("Bearer {token}"));
        request.send(server.operate).unwrap().status
    };
    assert_eq!(ask("0123456789abcdef0123456789abcdef"), 200);
    site.write_settings(&web(""));
    server.signal("HUP");
    until("the old token opens no longer", || (ask("0123456789abcdef0123456789abcdef") == 401).then_some(()));
    assert_eq!(ask(&token(&server)), 200);
}

#[test]
fn a_flood_of_unfinished_sign_ins_takes_nothing_from_senders() {
    let site = Site::new(&format!("[collect]\nbody_memory = \"4MiB\"\n{}", web("")));
    let server = site.start();
    let mut unfinished = Vec::new();
    for _ in 0..64 {
        let mut connection = Connection::open(server.operate).unwrap();
        connection
            .write(b"POST /admin/v1/session HTTP/1.1\r\nHost: x\r\nContent-Length: 1048576\r\n\r\n{")
            .unwrap();
        unfinished.push(connection);
    }
    for index in 0..20 {
        server.post(track(&format!("m{index}"))).expect(200);
    }
    let status = server.metrics().get("tidegate_operators_turned_away_total");
    assert_eq!(status, Some(0.0));
}
