//! The promises of a sink, one by one.

use bytes::Bytes;
use uuid::Uuid;

use super::{
    house::House,
    samples::{batch, difficult_events, difficult_refusals, event, keyed, refusal},
};
use crate::{
    event::{
        record::{DEDUP_CONFLICT, Event, Refusal},
        time::LATEST,
    },
    sinks::{Batch, ErrorClass, Written},
};

const NOTHING: Written = Written { stored: 0, duplicates: 0, conflicts: 0, refusals: 0 };

/// The names of what is stored, which tell the events of a check apart.
async fn stored_numbers(house: &House) -> Vec<u64> {
    house.events().await.iter().map(|event| event.event_id_low).collect()
}

/// Every sequence from the lane's beginning on is accounted for.
async fn assert_accounted(house: &House, spool: u128) {
    let cursor = house.cursor(spool).await.unwrap();
    assert_eq!(cursor.accounted(), cursor.next_sequence - cursor.first_sequence);
}

pub(super) async fn a_lane_begins_without_a_cursor(house: &House) {
    assert_eq!(house.sink.cursor(Uuid::from_u128(1)).await.unwrap(), None);
    house.sink.write(&batch(1, true, 40, &[event(1), event(2)], &[])).await.unwrap();
    assert_eq!(house.sink.cursor(Uuid::from_u128(1)).await.unwrap(), Some(42));
    assert_eq!(house.sink.cursor(Uuid::from_u128(2)).await.unwrap(), None);
    assert_eq!(house.cursor(1).await.unwrap().first_sequence, 40);
    assert_accounted(house, 1).await;
}

pub(super) async fn an_empty_batch_moves_the_cursor(house: &House) {
    let begins = Batch { to: 13, dead: 1, gaps: 2, ..batch(1, true, 10, &[], &[]) };
    assert_eq!(house.sink.write(&begins).await.unwrap(), NOTHING);
    let moves = Batch { to: 14, dead: 1, ..batch(1, false, 13, &[], &[]) };
    assert_eq!(house.sink.write(&moves).await.unwrap(), NOTHING);
    let cursor = house.cursor(1).await.unwrap();
    assert_eq!((cursor.first_sequence, cursor.next_sequence, cursor.dead, cursor.gaps), (10, 14, 2, 2));
    assert_accounted(house, 1).await;
}

pub(super) async fn a_cursor_that_moved_stores_nothing(house: &House) {
    let rows = [event(1), event(2)];
    let unknown = house.sink.write(&batch(1, false, 5, &rows, &[])).await;
    assert_eq!(unknown.unwrap_err().class, ErrorClass::CursorMoved);
    assert_eq!(house.cursor(1).await, None);

    house.sink.write(&batch(1, true, 5, &rows, &[])).await.unwrap();
    let before = house.cursor(1).await;
    for moved in [
        batch(1, true, 5, &[event(3)], &[refusal(4)]),
        batch(1, false, 5, &[event(3)], &[refusal(4)]),
        batch(1, false, 8, &[event(3)], &[refusal(4)]),
    ] {
        assert_eq!(house.sink.write(&moved).await.unwrap_err().class, ErrorClass::CursorMoved);
    }
    assert_eq!(house.cursor(1).await, before);
    assert_eq!(stored_numbers(house).await, [1, 2]);
    assert_eq!(house.refusals().await, []);
}

pub(super) async fn a_redelivered_batch_is_all_duplicates(house: &House) {
    let rows = [keyed(1, "a"), event(2), keyed(3, "b")];
    let first = house.sink.write(&batch(1, true, 0, &rows, &[refusal(9)])).await.unwrap();
    assert_eq!(first, Written { stored: 3, refusals: 1, ..NOTHING });
    house.forget_cursor(1).await;
    let second = house.sink.write(&batch(1, true, 0, &rows, &[refusal(9)])).await.unwrap();
    assert_eq!(second, Written { duplicates: 3, refusals: 1, ..NOTHING });
    assert_eq!(stored_numbers(house).await, [1, 2, 3]);
    assert_eq!(house.refusals().await, [refusal(9)]);
    assert_accounted(house, 1).await;
}

