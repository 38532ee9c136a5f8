//! The lanes' totals and the tables, of one moment.

use bytes::Bytes;

use super::house::{House, NEW_YEAR, SPOOL, event, refusal};
use crate::{
    event::record::Event,
    store::cursors::{TableCounts, all, all_with_counts},
};

on_both! {
    totals_are_read_back,
    rows_that_were_there_are_not_counted_as_rows_again,
    tables_and_totals_agree_at_every_moment,
}

async fn totals_are_read_back(house: &mut House) {
    assert_eq!(all(&house.database()).await.unwrap(), []);
    let keyed = |number, key: &str| Event { dedup_key: Some(key.into()), ..event(0, number) };
    house.write(&[keyed(1, "a"), keyed(2, "a"), keyed(1, "a")], &[refusal(0, 9)]).await;
    let (cursors, counts) = all_with_counts(&house.database()).await.unwrap();
    let [cursor] = &cursors[..] else { panic!("{cursors:?}") };
    assert_eq!((cursor.spool_id, cursor.lane.as_str()), (SPOOL, "storage"));
    assert_eq!((cursor.first_sequence, cursor.next_sequence, cursor.accounted()), (0, 4, 4));
    assert_eq!((cursor.stored, cursor.duplicates, cursor.conflicts, cursor.refusals), (1, 1, 1, 1));
    assert_eq!((cursor.refusal_rows, cursor.dead, cursor.gaps), (2, 0, 0));
    assert_eq!(cursor.updated_at, NEW_YEAR);
    assert_eq!(counts, TableCounts { events: 1, refusals: 2, events_pruned: 0, refusals_pruned: 0 });
}

async fn rows_that_were_there_are_not_counted_as_rows_again(house: &mut House) {
    let keyed = |number, hash: &'static [u8]| Event {
        dedup_key: Some("k".into()),
        event_hash: Bytes::from_static(hash),
        ..event(0, number)
    };
    let events = [keyed(1, b"one"), keyed(2, b"two")];
    for _ in 0..3 {
        house.write(&events, &[refusal(0, 8), refusal(0, 9), refusal(0, 8)]).await;
    }
    let (cursors, counts) = all_with_counts(&house.database()).await.unwrap();
    assert_eq!((cursors[0].refusals, cursors[0].conflicts, cursors[0].refusal_rows), (9, 3, 3));
    assert_eq!((counts.events, counts.refusals, cursors[0].stored), (1, 3, 1));
}

async fn tables_and_totals_agree_at_every_moment(house: &mut House) {
    let database = house.database();
    database.ready().await.unwrap();
    let writing = async {
        for number in 0..60 {
            house.write(&[event(0, number * 2), event(0, number * 2 + 1)], &[refusal(0, number)]).await;
        }
    };
    tokio::pin!(writing);
    let mut moments = Vec::new();
    loop {
        let looking = all_with_counts(&database);
        tokio::pin!(looking);
        let seen = tokio::select! {
            () = &mut writing => break,
            seen = &mut looking => seen,
        };
        let (cursors, counts) = seen.unwrap();
        let stored = cursors.first().map_or((0, 0), |cursor| (cursor.stored, cursor.refusal_rows));
        assert_eq!((counts.events, counts.refusals), stored);
        moments.push(stored);
    }
    moments.dedup();
    assert!(moments.len() > 1, "nothing was written meanwhile");
}
