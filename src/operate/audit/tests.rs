//! An audit holds whatever lanes, prunings and dead letters do, and finds what a stranger did.

use std::{future::poll_fn, sync::Arc, task::Poll};

use bytes::Bytes;
use proptest::{
    collection::vec,
    prelude::*,
    strategy::ValueTree,
    test_runner::{Config, TestRunner},
};
use sqlx::AssertSqlSafe;
use uuid::Uuid;

use super::{Audit, AuditError, Auditor, Promised, audit};
use crate::{
    clock::Clock,
    database::{Pool, testing::TestDatabase},
    disk::simulated::SimDisk,
    event::record::{Event, Refusal},
    operate::retention::prune,
    sinks::{Batch, Sink, sql_sink},
    spool::{self, Chunk, Kind, Spool},
    store::retention::{Aim, Prune},
};

/// Records of the spool; more than a history delivers.
const RECORDS: u64 = 200;
const HISTORIES: usize = 24;

/// Runs each check against both databases, every check in a new house.
macro_rules! on_both {
    ($($check:ident,)*) => {
        mod sqlite {
            use super::{House, TestDatabase};
            $(#[tokio::test] async fn $check() { super::$check(&House::new(TestDatabase::sqlite()).await).await; })*
        }
        mod postgres {
            use super::{House, TestDatabase};
            $(#[tokio::test] async fn $check() {
                super::$check(&House::new(TestDatabase::postgres().await).await).await;
            })*
        }
    };
}

on_both! {
    nothing_delivered_is_all_backlog,
    every_history_holds,
    what_a_stranger_did_is_found,
    an_event_that_was_promised_and_not_taken_is_found,
    there_is_one_audit_at_a_time,
}

/// A spool with records, and the sink of the lane that delivers them.
struct House {
    database: TestDatabase,
    sink: Arc<dyn Sink>,
    spool: Spool,
}

impl House {
    async fn new(database: TestDatabase) -> Self {
        let settings =
            spool::Settings { directory: "/spool".into(), min_free: 0, ..spool::Settings::default() };
        let (spool, _) = Spool::open(Arc::new(SimDisk::new(1)), settings).unwrap();
        let mut chunk = Chunk::new();
        (0..RECORDS).for_each(|_| chunk.push(Kind::Event, |out| out.push(0)));
        let _receipt = spool.append(chunk).await.unwrap();
        let sink = sql_sink(database.handle(), "storage", Clock::manual(0));
        Self { database, sink, spool }
    }

    async fn audit(&self) -> Audit {
        audit(&self.database.handle(), &self.spool, Promised::default()).await.unwrap()
    }

    async fn write(&self, spool_id: Uuid, events: &[Event], refusals: &[Refusal], lost: u64) {
        let expected = self.sink.cursor(spool_id).await.unwrap();
        let from = expected.unwrap_or(0);
        let batch = Batch {
            spool_id,
            expected,
            from,
            to: from + (events.len() + refusals.len()) as u64 + lost * 3,
            events: events.iter().collect(),
            refusals: refusals.iter().collect(),
            dead: lost,
            gaps: lost * 2,
        };
        self.sink.write(&batch).await.unwrap();
    }

    async fn execute(&self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match self.database.handle().pool().await.unwrap() {
            Pool::Sqlite(pools) => {
                let mut transaction = pools.begin().await.unwrap();
                sql.execute(&mut *transaction).await.unwrap();
                transaction.commit().await.unwrap();
            }
            Pool::Postgres(pool) => {
                sql.execute(pool).await.unwrap();
            }
        }
    }
}

/// The names of the checks that do not hold.
fn broken(audit: &Audit) -> Vec<&str> {
    let broken: Vec<_> =
        audit.checks.iter().filter(|check| !check.holds).map(|check| check.name.as_str()).collect();
    assert_eq!(audit.holds, broken.is_empty());
    broken
}

/// Few ids and keys, so that they meet: the same event again, another with its key, with the same or other content.
fn event(number: u64) -> Event {
    let hashes: [&[u8]; 3] = [b"", b"one", b"two"];
    let mut event = Event {
        source: "web".into(),
        dedup_key: (!number.is_multiple_of(7)).then(|| format!("key {}", number % 5)),
        received_at: i64::try_from(number).unwrap() * 1_000,
        event: Bytes::from_static(b"{}"),
        context: Bytes::from_static(b"{}"),
        event_hash: Bytes::from_static(hashes[usize::try_from(number / 5).unwrap() % hashes.len()]),
        ..Event::default()
    };
    event.set_event_id(Uuid::from_u128(u128::from(number) << 80));
    event
}

fn refusal(number: u64) -> Refusal {
    let mut refusal = Refusal {
        source: "web".into(),
        received_at: i64::try_from(number).unwrap() * 1_000,
        rule: "user.missing".into(),
        ..Refusal::default()
    };
    refusal.set_refusal_id(Uuid::from_u128((u128::from(number) << 80) + 1));
    refusal
}