pub(super) async fn the_first_of_a_key_wins(house: &House) {
    let like = |number, other: &Event| Event { event_id_low: number, ..other.clone() };
    let first = keyed(7, "z");
    let uncompared = |number| Event { event_hash: Bytes::new(), ..keyed(number, "y") };
    let rows = [first.clone(), uncompared(6), like(5, &first), uncompared(4), first.clone()];
    let written = house.sink.write(&batch(1, true, 0, &rows, &[])).await.unwrap();
    assert_eq!(written, Written { stored: 2, duplicates: 3, ..NOTHING });
    let later = [like(1, &first), uncompared(2), keyed(3, "y"), event(8)];
    let written = house.sink.write(&batch(1, false, 5, &later, &[])).await.unwrap();
    assert_eq!(written, Written { stored: 1, duplicates: 3, ..NOTHING });
    assert_eq!(stored_numbers(house).await, [6, 7, 8]);
    assert_eq!(house.refusals().await, []);
    assert_accounted(house, 1).await;
}

pub(super) async fn other_content_under_a_key_is_kept_as_a_refusal(house: &House) {
    let rows = [keyed(1, "a"), keyed(2, "a"), keyed(3, "b")];
    let written = house.sink.write(&batch(1, true, 0, &rows, &[])).await.unwrap();
    assert_eq!(written, Written { stored: 2, conflicts: 1, ..NOTHING });
    let later = [keyed(4, "b"), keyed(2, "a")];
    let written = house.sink.write(&batch(1, false, 3, &later, &[refusal(9)])).await.unwrap();
    assert_eq!(written, Written { conflicts: 2, refusals: 1, ..NOTHING });

    assert_eq!(stored_numbers(house).await, [1, 3]);
    let kept = [Refusal::conflict(&keyed(2, "a")), Refusal::conflict(&keyed(4, "b")), refusal(9)];
    assert_eq!(house.refusals().await, kept);
    assert_eq!(kept[0].rule, DEDUP_CONFLICT);
    assert_accounted(house, 1).await;
}

/// A replay appends an event under its refusal's id, and a third event has the key by then.
pub(super) async fn a_conflict_reopens_the_refusal_that_was_called_replayed(house: &House) {
    let judged = Refusal { rule: "user.missing".into(), ..refusal(3) };
    let rows = [keyed(1, "a"), keyed(2, "a")];
    house.sink.write(&batch(1, true, 0, &rows, &[judged.clone(), refusal(9)])).await.unwrap();
    let (conflict, judged_id, other) = (rows[1].event_id(), judged.refusal_id(), refusal(9).refusal_id());
    for id in [conflict, judged_id, other] {
        house.set_replayed(id).await;
    }
    // A refusal that comes again, and an event that is stored, say nothing against it.
    house.sink.write(&batch(1, false, 4, &[keyed(9, "free")], &[refusal(9)])).await.unwrap();
    assert_eq!(house.replayed().await, [conflict, judged_id, other]);

    let before = house.cursor(1).await.unwrap();
    let written =
        house.sink.write(&batch(1, false, 6, &[rows[1].clone(), keyed(3, "a")], &[])).await.unwrap();
    assert_eq!(written, Written { conflicts: 2, ..NOTHING });
    assert_eq!(house.replayed().await, [other]);
    let kept = [Refusal::conflict(&rows[1]), judged, refusal(9)];
    assert_eq!(house.refusals().await, kept, "each row keeps what it has");
    assert_eq!(house.cursor(1).await.unwrap().refusal_rows, before.refusal_rows, "none was inserted");
    assert_accounted(house, 1).await;
}

pub(super) async fn keys_belong_to_their_source_and_null_is_no_key(house: &House) {
    let elsewhere = Event { source: "web".into(), ..keyed(2, "a") };
    let same_content = |number| Event { event_id_low: number, ..event(3) };
    let empty_key = keyed(6, "");
    let rows = [keyed(1, "a"), elsewhere, event(3), same_content(4), same_content(5), empty_key];
    let written = house.sink.write(&batch(1, true, 0, &rows, &[])).await.unwrap();
    assert_eq!(written, Written { stored: 6, ..NOTHING });
    assert_eq!(stored_numbers(house).await, [1, 2, 3, 4, 5, 6]);
}

pub(super) async fn refusals_are_stored_once(house: &House) {
    let rows = [refusal(3), refusal(1), refusal(3)];
    let written = house.sink.write(&batch(1, true, 0, &[], &rows)).await.unwrap();
    assert_eq!(written, Written { refusals: 3, ..NOTHING });
    house.sink.write(&batch(1, false, 3, &[], &[refusal(1), refusal(2)])).await.unwrap();
    assert_eq!(house.refusals().await, [refusal(1), refusal(2), refusal(3)]);
    assert_accounted(house, 1).await;
}

