//! Refusals: every column, every filter, and a state that is left once.

use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use super::house::{House, NEW_YEAR, id, numbers, refusal};
use crate::{
    clock::UnixMicros,
    event::record::Refusal,
    store::{
        range::TimeRange,
        refusals::{
            RefusalCount, RefusalFilter, RefusalState, StoredRefusal, between, count, find, list, mark,
            mark_all, summary,
        },
    },
};

on_both! {
    a_refusal_reads_as_it_will_from_the_spool,
    every_filter_finds_what_it_names_and_nothing_else,
    a_refusal_is_found_with_its_body_by_its_id,
    a_state_is_left_once,
    two_who_mark_at_once_share_the_rows,
    all_of_a_filter_are_marked_in_portions,
    a_summary_counts_by_source_rule_and_state,
}

const ALL: fn() -> RefusalFilter = RefusalFilter::default;

async fn found(house: &House, filter: &RefusalFilter) -> Vec<u64> {
    let page = list(&house.database(), filter, None, 1_000).await.unwrap();
    assert_eq!(count(&house.database(), filter).await.unwrap(), page.items.len() as u64);
    numbers(page.items.into_iter().map(|refusal| refusal.refusal_id))
}

async fn a_refusal_reads_as_it_will_from_the_spool(house: &mut House) {
    let full = Refusal {
        source: "ünï-'source'".into(),
        rule: "json.syntax".into(),
        pointer: "/a~1b/0/'".into(),
        message: "words\nand \"quotes\"".into(),
        element: Some(u32::MAX),
        path: "/v1/bof/möbile/ewr".into(),
        content_type: "application/json; content-encoding=gzip".into(),
        body: (0..=255).collect::<Vec<u8>>().into(),
        truncated: true,
        body_hash: Bytes::from_static(b"\x00\x0f\xff"),
        metadata: Bytes::from_static(r#"{"x-mm-region": "ew\"ré"}"#.as_bytes()),
        ..refusal(5, 1)
    };
    let rows = [full, refusal(6, 2)];
    house.write(&[], &rows).await;
    let page = list(&house.database(), &ALL(), None, 10).await.unwrap();
    let wanted: Vec<StoredRefusal> = rows.iter().rev().map(StoredRefusal::from).collect();
    assert_eq!(serde_json::to_string(&page.items).unwrap(), serde_json::to_string(&wanted).unwrap());

    let [plain, full]: [Value; 2] =
        serde_json::from_value(serde_json::to_value(&page.items).unwrap()).unwrap();
    assert_eq!(full["refusal_id"], id(NEW_YEAR, 1).to_string());
    assert_eq!(full["received_at"], "2026-01-01T00:00:00.000005Z");
    assert_eq!(full["metadata"], json!({"x-mm-region": "ew\"ré"}));
    assert_eq!(full["body_hash"], "000fff");
    assert_eq!((&full["body_bytes"], &full["element"]), (&json!(256), &json!(u32::MAX)));
    assert_eq!(
        (&plain["metadata"], &plain["element"], &plain["state"]),
        (&json!({}), &json!(null), &json!("new"))
    );
    assert_eq!(full.as_object().unwrap().len(), 17);
}

async fn every_filter_finds_what_it_names_and_nothing_else(house: &mut House) {
    let some = |text: &str| Some(text.to_owned());
    let rows = [
        refusal(1, 1),
        Refusal { source: "app".into(), ..refusal(2, 2) },
        Refusal { rule: "Ünïcode".into(), ..refusal(3, 3) },
        refusal(4, 4),
    ];
    house.write(&[], &rows).await;
    mark(&house.database(), &[rows[3].refusal_id()], RefusalState::Discarded).await.unwrap();
    let received = TimeRange { from: Some(NEW_YEAR + 2), to: Some(NEW_YEAR + 4) };
    let ids = |numbers: &[UnixMicros]| numbers.iter().map(|&n| id(NEW_YEAR + n, n.unsigned_abs())).collect();
    for (filter, wanted) in [
        (ALL(), &[4, 3, 2, 1][..]),
        (RefusalFilter { source: some("app"), ..ALL() }, &[2]),
        (RefusalFilter { rule: some("Ünïcode"), ..ALL() }, &[3]),
        (RefusalFilter { rule: some("user%"), ..ALL() }, &[]),
        (RefusalFilter { rule: some("\0"), ..ALL() }, &[]),
        (RefusalFilter { state: Some(RefusalState::New), ..ALL() }, &[3, 2, 1]),
        (RefusalFilter { state: Some(RefusalState::Discarded), ..ALL() }, &[4]),
        (RefusalFilter { state: Some(RefusalState::Replayed), ..ALL() }, &[]),
        (RefusalFilter { received, ..ALL() }, &[3, 2]),
        (RefusalFilter { ids: ids(&[1, 3, 9]), ..ALL() }, &[3, 1]),
        (RefusalFilter { ids: ids(&[1, 3]), source: some("app"), ..ALL() }, &[]),
    ] {
        assert_eq!(found(house, &filter).await, wanted, "{filter:?}");
    }
    let page = between(&house.database(), id(NEW_YEAR, 2), id(NEW_YEAR, 4), 2).await.unwrap();
    assert_eq!(numbers(page.items.iter().map(|refusal| refusal.refusal_id)), [2, 3]);
    assert_eq!(page.next, Some(id(NEW_YEAR, 3)));
}

async fn a_refusal_is_found_with_its_body_by_its_id(house: &mut House) {
    let rows = [Refusal { body: Bytes::from_static(b"\xff\0'"), ..refusal(0, 1) }, refusal(0, 2)];
    house.write(&[], &rows).await;
    let (row, body) = find(&house.database(), rows[0].refusal_id()).await.unwrap().unwrap();
    assert_eq!((row.refusal_id, &*body), (rows[0].refusal_id(), &b"\xff\0'"[..]));
    assert!(find(&house.database(), Uuid::nil()).await.unwrap().is_none());
}

async fn a_state_is_left_once(house: &mut House) {
    let rows: Vec<_> = (1..=4).map(|number| refusal(0, number)).collect();
    house.write(&[], &rows).await;
    let ids: Vec<_> = rows.iter().map(Refusal::refusal_id).collect();
    let database = house.database();
    assert_eq!(mark(&database, &ids[..2], RefusalState::Replayed).await.unwrap(), 2);
    assert_eq!(mark(&database, &ids[..2], RefusalState::Replayed).await.unwrap(), 0);
    assert_eq!(mark(&database, &ids[1..3], RefusalState::Discarded).await.unwrap(), 1);
    assert_eq!(mark(&database, &[], RefusalState::Discarded).await.unwrap(), 0);
    assert_eq!(mark(&database, &[Uuid::nil()], RefusalState::Discarded).await.unwrap(), 0);
    let page = list(&database, &ALL(), None, 10).await.unwrap();
    let states: Vec<_> = page.items.iter().rev().map(|refusal| refusal.state).collect();
    let [replayed, discarded, new] = [RefusalState::Replayed, RefusalState::Discarded, RefusalState::New];
    assert_eq!(states, [replayed, replayed, discarded, new]);
    // A lane that writes it again changes nothing.
    house.write(&[], &rows).await;
    assert_eq!(list(&database, &ALL(), None, 10).await.unwrap().items[3].state, replayed);
}

async fn two_who_mark_at_once_share_the_rows(house: &mut House) {
    let rows: Vec<_> = (1..=300).map(|number| refusal(0, number)).collect();
    house.write(&[], &rows).await;
    let ids: Vec<_> = rows.iter().map(Refusal::refusal_id).collect();
    let backwards: Vec<_> = ids.iter().rev().copied().collect();
    let database = house.database();
    let (one, two) = tokio::join!(
        mark(&database, &ids, RefusalState::Replayed),
        mark(&database, &backwards, RefusalState::Discarded)
    );
    assert_eq!(one.unwrap() + two.unwrap(), 300);
}

async fn all_of_a_filter_are_marked_in_portions(house: &mut House) {
    let rows: Vec<_> = (1..=2_500)
        .map(|number| Refusal {
            source: if number % 5 == 0 { "app" } else { "web" }.into(),
            ..refusal(0, number)
        })
        .collect();
    house.write(&[], &rows).await;
    let database = house.database();
    let web = RefusalFilter { source: Some("web".into()), ..ALL() };
    let replayed = RefusalFilter { state: Some(RefusalState::Replayed), ..ALL() };
    assert_eq!(mark_all(&database, &replayed, RefusalState::Discarded).await.unwrap(), 0);
    mark(&database, &[rows[0].refusal_id()], RefusalState::Replayed).await.unwrap();
    assert_eq!(mark_all(&database, &web, RefusalState::Discarded).await.unwrap(), 1_999);
    assert_eq!(mark_all(&database, &web, RefusalState::Discarded).await.unwrap(), 0);
    let new = RefusalFilter { state: Some(RefusalState::New), ..ALL() };
    assert_eq!(count(&database, &new).await.unwrap(), 500);
}

async fn a_summary_counts_by_source_rule_and_state(house: &mut House) {
    let rows = [
        refusal(9, 1),
        refusal(3, 2),
        refusal(5, 3),
        Refusal { rule: "time.future".into(), ..refusal(7, 4) },
    ];
    house.write(&[], &rows).await;
    mark(&house.database(), &[rows[0].refusal_id()], RefusalState::Replayed).await.unwrap();
    let group = |rule: &str, state, count, first, last| RefusalCount {
        source: "web".into(),
        rule: rule.into(),
        state,
        count,
        first: NEW_YEAR + first,
        last: NEW_YEAR + last,
    };
    let groups = summary(&house.database(), &ALL()).await.unwrap();
    assert_eq!(
        groups,
        [
            group("time.future", RefusalState::New, 1, 7, 7),
            group("user.missing", RefusalState::New, 2, 3, 5),
            group("user.missing", RefusalState::Replayed, 1, 9, 9),
        ]
    );
    assert_eq!(serde_json::to_value(&groups[0]).unwrap()["first"], "2026-01-01T00:00:00.000007Z");
}