async fn nothing_delivered_is_all_backlog(house: &House) {
    let nothing = house.audit().await;
    assert_eq!((broken(&nothing), nothing.backlog, nothing.cursors.len()), (vec![], RECORDS, 0));
    house.write(house.spool.id(), &[event(1)], &[refusal(1)], 1).await;
    let some = house.audit().await;
    assert_eq!((broken(&some), some.backlog, some.cursors.len()), (vec![], RECORDS - 5, 1));
}

#[derive(Clone, Debug)]
enum Step {
    Write { events: Vec<u64>, refusals: Vec<u64>, lost: u64 },
    Requeue(u64),
    Prune { before: i64, user: bool },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (vec(0..30_u64, 0..8), vec(0..9_u64, 0..3), 0..2_u64)
            .prop_map(|(events, refusals, lost)| Step::Write { events, refusals, lost }),
        1 => (0..30_u64).prop_map(Step::Requeue),
        1 => (0..30_i64, any::<bool>()).prop_map(|(before, user)| Step::Prune { before: before * 1_000, user }),
    ]
}

async fn every_history_holds(house: &House) {
    let mut runner = TestRunner::new(Config::default());
    let histories = vec(step(), 1..10);
    for _ in 0..HISTORIES {
        let history = histories.new_tree(&mut runner).unwrap().current();
        house.database.handle().ready().await.unwrap();
        house
            .execute(
                "DELETE FROM events; DELETE FROM refusals; DELETE FROM cursors; UPDATE prunings SET events = 0, refusals = 0",
            )
            .await;
        for step in &history {
            take(house, step).await;
            let audit = house.audit().await;
            assert_eq!(broken(&audit), [""; 0], "{step:?} of {history:?}");
        }
    }
}

async fn take(house: &House, step: &Step) {
    match step {
        Step::Write { events, refusals, lost } => {
            let events: Vec<_> = events.iter().copied().map(event).collect();
            let refusals: Vec<_> = refusals.iter().copied().map(refusal).collect();
            house.write(house.spool.id(), &events, &refusals, *lost).await;
        }
        // As `drain::requeue` does it: under the complement of the spool's id.
        Step::Requeue(number) => {
            let complement = Uuid::from_u128(!house.spool.id().as_u128());
            house.write(complement, &[event(*number)], &[], 0).await;
        }
        Step::Prune { before, user } => {
            let user = user.then(|| "nobody".to_owned());
            let what = Prune { before: *before, user, events: true, refusals: true };
            prune(&house.database.handle(), what, Aim::Delete).await.unwrap();
        }
    }
}

async fn what_a_stranger_did_is_found(house: &House) {
    let id = house.spool.id();
    house.write(id, &[event(7), event(14)], &[refusal(1), refusal(2)], 0).await;
    assert_eq!(broken(&house.audit().await), [""; 0]);
    let cursor = format!("cursor {id} storage");
    for (mischief, found) in [
        ("DELETE FROM events WHERE received_at = (SELECT max(received_at) FROM events)", vec!["events"]),
        (
            "DELETE FROM refusals WHERE received_at = (SELECT max(received_at) FROM refusals)",
            vec!["events", "refusals"],
        ),
        (
            "UPDATE cursors SET next_sequence = 1000",
            vec!["spool, lane storage", &cursor, "events", "refusals"],
        ),
    ] {
        house.execute(mischief).await;
        assert_eq!(broken(&house.audit().await), found, "{mischief}");
    }
}

async fn an_event_that_was_promised_and_not_taken_is_found(house: &House) {
    let end = house.spool.end();
    let promised = |told| Promised { told, begun_at: end - 2 };
    let audit = async |told| audit(&house.database.handle(), &house.spool, promised(told)).await.unwrap();
    assert_eq!(broken(&audit(2).await), [""; 0]);
    let audit = audit(3).await;
    assert_eq!(broken(&audit), ["process"]);
    let json = serde_json::to_value(&audit).unwrap();
    assert_eq!(json["holds"], false);
    assert_eq!((&json["checks"][0]["left"], &json["checks"][0]["right"]), (&3.into(), &2.into()));
}

async fn there_is_one_audit_at_a_time(house: &House) {
    let (auditor, database) = (Auditor::default(), house.database.handle());
    let audit = async || auditor.audit(&database, &house.spool, Promised::default()).await;
    // Whoever leaves early leaves the turn to whoever works on.
    let mut first = Box::pin(audit());
    let begun = poll_fn(|context| Poll::Ready(first.as_mut().poll(context).is_pending())).await;
    assert!(begun);
    drop(first);
    assert!(matches!(audit().await, Err(AuditError::UnderWay)));
    let holds = loop {
        match audit().await {
            Ok(audit) => break audit.holds,
            Err(AuditError::UnderWay) => tokio::task::yield_now().await,
            Err(AuditError::Storage(error)) => panic!("{error}"),
        }
    };
    assert!(holds);
}
