//! Events: every column, every filter, and by which index they are found.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::{Value, json};

use super::house::{House, NEW_YEAR, event, id, numbers};
use crate::{
    event::{
        record::Event,
        time::{EARLIEST, LATEST},
    },
    store::{
        events::{EventFilter, StoredEvent, between, list, taken_keys},
        range::TimeRange,
    },
};

on_both! {
    an_event_reads_as_it_will_from_the_spool,
    every_filter_finds_what_it_names_and_nothing_else,
    a_time_is_exact_to_the_microsecond,
    a_span_of_ids_has_both_ends,
    taken_keys_belong_to_their_source,
    a_row_that_a_stranger_spoiled_hides_no_other,
}

/// Rows whose values are hard to keep. Their JSON is written as jsonb prints it.
fn difficult() -> Vec<Event> {
    let full = Event {
        source: "ünï-'source'".into(),
        kind: "bof".into(),
        dedup_key: Some("key; DROP TABLE events; --".into()),
        action: "%_\\".into(),
        event_type: "{\"not\", \"an\", array}".into(),
        name: "\\N \\x41 %s $1 ?".into(),
        event_source: "tab\tnewline\nquote\"".into(),
        time: EARLIEST,
        received_at: LATEST,
        user_id: Some("NULL".into()),
        anonymous_id: Some(String::new()),
        username: Some("Ørsted 漢字 👩‍🚀".into()),
        page: Some("<script>".into()),
        host: "example.org".into(),
        agent: "\u{fffd}\u{200b}\u{10ffff}".into(),
        ip: "2001:db8::1".into(),
        event: Bytes::from_static(
            r#"{"a": 12345678901234567890, "b": 1.50, "c": "\"é\\ 👩‍🚀\n", "d": [null]}"#.as_bytes(),
        ),
        context: Bytes::from_static(b"null"),
        sanitised: true,
        ..event(0, 1)
    };
    vec![full, event(1, 2), Event { event: Bytes::from_static(b"\"\""), ..event(2, 3) }]
}

async fn found(house: &House, filter: EventFilter) -> Vec<u64> {
    let page = list(&house.database(), &filter, None, 1_000).await.unwrap();
    assert_eq!(page.next, None);
    numbers(page.items.into_iter().map(|event| event.event_id))
}

async fn an_event_reads_as_it_will_from_the_spool(house: &mut House) {
    let mut rows = difficult();
    house.write(&rows, &[]).await;
    let page = list(&house.database(), &EventFilter::default(), None, 10).await.unwrap();
    rows.sort_by_key(|event| std::cmp::Reverse(event.event_id()));
    let wanted: Vec<StoredEvent> = rows.iter().map(StoredEvent::from).collect();
    // As text, so that also the digits of numbers and the order of members are compared.
    assert_eq!(serde_json::to_string(&page.items).unwrap(), serde_json::to_string(&wanted).unwrap());

    let full: Value = serde_json::to_value(page.items.last().unwrap()).unwrap();
    assert_eq!(full["event_id"], id(NEW_YEAR, 1).to_string());
    assert_eq!(full["time"], "0001-01-01T00:00:00.000000Z");
    assert_eq!(full["received_at"], "9999-12-31T23:59:59.999999Z");
    assert_eq!(full["event"]["c"], "\"é\\ 👩‍🚀\n");
    assert_eq!(full["context"], json!(null));
    assert_eq!(full["anonymous_id"], "");
    assert_eq!(full["sanitised"], true);
    assert_eq!(full.as_object().unwrap().len(), 20);
}

async fn every_filter_finds_what_it_names_and_nothing_else(house: &mut House) {
    let some = |text: &str| Some(text.to_owned());
    let rows = [
        event(1, 1),
        Event { source: "app".into(), dedup_key: some("k"), ..event(2, 2) },
        Event { dedup_key: some("k"), user_id: some("Ørsted"), ..event(3, 3) },
        Event {
            action: "identify".into(),
            event_type: "login".into(),
            user_id: some("ørsted"),
            ..event(4, 4)
        },
        Event { user_id: some("a%"), ..event(5, 5) },
        Event { user_id: some("ab"), ..event(6, 6) },
    ];
    house.write(&rows, &[]).await;
    let none = EventFilter::default;
    for (filter, wanted) in [
        (none(), &[6, 5, 4, 3, 2, 1][..]),
        (EventFilter { source: some("web"), ..none() }, &[6, 5, 4, 3, 1]),
        (EventFilter { source: some("WEB"), ..none() }, &[]),
        (EventFilter { dedup_key: some("k"), ..none() }, &[3, 2]),
        (EventFilter { dedup_key: some("k"), source: some("app"), ..none() }, &[2]),
        (EventFilter { action: some("identify"), ..none() }, &[4]),
        (EventFilter { event_type: some("login"), ..none() }, &[4]),
        (EventFilter { event_type: some("track"), source: some("app"), ..none() }, &[2]),
        (EventFilter { user_id: some("Ørsted"), ..none() }, &[3]),
        (EventFilter { user_id: some("a%"), ..none() }, &[5]),
        (EventFilter { user_id: some("' OR 1 = 1 --"), ..none() }, &[]),
        (EventFilter { user_id: some("a\0"), ..none() }, &[]),
        (EventFilter { source: some(""), ..none() }, &[]),
    ] {
        assert_eq!(found(house, filter.clone()).await, wanted, "{filter:?}");
    }
}

