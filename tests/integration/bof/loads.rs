//! Large deliveries: their memory, their neighbours, and their sudden end.

use std::{
    collections::BTreeSet,
    fmt::Write as _,
    sync::atomic::{AtomicBool, AtomicU32, Ordering},
    thread,
};

use super::{assert_metrics_tell, counts, deliver, delivery, mm, record, stored_keys};
use crate::{
    client::{Connection, Request},
    encodings::gzip,
    server::{EndsLoad, KEY, Site, track, until, web},
};

#[test]
fn a_large_delivery_takes_little_memory_and_leaves_room_for_others() {
    const RECORDS: u64 = 20_000;
    let site = Site::new(&[web(""), mm("")].concat());
    let server = site.start();
    let mut plain = String::new();
    let mut noise: u64 = 1;
    for auction in 0..RECORDS {
        write!(plain, r#"{{"AuctionId":{auction},"ExchangeId":"15","Body":{{"imp":[],"noise":["#).unwrap();
        for _ in 0..90 {
            noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            write!(plain, "{noise},").unwrap();
        }
        plain.push_str("0]}}\n");
    }
    assert!(plain.len() > 35 << 20);
    let large = gzip(plain.as_bytes());
    server.post(track("idle")).expect(200);
    deliver(&server, record("idle")).expect(200);
    site.wait_until_stored("events", 2);
    let idle = server.peak_memory_bytes();

    let (ended, beside) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        let ends = EndsLoad(&ended);
        scope.spawn(|| {
            let mut connection = Connection::open(server.collect).unwrap();
            while !ended.load(Ordering::Relaxed) {
                let count = beside.fetch_add(1, Ordering::Relaxed);
                let request = Request::post(&format!("/v1/segment/web?key={KEY}"), track(&count.to_string()));
                connection.send(&request).unwrap().expect(200);
            }
        });
        assert_eq!(counts(&deliver(&server, large).expect(200)), [RECORDS, 0, 0, 0, 0]);
        drop(ends);
    });
    let grown = server.peak_memory_bytes() - idle;
    assert!(grown <= 32 << 20, "the server grew by {grown} bytes");
    let beside = beside.into_inner();
    assert!(beside > 20, "only {beside} requests were answered beside it");
    assert_metrics_tell(&server.metrics(), "mm", [RECORDS + 1, 0, 0, 0, 0, 0]);
    site.wait_until_stored("events", i64::try_from(RECORDS).unwrap() + i64::from(beside) + 2);
}

#[test]
fn a_kill_in_the_midst_of_a_delivery_keeps_its_beginning_and_stores_nothing_twice() {
    const RECORDS: usize = 20_000;
    let site = Site::new(&mm(""));
    let server = site.start();
    let body: String = (0..RECORDS).map(|auction| record(&auction.to_string()) + "\n").collect();
    let request = delivery("mm", body.as_str());
    let mut connection = Connection::open(server.collect).unwrap();
    connection.write(&request.head()).unwrap();
    connection.write(&body.as_bytes()[..body.len() * 3 / 4]).unwrap();
    let committed = until("something is durable", || {
        let committed = server.metrics().get(r#"tidegate_events_total{source="mm",outcome="committed"}"#);
        committed.filter(|committed| *committed > 0.0)
    });
    server.kill();

    site.start().stop();
    let stored = stored_keys(&site, "mm");
    #[expect(clippy::cast_precision_loss, reason = "a small number")]
    let kept = stored.len() as f64;
    assert!(kept >= committed && stored.len() < RECORDS, "{kept} stored, {committed} counted");
    let beginning =
        |records: usize| (0..records).map(|auction| format!("15:{auction}")).collect::<BTreeSet<_>>();
    assert!(stored == beginning(stored.len()), "what is stored is not the beginning of what was sent");

    let server = site.start();
    let [committed, _, _, duplicates, _] = counts(&deliver(&server, body).expect(200));
    assert_eq!(committed + duplicates, RECORDS as u64);
    server.stop();
    assert!(stored_keys(&site, "mm") == beginning(RECORDS));
}
