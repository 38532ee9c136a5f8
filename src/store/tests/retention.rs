//! Deleting: what matches and nothing else, in portions, counted, beside a lane that writes.

use bytes::Bytes;

use super::house::{House, NEW_YEAR, event, numbers, refusal};
use crate::{
    event::record::{Event, Refusal},
    store::{
        cursors::{TableCounts, table_counts},
        events::{EventFilter, list},
        refusals::{self, RefusalFilter},
        retention::{Aim, Prune, Pruned, Sweep},
    },
};

on_both! {
    what_is_old_is_deleted_to_the_microsecond,
    a_person_is_erased_from_both_tables,
    an_id_within_another_text_is_nobodys,
    counting_deletes_nothing,
    nobody_is_not_everybody,
    a_lane_writes_between_two_portions,
    two_sweeps_at_once_count_every_row_once,
}

fn prune(before: i64) -> Prune {
    Prune { before: NEW_YEAR + before, user: None, events: true, refusals: true }
}

fn of_person(user: &str) -> Prune {
    Prune { user: Some(user.into()), ..prune(1_000_000) }
}

async fn swept(house: &House, prune: Prune, aim: Aim, portion: usize) -> Pruned {
    let (mut sweep, mut pruned) = (Sweep::new(prune, aim), Pruned::default());
    while let Some(step) = sweep.step(&house.database(), portion).await.unwrap() {
        assert!(step.events + step.refusals <= portion as u64);
        pruned += step;
    }
    pruned
}

async fn left(house: &House) -> (Vec<u64>, Vec<u64>) {
    let events = list(&house.database(), &EventFilter::default(), None, 10_000).await.unwrap().items;
    let refusals =
        refusals::list(&house.database(), &RefusalFilter::default(), None, 10_000).await.unwrap().items;
    (
        numbers(events.into_iter().rev().map(|event| event.event_id)),
        numbers(refusals.into_iter().rev().map(|refusal| refusal.refusal_id)),
    )
}

async fn what_is_old_is_deleted_to_the_microsecond(house: &mut House) {
    let times = || [0, 1, 999, 1_000, 1_001, 5_000].into_iter().zip(1..);
    let events: Vec<_> = times().map(|(at, number)| event(at, number)).collect();
    let refusals: Vec<_> = times().map(|(at, number)| refusal(at, number)).collect();
    house.write(&events, &refusals).await;
    let only_events = Prune { refusals: false, ..prune(1) };
    assert_eq!(swept(house, only_events, Aim::Delete, 2).await, Pruned { events: 1, refusals: 0 });
    assert_eq!(swept(house, prune(1_001), Aim::Delete, 2).await, Pruned { events: 3, refusals: 4 });
    assert_eq!(left(house).await, (vec![5, 6], vec![5, 6]));
    assert_eq!(swept(house, prune(1_001), Aim::Delete, 2).await, Pruned::default());
    let counts = table_counts(&house.database()).await.unwrap();
    assert_eq!(counts, TableCounts { events: 2, refusals: 2, events_pruned: 4, refusals_pruned: 4 });
}

