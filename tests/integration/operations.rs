//! What operators and Prometheus see: metrics, probes, and how far behind storage is.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write,
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use tidegate::telemetry::metric::{Metric, MetricKind};

use crate::{
    client::{Connection, Request},
    server::{EndsLoad, KEY, Metrics, Server, Site, sink_down, source, track, until, web},
};

/// One of everything that can become of an event.
const BODIES: &[(&str, u16)] = &[
    (r#"{"userId":"u","timestamp":"2026-01-31T12:00:00Z","messageId":"same"}"#, 200),
    (r#"{"userId":"u","timestamp":"2026-01-31T12:00:00Z"}"#, 200),
    (r#"{"userId":"u","timestamp":"2026-01-31T12:00:00Z","channel":"tv"}"#, 200),
    (r#"{"userId":"u"}"#, 400),
    (r#"[{"userId":"u"},{"userId":"u","timestamp":"2026-01-31T12:00:00Z"},7,8]"#, 200),
    ("{", 400),
];

#[test]
fn outcomes_add_up_at_every_scrape() {
    let limited = "secrets = [{ id = \"k\", value = \"k\" }]\nlimits = { events_per_second = 5 }";
    let channels = "channel_from = [\"channel\"]\nallowed_channels = [\"web\"]";
    let site = Site::new(&[web(""), source("slow", &format!("{limited}\n{channels}"))].concat());
    let server = site.start();
    let stop = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let ends = EndsLoad(&stop);
        let send = || {
            let mut connection = Connection::open(server.collect).unwrap();
            let mut sent = 0;
            while !stop.load(Ordering::Relaxed) {
                for (body, status) in BODIES {
                    let request = Request::post(&format!("/v1/segment/web?key={KEY}"), *body);
                    connection.send(&request).unwrap().expect(*status);
                    connection.send(&Request::post("/v1/segment/slow?key=k", *body)).unwrap();
                    sent += 1;
                }
            }
            sent
        };
        let senders = [scope.spawn(send), scope.spawn(send), scope.spawn(send)];
        let mut scrapes = 0;
        let mut last = 0.0;
        until("many scrapes see the load grow", || {
            let metrics = server.metrics();
            for source in ["web", "slow"] {
                let (received, outcomes) = received_and_outcomes(&metrics, source);
                assert!(
                    (received - outcomes).abs() < 0.5,
                    "{source}: {received} received, {outcomes} accounted for"
                );
            }
            let received = received_and_outcomes(&metrics, "web").0;
            scrapes += u32::from(received > last);
            last = received;
            (scrapes >= 100).then_some(())
        });
        drop(ends);
        senders.map(|sender| sender.join().unwrap()).into_iter().sum::<u32>()
    });

    let metrics = server.metrics();
    let outcome = |source: &str, outcome: &str| {
        metrics.get(&format!(r#"tidegate_events_total{{source="{source}",outcome="{outcome}"}}"#)).unwrap()
    };
    // Of each round's nine events four are stored, one of them under a key that all share, and five are refused.
    let rounds = f64::from(sent) / 6.0;
    let stored = outcome("web", "committed") + outcome("web", "duplicate");
    assert!((stored - 4.0 * rounds).abs() < 0.5, "{stored} stored in {rounds} rounds");
    assert!(
        (rounds - 3.0..rounds).contains(&outcome("web", "duplicate")),
        "the first of each sender may be new"
    );
    assert!((outcome("web", "refused") - 5.0 * rounds).abs() < 0.5);
    assert!(outcome("slow", "shed") > 0.0 && outcome("slow", "ignored") > 0.0);
    for (rule, events) in [("timestamp.missing", 2.0), ("body.not_object", 2.0), ("body.malformed", 1.0)] {
        let series = format!(r#"tidegate_refusals_total{{source="web",rule="{rule}"}}"#);
        assert_eq!(metrics.get(&series), Some(events * rounds), "{rule}");
    }
    for (status, deliveries) in [(200, 4.0), (400, 2.0)] {
        let series = format!(r#"tidegate_deliveries_total{{source="web",status="{status}"}}"#);
        assert_eq!(metrics.get(&series), Some(deliveries * rounds), "{status}");
    }
}

fn received_and_outcomes(metrics: &Metrics, source: &str) -> (f64, f64) {
    let received = metrics.get(&format!(r#"tidegate_events_received_total{{source="{source}"}}"#)).unwrap();
    let of_source = format!(r#"tidegate_events_total{{source="{source}","#);
    let outcomes = metrics.samples().filter(|(series, _)| series.starts_with(&of_source));
    (received, outcomes.map(|(_, value)| value).sum())
}

/// A server that has seen most of what can happen to it.
fn exercised(site: &Site) -> Server<'_> {
    let server = site.start();
    for (body, status) in BODIES {
        server.post(*body).expect(*status);
    }
    server.send(&Request::new("GET", "/nowhere")).expect(404);
    site.wait_until_stored("events", 4);
    server
}

#[test]
fn promtool_has_nothing_to_complain_about() {
    let site = Site::new(&web(""));
    let server = exercised(&site);
    let spawned = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut promtool = spawned.unwrap_or_else(|error| {
        panic!("promtool cannot be run ({error}): run scripts/test, which installs it, or install Debian's prometheus")
    });
    promtool.stdin.take().unwrap().write_all(server.metrics().0.as_bytes()).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.is_empty(), "{said}");
}

#[test]
fn every_metric_is_there_and_says_what_it_is() {
    let site = Site::new(&web(""));
    let server = exercised(&site);
    let text = server.metrics().0;
    let told = |word: &str| -> BTreeMap<String, String> {
        let lines =
            text.lines().filter_map(|line| line.strip_prefix(word)).filter_map(|rest| rest.split_once(' '));
        lines.map(|(name, told)| (name.to_owned(), told.to_owned())).collect()
    };
    let (helps, types) = (told("# HELP "), told("# TYPE "));
    for metric in Metric::ALL {
        let name = metric.name();
        let kind = match metric.kind() {
            MetricKind::Counter => "counter",
            MetricKind::Gauge => "gauge",
            MetricKind::Histogram => "histogram",
        };
        assert_eq!(types.get(name).map(String::as_str), Some(kind), "{name}");
        assert_eq!(helps.get(name).map(String::as_str), Some(metric.help()), "{name}");
    }
    let known: BTreeSet<&str> = Metric::ALL.iter().map(|metric| metric.name()).collect();
    let ours = types.keys().filter(|name| name.starts_with("tidegate_"));
    let unknown: Vec<&String> = ours.filter(|name| !known.contains(name.as_str())).collect();
    assert!(unknown.is_empty(), "not in the list of metrics: {unknown:?}");
    assert!(types.contains_key("process_resident_memory_bytes"), "the process's own metrics are missing");
}

#[test]
fn probes_answer_on_both_listeners() {
    let site = Site::new(&web(""));
    let server = site.start();
    for address in [server.collect, server.operate] {
        let ask = |target: &str| Request::new("GET", target).send(address).unwrap();
        assert_eq!(ask("/livez").expect(200).text(), "ok\n");
        assert_eq!(ask("/readyz").expect(200).text(), "ready\n");
        let report = ask("/readyz?verbose").expect(200).text();
        for check in [
            "running",
            "spool-writable",
            "spool-quota",
            "disk-space",
            "users-directory",
            "last-fsync",
            "lane-storage",
        ] {
            assert!(report.contains(&format!("[+] {check}")), "{check} in {report}");
        }
        assert_eq!(ask("/livez/").status, 404);
        assert_eq!(Request::new("POST", "/readyz").send(address).unwrap().status, 405);
    }
    server.send(&Request::new("GET", "/metrics")).expect(404);
    let delivery = Request::post(&format!("/v1/segment/web?key={KEY}"), track("m"));
    assert_eq!(delivery.send(server.operate).unwrap().status, 404, "senders have no business here");
}

#[test]
fn a_sink_that_is_down_shows_as_lag_and_nobody_is_turned_away() {
    let site = Site::new(&[sink_down(), web("")].concat());
    let server = site.start();
    for index in 0..7 {
        server.post(track(&format!("m{index}"))).expect(200);
    }
    let metrics = until("the lane's trouble shows", || {
        let metrics = server.metrics();
        let errors = metrics.get(r#"tidegate_lane_errors_total{sink="storage",class="transient"}"#);
        errors.is_some_and(|errors| errors > 0.0).then_some(metrics)
    });
    assert_eq!(metrics.get(r#"tidegate_lane_lag_events{sink="storage"}"#), Some(7.0));
    let report = server.ask("/readyz?verbose").unwrap().expect(200).text();
    assert!(report.contains("[-] lane-storage backing off: transient, 7 records behind"), "{report}");
    assert_eq!(metrics.get("tidegate_ready"), Some(1.0));
    server.post(track("one more")).expect(200);
}

#[test]
fn a_sink_that_hangs_shows_how_old_its_lag_is() {
    let site = Site::new(&web(""));
    let server = site.start();
    server.post(track("before")).expect(200);
    site.wait_until_stored("events", 1);
    let age = || server.metrics().get(r#"tidegate_lane_lag_seconds{sink="storage"}"#).unwrap();

    let lock = site.lock_database();
    server.post(track("waits")).expect(200);
    until("the lag has an age", || (age() > 0.2).then_some(()));
    assert_eq!(server.ask("/readyz").unwrap().status, 200);
    drop(lock);
    until("the lag is gone", || (age() == 0.0).then_some(()));
    site.wait_until_stored("events", 2);
}

#[test]
fn a_source_that_needs_the_directory_waits_for_it_and_no_other_does() {
    let directory = "secrets = [{ id = \"k\", value = \"k\" }]\nusers = \"directory\"";
    let site = Site::new(&[sink_down(), web("")].concat());
    site.start().post(track("m")).expect(200);

    site.write_settings(&[sink_down(), web(""), source("learners", directory)].concat());
    let server = site.spawn(&["serve"], crate::server::free_address(), crate::server::free_address());
    until("the server listens", || server.ask("/livez").ok());
    let report = server.ask("/readyz?verbose").unwrap().expect(503).text();
    assert!(report.contains("[-] users-directory"), "{report}");
    let answer = server.send(&Request::post("/v1/segment/learners?key=k", track("m"))).expect(503);
    assert!(answer.retry_after() > 0);
    server.post(track("m")).expect(200);
}
