//! Those who do not know a key, and those who know one that is being replaced.

use crate::{
    client::Request,
    server::{KEY, Server, source, track, until, web},
    stage::{Stage, keep},
};

pub(crate) fn cases(stage: &mut Stage<'_>) {
    stage.case("wrong keys, one connection each", &["401"], |abuser| {
        for key in wrong_keys() {
            let answer = abuser.send(&Request::post(&format!("/v1/segment/web?{key}"), track("stolen")));
            assert!(!answer.text().contains(KEY) && !answer.head.contains(KEY));
        }
    });
    stage.case("wrong keys as fast as one connection takes them", &["401"], |abuser| {
        let mut connection = keep(abuser.address);
        for _ in 0..200 {
            let request = Request::post("/v1/segment/web?key=0000000000000000", track("stolen"));
            abuser.note(connection.send(&request).unwrap().status.to_string());
        }
    });
    stage.case("a wrong key and 100 MB behind it", &["401"], |abuser| {
        let head = "POST /v1/segment/web?key=no HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n";
        abuser.exchange(&[head.as_bytes(), &vec![b' '; 200_000]].concat());
    });
    stage.case("odd methods and paths", &["404", "405"], |abuser| {
        for method in ["GET", "DELETE", "TRACE", "OPTIONS", "FOO"] {
            abuser.send(&Request::new(method, &format!("/v1/segment/web?key={KEY}")));
        }
        for path in [
            "//v1/segment/web",
            "/v1/segment/../segment/web",
            "/v1/segment/%77eb",
            "/v1/segment/web/",
            "/V1/segment/web",
            "/v1/segment/web%00",
            "/metrics",
            "/admin/v1/status",
        ] {
            abuser.send(&Request::post(&format!("{path}?key={KEY}"), track("elsewhere")));
        }
    });
}

fn wrong_keys() -> Vec<String> {
    let (front, back) = KEY.split_at(KEY.len() - 1);
    vec![
        String::new(),
        "key=".into(),
        "key".into(),
        format!("key={front}"),
        format!("key={KEY}{back}"),
        format!("key={front}%00"),
        format!("key={KEY}%00"),
        format!("key={KEY}%FF"),
        format!("KEY={KEY}"),
        format!("key%20={KEY}"),
        format!("key={}", KEY.to_uppercase()),
        format!("key={KEY}&key="),
        format!("key={KEY}&key=wrong"),
        format!("key=+{KEY}"),
        format!("x;key={KEY}"),
        format!("key={}", "A".repeat(4000)),
    ]
}

/// Both keys are live for a while, and whoever changes over while abusers knock is served throughout.
#[test]
fn keys_are_rotated_under_a_flood_without_one_failed_request() {
    const OLD: &str = "old-0123456789abcdef0123456789abcdef";
    const NEW: &str = "new-0123456789abcdef0123456789abcdef";
    let settings = |keys: &[&str]| {
        let keys: Vec<String> =
            keys.iter().map(|key| format!("{{ id = \"{}\", value = \"{key}\" }}", &key[..3])).collect();
        let keys = keys.join(", ");
        web("") + &source("moving", &format!("secrets = [{keys}]"))
    };
    let site = crate::server::Site::new(&settings(&[OLD]));
    let server = site.start();
    let post = |key: &str, id: &str| Request::post(&format!("/v1/segment/moving?key={key}"), track(id));
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _ends = crate::server::EndsLoad(&stop);
        let address = server.collect;
        for _ in 0..2 {
            let (post, stop) = (&post, &stop);
            scope.spawn(move || {
                let mut connection = keep(address);
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    connection.send(&post("wrong-0123456789abcdef", "stolen")).unwrap().expect(401);
                }
            });
        }
        let mut connection = keep(address);
        for round in 0..6 {
            let (now, next) = if round % 2 == 0 { (OLD, NEW) } else { (NEW, OLD) };
            for (keys, key) in
                [(vec![now], now), (vec![now, next], now), (vec![next, now], next), (vec![next], next)]
            {
                reload(&server, &settings(&keys));
                for event in 0..10 {
                    connection
                        .send(&post(key, &format!("{round}-{key}-{}-{event}", keys.len())))
                        .unwrap()
                        .expect(200);
                }
            }
            connection.send(&post(now, "late")).unwrap().expect(401);
        }
    });
    server.stop();
    assert!(site.count("events") >= 240);
}

fn reload(server: &Server<'_>, settings: &str) {
    const AT: &str = "tidegate_config_last_reload_success_timestamp_seconds";
    let before = server.metrics().get(AT).unwrap();
    server.site.write_settings(settings);
    server.signal("HUP");
    until("the settings are reloaded", || (server.metrics().get(AT).unwrap() > before).then_some(()));
}
