//! SIGHUP: secrets, allowlists and sources are replaced while the server runs, or nothing is.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use crate::{
    client::{Connection, Request},
    server::{EndsLoad, Server, Site, source, track, until, web},
};

const SUCCESSFUL: &str = "tidegate_config_last_reload_successful";
const SUCCEEDED_AT: &str = "tidegate_config_last_reload_success_timestamp_seconds";

/// Replaces the settings and waits until they are in force.
fn reload(server: &Server<'_>, settings: &str) {
    let before = server.metrics().get(SUCCEEDED_AT).unwrap();
    server.site.write_settings(settings);
    server.signal("HUP");
    until("the settings are reloaded", || {
        (server.metrics().get(SUCCEEDED_AT).unwrap() > before).then_some(())
    });
    assert_eq!(server.metrics().get(SUCCESSFUL), Some(1.0));
}

fn status(server: &Server<'_>, target: &str) -> u16 {
    server.send(&Request::post(target, track("m"))).status
}

/// Posts with one key, over one connection, until told to stop. Every answer must be 200.
fn keep_sending(server: &Server<'_>, key: &str, sent: &AtomicUsize, stop: &AtomicBool) {
    let mut connection = Connection::open(server.collect).unwrap();
    let mut count = 0;
    while !stop.load(Ordering::Relaxed) {
        let request = Request::post(&format!("/v1/segment/web?key={key}"), track(&format!("{key}-{count}")));
        connection.send(&request).unwrap().expect(200);
        count += 1;
        sent.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn secrets_are_rotated_under_load_without_one_failed_request() {
    let secrets = |keys: &[&str]| {
        let keys: Vec<String> =
            keys.iter().map(|key| format!("{{ id = \"{key}\", value = \"{key}\" }}")).collect();
        source("web", &format!("secrets = [{}]", keys.join(", ")))
    };
    let site = Site::new(&secrets(&["old"]));
    let server = site.start();
    let (sent, stop_old, stop_new) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicBool::new(false));
    let more = |events: usize| {
        let before = sent.load(Ordering::Relaxed);
        until("the load goes on", || (sent.load(Ordering::Relaxed) > before + events).then_some(()));
    };
    assert_eq!(status(&server, "/v1/segment/web?key=new"), 401);
    thread::scope(|scope| {
        let (old_ends, new_ends) = (EndsLoad(&stop_old), EndsLoad(&stop_new));
        let old = scope.spawn(|| keep_sending(&server, "old", &sent, &stop_old));
        more(20);
        reload(&server, &secrets(&["new", "old"]));
        let new = scope.spawn(|| keep_sending(&server, "new", &sent, &stop_new));
        more(40);
        // Reloading what has not changed disturbs nobody either.
        reload(&server, &secrets(&["new", "old"]));
        more(40);
        drop(old_ends);
        old.join().unwrap();
        reload(&server, &secrets(&["new"]));
        more(20);
        drop(new_ends);
        new.join().unwrap();
    });
    assert_eq!(status(&server, "/v1/segment/web?key=old"), 401);
    let sent = i64::try_from(sent.into_inner()).unwrap();
    site.wait_until_stored("events", sent);
}

#[test]
fn what_is_told_of_a_secret_ends_with_it() {
    let with = |secrets: &[&str]| {
        let secrets: Vec<String> =
            secrets.iter().map(|secret| format!("{{ value = \"k\", {secret} }}")).collect();
        source("web", &format!("secrets = [{}]", secrets.join(", ")))
    };
    let told = |server: &Server<'_>, of: &str, id: &str| {
        let series = format!("tidegate_secret_{of}_timestamp_seconds{{source=\"web\",secret_id=\"{id}\"}}");
        server.metrics().get(&series).unwrap_or_else(|| panic!("no {series}"))
    };
    let site = Site::new(&with(&["id = \"old\""]));
    let server = site.start();
    assert_eq!((told(&server, "last_used", "old"), told(&server, "not_after", "old")), (0.0, f64::INFINITY));
    assert_eq!(status(&server, "/v1/segment/web?key=k"), 200);
    let used = told(&server, "last_used", "old");
    assert!(used > 1.7e9, "{used}");

    reload(&server, &with(&["id = \"old\", not_after = \"2100-01-01T00:00:00Z\"", "id = \"new\""]));
    let known = (told(&server, "last_used", "old"), told(&server, "not_after", "old"));
    assert_eq!(known, (used, 4_102_444_800.0), "the reload forgot when it was used");

    reload(&server, &with(&["id = \"new\""]));
    assert!(told(&server, "last_used", "old").is_nan() && told(&server, "not_after", "old").is_nan());
    reload(&server, &with(&["id = \"new\"", "id = \"old\""]));
    assert_eq!((told(&server, "last_used", "old"), told(&server, "not_after", "old")), (0.0, f64::INFINITY));
}