pub(super) async fn a_poison_row_rolls_everything_back(house: &House) {
    house.sink.write(&batch(1, true, 0, &[event(1)], &[])).await.unwrap();
    let before = house.cursor(1).await;
    for poison in [
        Event { source: String::new(), ..event(3) },
        Event { time: LATEST + 1, ..event(3) },
        Event { received_at: i64::MIN, ..event(3) },
        Event { event: Bytes::from_static(b"\"\xff\""), ..event(3) },
    ] {
        let written =
            house.sink.write(&batch(1, false, 1, &[event(2), poison, event(4)], &[refusal(5)])).await;
        assert_eq!(written.unwrap_err().class, ErrorClass::PoisonRow);
    }
    for poison in
        [Refusal { source: String::new(), ..refusal(6) }, Refusal { received_at: i64::MAX, ..refusal(6) }]
    {
        let written = house.sink.write(&batch(1, false, 1, &[event(2)], &[refusal(5), poison])).await;
        assert_eq!(written.unwrap_err().class, ErrorClass::PoisonRow);
    }
    assert_eq!(house.cursor(1).await, before);
    assert_eq!(stored_numbers(house).await, [1]);
    assert_eq!(house.refusals().await, []);

    house.sink.write(&batch(1, false, 1, &[event(2), event(4)], &[refusal(5)])).await.unwrap();
    assert_eq!(stored_numbers(house).await, [1, 2, 4]);
}

pub(super) async fn every_column_is_read_back_exactly(house: &House) {
    let (mut events, mut refusals) = (difficult_events(), difficult_refusals());
    house.sink.write(&batch(1, true, 0, &events, &refusals)).await.unwrap();
    events.sort_by_key(Event::event_id);
    refusals.sort_by_key(Refusal::refusal_id);
    assert_eq!(house.events().await, events);
    assert_eq!(house.refusals().await, refusals);
}

pub(super) async fn a_big_batch_is_stored_whole(house: &House) {
    let events: Vec<_> =
        (0..5_000).map(|number| keyed(number, &format!("key {}", number * 7 % 5_000))).collect();
    let refusals: Vec<_> = (0..1_003).map(refusal).collect();
    let written = house.sink.write(&batch(1, true, 0, &events, &refusals)).await.unwrap();
    assert_eq!(written, Written { stored: 5_000, refusals: 1_003, ..NOTHING });
    assert_eq!(house.events().await, events);
    assert_eq!(house.refusals().await, refusals);

    let again: Vec<_> =
        (2_500..7_500).map(|number| keyed(number, &format!("key {}", number * 7 % 10_000))).collect();
    let written = house.sink.write(&batch(1, false, 6_003, &again, &[])).await.unwrap();
    assert_eq!(written.stored + written.duplicates + written.conflicts, 5_000);
    assert_eq!(house.events().await.len() as u64, 5_000 + written.stored);
    assert_eq!(house.refusals().await.len() as u64, 1_003 + written.conflicts);
    assert_accounted(house, 1).await;
}

/// Two spools write the same keys at the same time: each key is stored once, and both lanes account for it.
pub(super) async fn lanes_that_share_tables_do_not_disturb_each_other(house: &House) {
    let lane = async |spool: u128, offset: u64| {
        for round in 0..10 {
            let mut rows: Vec<_> = (0..40)
                .map(|key| Event {
                    event_id_low: offset + round * 40 + key,
                    ..keyed(key, &format!("{round} {key}"))
                })
                .collect();
            if spool == 2 {
                rows.reverse();
            }
            house.sink.write(&batch(spool, round == 0, round * 40, &rows, &[])).await.unwrap();
        }
    };
    tokio::join!(lane(1, 0), lane(2, 1_000));
    assert_eq!(house.events().await.len(), 400);
    assert_eq!(house.refusals().await, []);
    let (one, two) = (house.cursor(1).await.unwrap(), house.cursor(2).await.unwrap());
    assert_eq!((one.next_sequence, two.next_sequence), (400, 400));
    assert_eq!(one.written.stored + two.written.stored, 400);
    assert_eq!(one.written.duplicates + two.written.duplicates, 400);
}

pub(super) async fn a_canary_leaves_nothing(house: &House) {
    house.sink.canary().await.unwrap();
    house.sink.canary().await.unwrap();
    assert_eq!(house.events().await, []);
    assert_eq!(house.refusals().await, []);
    house.sink.write(&batch(1, true, 0, &[event(1)], &[])).await.unwrap();
    house.sink.canary().await.unwrap();
    assert_eq!(stored_numbers(house).await, [1]);
}
