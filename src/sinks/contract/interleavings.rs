//! Any history of batches, with duplicates, conflicts and redeliveries, of two spools into the same tables, ends with
//! the same rows and totals as with the reference.

use bytes::Bytes;
use proptest::{
    collection::vec,
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};

use super::{
    house::House,
    samples::{batch, event, refusal},
};
use crate::event::record::{Event, Refusal};

const HISTORIES: usize = 48;

/// One batch of one spool.
#[derive(Clone, Debug)]
struct Step {
    spool: u128,
    /// Whether the lane lost its cursor and begins anew, at its first sequence.
    restored: bool,
    events: Vec<u64>,
    refusals: Vec<u64>,
    /// An event whose refusal, if it has one, was replayed before.
    replayed: u64,
}

/// Few ids, so that they meet. An id determines the rest, as it does in life: an event is never changed.
fn row(id: u64) -> Event {
    let hashes: [&[u8]; 3] = [b"", b"one", b"two"];
    let key = (!id.is_multiple_of(7)).then(|| format!("key {}", id % 5));
    let hash = hashes[usize::try_from(id / 5).unwrap() % hashes.len()];
    Event { dedup_key: key, event_hash: Bytes::from_static(hash), ..event(id) }
}

fn step() -> impl Strategy<Value = Step> {
    (1..=2_u128, prop::bool::weighted(0.1), vec(0..60_u64, 0..12), vec(0..9_u64, 0..3), 0..60_u64).prop_map(
        |(spool, restored, events, refusals, replayed)| Step { spool, restored, events, refusals, replayed },
    )
}

pub(super) async fn any_history_ends_as_with_the_reference(house: &House) {
    let mut runner = TestRunner::new(Config::default());
    let histories = vec(step(), 1..12);
    for _ in 0..HISTORIES {
        let history = histories.new_tree(&mut runner).unwrap().current();
        let reference = House::memory().await;
        house.clear().await;
        for step in &history {
            take(step, house, &reference, &history).await;
        }
        assert_eq!(house.events().await, reference.events().await, "{history:?}");
        assert_eq!(house.refusals().await, reference.refusals().await, "{history:?}");
        assert_eq!(house.replayed().await, reference.replayed().await, "{history:?}");
    }
}

async fn take(step: &Step, house: &House, reference: &House, history: &[Step]) {
    if step.restored {
        house.forget_cursor(step.spool).await;
        reference.forget_cursor(step.spool).await;
    }
    for house in [house, reference] {
        house.set_replayed(row(step.replayed).event_id()).await;
    }
    let stands_at = reference.cursor(step.spool).await.map(|cursor| cursor.next_sequence);
    let events: Vec<Event> = step.events.iter().copied().map(row).collect();
    let refusals: Vec<Refusal> = step.refusals.iter().map(|id| refusal(100 + id)).collect();
    let batch = batch(step.spool, stands_at.is_none(), stands_at.unwrap_or(3), &events, &refusals);
    let expected = reference.sink.write(&batch).await.unwrap();
    assert_eq!(house.sink.write(&batch).await.unwrap(), expected, "{step:?} of {history:?}");
    let cursor = house.cursor(step.spool).await.unwrap();
    assert_eq!(Some(cursor), reference.cursor(step.spool).await, "{step:?} of {history:?}");
    assert_eq!(cursor.accounted(), cursor.next_sequence - cursor.first_sequence);
}