#[test]
fn bad_settings_change_nothing_and_say_why() {
    let site = Site::new(&web(""));
    let server = site.start();
    assert_eq!(server.metrics().get(SUCCESSFUL), Some(1.0));
    let added = source("more", "secrets = [{ id = \"k\", value = \"k\" }]");
    for (settings, named) in [
        (format!("{}{added}", web("colour = \"red\"")), "source.web.colour"),
        (format!("{added}[[source"), "tidegate.toml:"),
        (format!("{added}[spool]\nmax_bytes = \"much\""), "spool.max_bytes"),
        (
            format!("{added}{}", source("less", "secrets = [{ id = \"k\", env = \"NOT_THERE\" }]")),
            "NOT_THERE",
        ),
    ] {
        let log_before = server.log().len();
        site.write_settings(&settings);
        server.signal("HUP");
        until("the log names the mistake", || {
            let news = server.log()[log_before..].to_owned();
            (news.contains(named) && news.contains("old ones stay in force")).then_some(())
        });
        assert_eq!(server.metrics().get(SUCCESSFUL), Some(0.0), "{named}");
        assert_eq!(status(&server, "/v1/segment/more?key=k"), 404, "{named}");
        server.post(track("m")).expect(200);

        reload(&server, &web(""));
    }
}

#[test]
fn sources_come_and_go() {
    let site = Site::new(&web("paths = [\"/old\"]"));
    let server = site.start();
    let keys = "secrets = [{ id = \"k\", value = \"k\" }]";
    assert_eq!(status(&server, "/v1/segment/other?key=k"), 404);
    reload(&server, &[web("paths = [\"/new\"]"), source("other", keys)].concat());
    assert_eq!(status(&server, "/v1/segment/other?key=k"), 200);
    assert_eq!((status(&server, "/old"), status(&server, "/new")), (404, 401));
    reload(&server, &source("other", &format!("{keys}\nallowed_channels = []")));
    assert_eq!(status(&server, &format!("/v1/segment/web?key={}", crate::server::KEY)), 404);
    let answer = server.send(&Request::post("/v1/segment/other?key=k", track("n"))).expect(200);
    assert_eq!(answer.json()["rule"], "channel.ignored");
    site.wait_until_stored("events", 1);
}

#[test]
fn a_setting_that_needs_a_restart_says_so() {
    let site = Site::new(&web(""));
    let server = site.start();
    reload(&server, &["[spool]\nmax_bytes = \"1GiB\"\n".into(), web("")].concat());
    until("the log says so", || server.log().contains("next start only").then_some(()));
    server.post(track("m")).expect(200);
}

#[test]
fn imported_users_are_seen_by_a_running_server() {
    let site = Site::new(&web("users = \"directory\""));
    let server = site.start();
    let event = r#"{"type":"track","userId":7,"timestamp":"2026-01-31T12:00:00Z"}"#;
    assert_eq!(server.post(event).expect(400).json()["rule"], "user.unknown");
    for (name, said) in
        [("ada", "1 added, 0 updated, 0 unchanged\n"), ("grace", "0 added, 1 updated, 0 unchanged\n")]
    {
        site.write("users.csv", &format!("id,username\n7,{name}\n"));
        let imported = site.run(&["users", "import", "users.csv"]);
        assert_eq!(String::from_utf8_lossy(&imported.stdout), said);
        until("the server knows the user", || {
            server.post(event);
            let names: Vec<(String,)> = site.rows("SELECT DISTINCT username FROM events");
            names.contains(&(name.to_owned(),)).then_some(())
        });
    }
    assert_eq!(server.metrics().get("tidegate_users"), Some(1.0));
}
