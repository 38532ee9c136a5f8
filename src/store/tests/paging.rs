//! Pages, put together, are the whole answer: nothing twice, nothing missing, while newer rows arrive.

use proptest::{
    collection::{btree_map, vec},
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

use bytes::Bytes;

use super::house::{House, NEW_YEAR, event, numbers, refusal};
use crate::{
    event::record::{Event, Refusal},
    store::{
        events::{self, EventFilter},
        range::TimeRange,
        refusals::{self, RefusalFilter},
    },
};

const HISTORIES: usize = 24;

on_both! {
    pages_are_the_whole_answer_while_newer_rows_arrive,
    a_page_of_large_rows_is_short_and_not_the_last,
}

/// Rows by number; each arrives some milliseconds after the one before, or in the same one.
fn rows() -> impl Strategy<Value = Vec<(i64, bool)>> {
    btree_map(1..200_u64, (0..3_i64, any::<bool>()), 0..60).prop_map(|rows| {
        rows.into_values()
            .scan(0, |at, (gap, web)| {
                *at += gap * 700;
                Some((*at, web))
            })
            .collect()
    })
}

fn filters() -> impl Strategy<Value = (Option<bool>, TimeRange)> {
    let at = || prop::option::of((0..90_000_i64).prop_map(|after| NEW_YEAR + after));
    (prop::option::of(any::<bool>()), at(), at()).prop_map(|(web, from, to)| (web, TimeRange { from, to }))
}

fn source(web: bool) -> String {
    if web { "web".into() } else { "app".into() }
}

async fn pages_are_the_whole_answer_while_newer_rows_arrive(house: &mut House) {
    let mut runner = TestRunner::new(Config::default());
    let cases = (rows(), filters(), 1..9_usize, vec(any::<bool>(), 0..8));
    for _ in 0..HISTORIES {
        let (rows, (web, received), limit, newer) = cases.new_tree(&mut runner).unwrap().current();
        house.execute("DELETE FROM events; DELETE FROM refusals").await;
        let numbered = || (1..).zip(&rows);
        let stored: Vec<Event> = numbered()
            .map(|(number, &(at, web))| Event { source: source(web), ..event(at, number) })
            .collect();
        let refused: Vec<Refusal> = numbered()
            .map(|(number, &(at, web))| Refusal { source: source(web), ..refusal(at, number) })
            .collect();
        house.write(&stored, &refused).await;

        let within =
            |at: i64| received.from.is_none_or(|from| from <= at) && received.to.is_none_or(|to| at < to);
        let mut wanted: Vec<u64> = numbered()
            .filter(|(_, row)| web.is_none_or(|web| web == row.1) && within(NEW_YEAR + row.0))
            .map(|(number, _)| number)
            .collect();
        let ascending = wanted.clone();
        wanted.reverse();

        let source = web.map(source);
        let filter = EventFilter { source: source.clone(), received, ..EventFilter::default() };
        let refusal_filter = RefusalFilter { source, received, ..RefusalFilter::default() };
        let newest = rows.last().map_or(0, |row| row.0);
        let mut arriving = newer.iter().zip(1_000..);
        let (mut paged, mut before) = (Vec::new(), None);
        loop {
            let page = events::list(&house.database(), &filter, before, limit).await.unwrap();
            assert!(page.items.len() <= limit);
            paged.extend(page.items.iter().map(|event| event.event_id));
            before = page.next;
            if before.is_none() {
                break;
            }
            if let Some((&web, number)) = arriving.next() {
                let newer = Event { source: self::source(web), ..event(newest, number) };
                house.write(&[newer], &[]).await;
            }
        }
        assert_eq!(numbers(paged), wanted, "{filter:?} {rows:?}");

        let (mut paged, mut after) = (Vec::new(), None);
        loop {
            let page = refusals::with_bodies(&house.database(), &refusal_filter, after, limit).await.unwrap();
            paged.extend(page.items.iter().map(|(refusal, _)| refusal.refusal_id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(numbers(paged), ascending, "{refusal_filter:?} {rows:?}");
    }
}

async fn a_page_of_large_rows_is_short_and_not_the_last(house: &mut House) {
    let body = Bytes::from(vec![b'x'; 3 << 20]);
    let large = |number| Refusal { body: body.clone(), ..refusal(0, number) };
    let json = Bytes::from(format!("\"{}\"", "y".repeat(3 << 20)));
    let large_event = |number| Event { event: json.clone(), ..event(0, number) };
    house.write(&[1, 2, 3].map(large_event), &[1, 2, 3].map(large)).await;

    let database = house.database();
    let page = refusals::with_bodies(&database, &RefusalFilter::default(), None, 100).await.unwrap();
    assert_eq!(
        page.items.iter().map(|(refusal, body)| (refusal.body_bytes, body.len())).collect::<Vec<_>>(),
        [(3 << 20, 3 << 20); 2]
    );
    let page = refusals::with_bodies(&database, &RefusalFilter::default(), page.next, 100).await.unwrap();
    assert_eq!((page.items.len(), page.next), (1, None));
    // Without their bodies they are small.
    let page = refusals::list(&database, &RefusalFilter::default(), None, 100).await.unwrap();
    assert_eq!((page.items.len(), page.next), (3, None));

    let page = events::list(&database, &EventFilter::default(), None, 100).await.unwrap();
    assert_eq!(page.items.len(), 2);
    let page = events::list(&database, &EventFilter::default(), page.next, 100).await.unwrap();
    assert_eq!((page.items.len(), page.next), (1, None));
}
