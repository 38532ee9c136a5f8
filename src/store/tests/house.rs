//! A database of one test, written to by a lane's sink.

use std::sync::Arc;

use bytes::Bytes;
use sqlx::{AssertSqlSafe, Row};
use uuid::Uuid;

use crate::{
    clock::{Clock, UnixMicros},
    database::{Database, Kind, Pool, testing::TestDatabase},
    event::record::{Event, Refusal, content_hash},
    sinks::{Batch, Sink, Written, sql_sink},
};

/// 2026-01-01T00:00:00Z.
pub(super) const NEW_YEAR: UnixMicros = 1_767_225_600_000_000;
pub(super) const SPOOL: Uuid = Uuid::from_u128(1);

pub(super) struct House {
    database: TestDatabase,
    pub(super) sink: Arc<dyn Sink>,
    next_sequence: u64,
}

impl House {
    pub(super) fn sqlite() -> Self {
        Self::new(TestDatabase::sqlite())
    }

    pub(super) async fn postgres() -> Self {
        Self::new(TestDatabase::postgres().await)
    }

    fn new(database: TestDatabase) -> Self {
        let sink = sql_sink(database.handle(), "storage", Clock::manual(NEW_YEAR));
        Self { database, sink, next_sequence: 0 }
    }

    pub(super) fn database(&self) -> Database {
        self.database.handle()
    }

    /// A handle with connections of its own, as another process would have.
    pub(super) fn stranger(&self) -> Database {
        self.database.stranger()
    }

    pub(super) fn is_sqlite(&self) -> bool {
        self.database().kind() == Kind::Sqlite
    }

    /// Writes a batch as the lane would.
    pub(super) async fn write(&mut self, events: &[Event], refusals: &[Refusal]) -> Written {
        let from = self.next_sequence;
        self.next_sequence += (events.len() + refusals.len()) as u64;
        let batch = Batch {
            spool_id: SPOOL,
            expected: (from > 0).then_some(from),
            from,
            to: self.next_sequence,
            events: events.iter().collect(),
            refusals: refusals.iter().collect(),
            dead: 0,
            gaps: 0,
        };
        self.sink.write(&batch).await.unwrap()
    }

    /// Does to the database what only an operator would.
    pub(super) async fn execute(&self, sql: &str) {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match self.database().pool().await.unwrap() {
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

    /// One number.
    pub(super) async fn number(&self, sql: &str) -> i64 {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match self.database().pool().await.unwrap() {
            Pool::Sqlite(pools) => sql.fetch_one(pools.readers()).await.unwrap().get(0),
            Pool::Postgres(pool) => sql.fetch_one(pool).await.unwrap().get(0),
        }
    }
}

/// The id of what arrived at this time; `number` tells those of one millisecond apart.
pub(super) fn id(at: UnixMicros, number: u64) -> Uuid {
    let millis = u128::try_from(at / 1000).unwrap();
    Uuid::from_u128((millis << 80) | (7 << 76) | (0b10 << 62) | u128::from(number))
}

/// An event that arrived so many microseconds after the new year.
pub(super) fn event(after: UnixMicros, number: u64) -> Event {
    let json = Bytes::from(format!(r#"{{"number": {number}}}"#));
    let mut event = Event {
        source: "web".into(),
        kind: "segment".into(),
        action: "track".into(),
        event_type: "track".into(),
        time: NEW_YEAR + after,
        received_at: NEW_YEAR + after,
        event_hash: content_hash(&json),
        event: json,
        context: Bytes::from_static(b"{}"),
        ..Event::default()
    };
    event.set_event_id(id(NEW_YEAR + after, number));
    event
}

/// A refusal that arrived so many microseconds after the new year.
pub(super) fn refusal(after: UnixMicros, number: u64) -> Refusal {
    let body = Bytes::from(format!(r#"{{"number": {number}}}"#));
    let mut refusal = Refusal {
        source: "web".into(),
        received_at: NEW_YEAR + after,
        rule: "user.missing".into(),
        pointer: "/userId".into(),
        message: "no user".into(),
        method: "POST".into(),
        path: "/v1/segment/web".into(),
        host: "example.org".into(),
        content_type: "application/json".into(),
        config_version: "c0ffee".into(),
        body_hash: content_hash(&body),
        body,
        ..Refusal::default()
    };
    refusal.set_refusal_id(id(NEW_YEAR + after, number));
    refusal
}

/// The numbers of ids that [`id`] made.
pub(super) fn numbers(ids: impl IntoIterator<Item = Uuid>) -> Vec<u64> {
    let number = |id: Uuid| u64::try_from(id.as_u128() & ((1 << 62) - 1)).unwrap();
    ids.into_iter().map(number).collect()
}
