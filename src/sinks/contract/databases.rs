//! The promises that only a database can break: its tables are not ours alone, and its work can be abandoned.

use std::{future::poll_fn, pin::Pin, task::Poll};

use super::{
    house::House,
    samples::{batch, event, keyed, refusal},
};
use crate::{event::record::Event, sinks::ErrorClass};

pub(super) async fn a_missing_table_is_for_a_person_to_mend(house: &House) {
    let events = [event(1)];
    let first = batch(1, true, 0, &events, &[]);
    assert_eq!(house.sink.cursor(first.spool_id).await.unwrap(), None);
    for table in ["cursors", "events"] {
        house.execute(&format!("ALTER TABLE {table} RENAME TO elsewhere")).await;
        assert_eq!(house.sink.write(&first).await.unwrap_err().class, ErrorClass::Configuration);
        if table == "events" {
            assert_eq!(house.sink.canary().await.unwrap_err().class, ErrorClass::Configuration);
        }
        house.execute(&format!("ALTER TABLE elsewhere RENAME TO {table}")).await;
    }
    house.execute("ALTER TABLE events RENAME COLUMN page TO elsewhere").await;
    assert_eq!(house.sink.write(&first).await.unwrap_err().class, ErrorClass::Configuration);
    house.execute("ALTER TABLE events RENAME COLUMN elsewhere TO page").await;
    house.sink.write(&first).await.unwrap();
}

pub(super) async fn a_row_that_a_strange_constraint_holds_back_is_poison(house: &House) {
    house.sink.canary().await.unwrap();
    house.execute("CREATE UNIQUE INDEX strange ON events (time)").await;
    let same_time = |number| Event { time: 5, ..keyed(number, &number.to_string()) };
    house.sink.write(&batch(1, true, 0, &[same_time(1)], &[])).await.unwrap();
    let error = house.sink.write(&batch(1, false, 1, &[event(2), same_time(3)], &[])).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::PoisonRow);
    assert_eq!(house.events().await, [same_time(1)]);
    assert_eq!(house.cursor(1).await.unwrap().next_sequence, 1);
}

/// What an operator does not want is not brought back by a copy of its event.
pub(super) async fn a_discarded_refusal_stays_so(house: &House) {
    let rows = [keyed(1, "a"), keyed(2, "a")];
    house.sink.write(&batch(1, true, 0, &rows, &[])).await.unwrap();
    house.execute("UPDATE refusals SET state = 'discarded'").await;
    let written = house.sink.write(&batch(1, false, 2, &rows[1..], &[])).await.unwrap();
    assert_eq!(written.conflicts, 1);
    house.execute("UPDATE refusals SET state = 'replayed' WHERE state = 'discarded'").await;
    assert_eq!(house.replayed().await, [rows[1].event_id()], "it was still discarded");
}

/// Writes are dropped after so many steps. Whether one was committed or not, the same write again completes it, or
/// finds it complete: no row is missing and none is there twice.
pub(super) async fn a_write_that_was_abandoned_is_whole_or_nothing(house: &House) {
    house.sink.canary().await.unwrap();
    let mut abandoned = 0;
    for round in 1..60 {
        let keyed = |number| keyed(round * 10 + number, &round.to_string());
        let (events, refusals) = ([keyed(1), keyed(2), event(round * 10 + 3)], [refusal(round * 10 + 4)]);
        let batch = batch(round.into(), true, 0, &events, &refusals);
        let outcome = after_steps(1 + round % 15, house.sink.write(&batch)).await;
        abandoned += u64::from(outcome.is_none());
        let again = house.sink.write(&batch).await;
        match (outcome, again) {
            (Some(outcome), again) => {
                outcome.unwrap();
                assert_eq!(again.unwrap_err().class, ErrorClass::CursorMoved);
            }
            (None, Ok(written)) => assert_eq!((written.stored, written.conflicts), (2, 1)),
            (None, Err(error)) => assert_eq!(error.class, ErrorClass::CursorMoved),
        }
        assert_eq!(house.cursor(round.into()).await.unwrap().accounted(), 4);
        let total = usize::try_from(round).unwrap() * 2;
        assert_eq!((house.events().await.len(), house.refusals().await.len()), (total, total));
    }
    assert!(abandoned > 0, "every write came through");
}

/// Drops a future that is not ready after this many steps.
async fn after_steps<T>(steps: u64, mut future: Pin<Box<dyn Future<Output = T> + Send + '_>>) -> Option<T> {
    let mut left = steps;
    poll_fn(|context| {
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Pending if left == 0 => Poll::Ready(None),
            polled => polled.map(Some),
        }
    })
    .await
}
