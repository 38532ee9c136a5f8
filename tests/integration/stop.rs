//! Stopping, and starts that must not happen.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use crate::{
    client::{Connection, Request},
    server::{EndsLoad, KEY, Site, free_address, sink_down, track, until, web},
};

#[test]
fn a_stop_under_load_loses_nothing_that_was_answered() {
    const SENDERS: usize = 4;
    let site = Site::new(&web(""));
    let mut server = site.start();
    let (collect, answered, ended) = (server.collect, AtomicUsize::new(0), AtomicBool::new(false));
    let (answered, ended) = (&answered, &ended);
    let acknowledged: BTreeSet<String> = thread::scope(|scope| {
        let _ends = EndsLoad(ended);
        let send = |sender: usize| {
            move || {
                let mut connection = Connection::open(collect).unwrap();
                let mut acknowledged = Vec::new();
                // Sends until the server is gone, which shows as an error or as 503.
                for count in (0..).take_while(|_| !ended.load(Ordering::Relaxed)) {
                    let id = format!("{sender}-{count}");
                    let request = Request::post(&format!("/v1/segment/web?key={KEY}"), track(&id));
                    match connection.send(&request) {
                        Ok(answer) if answer.status == 200 => acknowledged.push(id),
                        Ok(answer) => assert_eq!(answer.status, 503, "{}", answer.text()),
                        Err(_) => break,
                    }
                    answered.fetch_add(1, Ordering::Relaxed);
                }
                acknowledged
            }
        };
        let senders: Vec<_> = (0..SENDERS).map(|sender| scope.spawn(send(sender))).collect();
        until("the load is under way", || (answered.load(Ordering::Relaxed) > 300).then_some(()));
        server.signal("TERM");
        assert_eq!(server.wait().code(), Some(0), "{}", server.log());
        senders.into_iter().flat_map(|sender| sender.join().unwrap()).collect()
    });
    assert!(acknowledged.len() > 200, "only {} were acknowledged", acknowledged.len());
    let stored: Vec<(String,)> = site.rows("SELECT dedup_key FROM events");
    let distinct: BTreeSet<String> = stored.iter().map(|(key,)| key.clone()).collect();
    assert_eq!(stored.len(), distinct.len(), "stored twice");
    let lost: Vec<&String> = acknowledged.difference(&distinct).collect();
    assert!(lost.is_empty(), "acknowledged and not stored: {lost:?}");
}

#[test]
fn a_stopping_server_is_not_ready_and_finishes_what_it_began() {
    let site = Site::new(&web(""));
    let mut server = site.start();
    let body = track("slow");
    let request = Request::post(&format!("/v1/segment/web?key={KEY}"), body.as_str());
    let mut connection = Connection::open(server.collect).unwrap();
    connection.write(&request.head()).unwrap();
    until("the request is being served", || {
        server.metrics().get("tidegate_body_memory_bytes").filter(|bytes| *bytes > 0.0)
    });

    server.signal("TERM");
    let report = until("readiness falls", || {
        let answer = server.ask("/readyz?verbose").unwrap();
        (answer.status == 503).then(|| answer.text())
    });
    assert!(report.contains("[-] running"), "{report}");
    assert_eq!(server.ask("/livez").unwrap().status, 200);
    until("no connection is accepted any more", || Connection::open(server.collect).is_err().then_some(()));
    assert!(server.child.try_wait().unwrap().is_none(), "it waits for the request");

    connection.write(body.as_bytes()).unwrap();
    connection.read_answer("POST").unwrap().expect(200);
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    assert_eq!(site.count("events"), 1);
}

#[test]
fn what_cannot_be_delivered_in_time_waits_for_the_next_start() {
    let site = Site::new(&[sink_down(), "[shutdown]\ngrace = \"200ms\"\n".into(), web("")].concat());
    let mut server = site.start();
    server.post(track("kept")).expect(200);
    server.signal("TERM");
    assert_eq!(server.wait().code(), Some(0), "{}", server.log());
    assert!(server.log().contains("left in the spool"), "{}", server.log());
    site.write_settings(&web(""));
    let server = site.start();
    site.wait_until_stored("events", 1);
    server.stop();
}

#[test]
fn a_second_signal_leaves_at_once() {
    for second in ["TERM", "INT"] {
        let site = Site::new(&[sink_down(), "[shutdown]\ngrace = \"10m\"\n".into(), web("")].concat());
        let mut server = site.start();
        server.post(track("m")).expect(200);
        server.signal("TERM");
        until("the stop is under way", || (server.ask("/readyz").unwrap().status == 503).then_some(()));
        let asked = Instant::now();
        server.signal(second);
        assert_eq!(server.wait().code(), Some(130), "{}", server.log());
        assert!(asked.elapsed() < Duration::from_secs(20), "{:?}", asked.elapsed());
        site.write_settings(&web(""));
        let _server = site.start();
        site.wait_until_stored("events", 1);
    }
}

#[test]
fn two_servers_do_not_share_a_data_directory() {
    let site = Site::new(&web(""));
    let first = site.start();
    let mut second = site.spawn(&["serve"], free_address(), free_address());
    assert_eq!(second.wait().code(), Some(1), "{}", second.log());
    assert!(second.log().contains("in use by another process"), "{}", second.log());
    first.post(track("undisturbed")).expect(200);
    site.wait_until_stored("events", 1);
}

#[test]
fn an_address_that_is_taken_is_named() {
    let (one, other) = (Site::new(&web("")), Site::new(&web("")));
    let server = one.start();
    for (collect, operate) in [(server.collect, free_address()), (free_address(), server.operate)] {
        let mut second = other.spawn(&["serve"], collect, operate);
        assert_eq!(second.wait().code(), Some(1));
        let taken = if collect == server.collect { collect } else { operate };
        let said = second.log();
        assert!(said.contains(&format!("cannot listen on {taken}: Address already in use")), "{said}");
    }
    server.post(track("m")).expect(200);
}