async fn a_person_is_erased_from_both_tables(house: &mut House) {
    let person = "Ør\"s'ted%👩";
    let some = |text: &str| Some(text.to_owned());
    let events = [
        event(1, 1),
        Event { user_id: some(person), ..event(2, 2) },
        Event { anonymous_id: some(person), ..event(3, 3) },
        Event { user_id: some("ør\"s'ted%👩"), username: some(person), ..event(4, 4) },
        Event { user_id: some(person), ..event(2_000_000, 5) },
    ];
    let body = |body: &str, number| Refusal { body: Bytes::from(body.to_owned()), ..refusal(5, number) };
    let refusals = [
        body(r#"{"userId":"Ør\"s'ted%👩"}"#, 1),
        body(r#"{"userId": "\u00d8r\"s'ted%\ud83d\udc69"}"#, 2),
        body(r#"{"userId": "Ør\"s'ted%👩"}"#, 3),
        body(r#"{"userId": "\u00D8r\"s'ted%\uD83D\uDC69"}"#, 4),
        body(r#"{"userId": "Ør\"s'ted"}"#, 5),
        Refusal { body: [b"\xff\0", r#""Ør\"s'ted%👩""#.as_bytes()].concat().into(), ..refusal(6, 6) },
        body(r#"{"about": "Ør\"s'ted%👩, and others"}"#, 7),
    ];
    house.write(&events, &refusals).await;
    assert_eq!(swept(house, of_person(person), Aim::Delete, 1).await, Pruned { events: 2, refusals: 5 });
    assert_eq!(left(house).await, (vec![1, 4, 5], vec![5, 7]));
}

async fn an_id_within_another_text_is_nobodys(house: &mut House) {
    let about = [
        r#"{"userId":"42"}"#,
        r#"{"userId":42,"x":1}"#,
        r#"{"x": 1, "userId": 42}"#,
        r#"{ "ids" : [ 41, 42 ] }"#,
        "[\n  41,\n  42\n]",
        "{\"userId\":42\r\n}",
    ];
    let of_others = [
        r#"{"userId":"7","timestamp":"2042-01-31T12:42:42Z"}"#,
        r#"{"userId":420,"x":142}"#,
        r#"{"userId":-42,"x":42.5,"y":0.42,"z":42e1}"#,
        r#"{"userId":"u-42","x":"page 42 of 42"}"#,
        r#"{"userId":"7","x":"\u0042"}"#,
        r#"{"userId":"42 "}"#,
    ];
    let refusals: Vec<_> = about
        .iter()
        .chain(&of_others)
        .zip(1..)
        .map(|(body, number)| Refusal { body: Bytes::from_static(body.as_bytes()), ..refusal(5, number) })
        .collect();
    house.write(&[], &refusals).await;
    assert_eq!(swept(house, of_person("42"), Aim::Delete, 5).await, Pruned { events: 0, refusals: 6 });
    assert_eq!(left(house).await.1, [7, 8, 9, 10, 11, 12]);
}

async fn counting_deletes_nothing(house: &mut House) {
    house.write(&[event(0, 1), event(1, 2)], &[refusal(0, 1)]).await;
    assert_eq!(swept(house, prune(1), Aim::Count, 10).await, Pruned { events: 1, refusals: 1 });
    assert_eq!(left(house).await, (vec![1, 2], vec![1]));
    let counts = table_counts(&house.database()).await.unwrap();
    assert_eq!((counts.events_pruned, counts.refusals_pruned), (0, 0));
}

async fn nobody_is_not_everybody(house: &mut House) {
    let nobody = Event { anonymous_id: Some(String::new()), ..event(0, 1) };
    house.write(&[nobody, event(0, 2)], &[refusal(0, 1)]).await;
    assert_eq!(swept(house, of_person("a\0b"), Aim::Delete, 10).await, Pruned::default());
    assert_eq!(swept(house, of_person(""), Aim::Delete, 10).await, Pruned { events: 1, refusals: 0 });
    let nothing = Prune { events: false, refusals: false, ..prune(1_000) };
    assert_eq!(swept(house, nothing, Aim::Delete, 10).await, Pruned::default());
    assert_eq!(left(house).await, (vec![2], vec![1]));
}

async fn a_lane_writes_between_two_portions(house: &mut House) {
    let rows: Vec<_> = (1..=40).map(|number| event(0, number)).collect();
    house.write(&rows, &[]).await;
    let mut sweep = Sweep::new(prune(1), Aim::Delete);
    let (mut deleted, mut newer) = (0, 1_000);
    while let Some(step) = sweep.step(&house.database(), 7).await.unwrap() {
        deleted += step.events;
        newer += 1;
        let written = house.write(&[event(1, newer)], &[refusal(1, newer)]).await;
        assert_eq!((written.stored, written.refusals), (1, 1));
    }
    assert_eq!(deleted, 40);
    let (events, refusals) = left(house).await;
    assert_eq!((&events, events.len()), (&refusals, usize::try_from(newer - 1_000).unwrap()));
}

async fn two_sweeps_at_once_count_every_row_once(house: &mut House) {
    let rows: Vec<_> = (1..=200).map(|number| event(0, number)).collect();
    house.write(&rows, &[]).await;
    let (one, two) =
        tokio::join!(swept(house, prune(1), Aim::Delete, 9), swept(house, prune(1), Aim::Delete, 9));
    assert_eq!(one.events + two.events, 200);
    assert_eq!(table_counts(&house.database()).await.unwrap().events_pruned, 200);
}