async fn a_time_is_exact_to_the_microsecond(house: &mut House) {
    let rows: Vec<_> =
        [0, 1, 999, 1_000, 1_001, 2_000].into_iter().zip(1..).map(|(after, n)| event(after, n)).collect();
    house.write(&rows, &[]).await;
    for (from, to, wanted) in [
        (Some(1), Some(1_001), &[4, 3, 2][..]),
        (Some(1_000), None, &[6, 5, 4]),
        (None, Some(1_000), &[3, 2, 1]),
        (Some(999), Some(999), &[]),
        (Some(5), Some(2), &[]),
    ] {
        let at = |after: i64| NEW_YEAR + after;
        let received = TimeRange { from: from.map(at), to: to.map(at) };
        let filter = EventFilter { received, ..EventFilter::default() };
        assert_eq!(found(house, filter).await, wanted, "{received:?}");
    }
    for received in [
        TimeRange { from: Some(i64::MIN), to: Some(i64::MAX) },
        TimeRange { from: Some(EARLIEST - 1), to: Some(LATEST + 1) },
    ] {
        let filter = EventFilter { received, ..EventFilter::default() };
        assert_eq!(found(house, filter).await.len(), rows.len());
    }
}

async fn a_span_of_ids_has_both_ends(house: &mut House) {
    let rows: Vec<_> = (1..=9).map(|number| event(0, number)).collect();
    house.write(&rows, &[]).await;
    let id = |number| id(NEW_YEAR, number);
    let page = between(&house.database(), id(3), id(7), 4).await.unwrap();
    assert_eq!(page.next, Some(id(6)));
    assert_eq!(numbers(page.items.iter().map(|event| event.event_id)), [3, 4, 5, 6]);
    let page = between(&house.database(), id(5), id(5), 4).await.unwrap();
    assert_eq!((page.next, numbers(page.items.iter().map(|event| event.event_id))), (None, vec![5]));
}

async fn taken_keys_belong_to_their_source(house: &mut House) {
    let keyed = |number, source: &str, key: &str| Event {
        source: source.into(),
        dedup_key: Some(key.into()),
        ..event(0, number)
    };
    let difficult = "\"ü\\ \u{7f}👩‍🚀";
    house
        .write(&[keyed(1, "web", "a"), keyed(2, "app", "b"), keyed(3, "web", difficult), event(0, 4)], &[])
        .await;
    let keys = ["a", "b", "c", difficult, "", "nul\0", "a"].map(str::to_owned);
    let taken = taken_keys(&house.database(), "web", &keys).await.unwrap();
    let wanted = HashMap::from([("a".to_owned(), id(NEW_YEAR, 1)), (difficult.to_owned(), id(NEW_YEAR, 3))]);
    assert_eq!(taken, wanted);
    assert_eq!(taken_keys(&house.database(), "web", &[]).await.unwrap(), HashMap::new());
    let many: Vec<String> = (0..40_000).map(|number| format!("key {number}")).collect();
    assert_eq!(taken_keys(&house.database(), "web", &many).await.unwrap(), HashMap::new());
}

async fn a_row_that_a_stranger_spoiled_hides_no_other(house: &mut House) {
    house.write(&[event(0, 1), event(1, 2)], &[]).await;
    if !house.is_sqlite() {
        return;
    }
    house.execute("UPDATE events SET event = '{\"a\": <b>' WHERE event LIKE '%1%'").await;
    let page = list(&house.database(), &EventFilter::default(), None, 10).await.unwrap();
    let events: Vec<_> = page.items.iter().map(|event| event.event.get()).collect();
    assert_eq!(events, [r#"{"number": 2}"#, r#""{\"a\": <b>""#]);
}
