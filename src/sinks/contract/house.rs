//! A sink with what it stored laid open.

use std::sync::Arc;

use bytes::Bytes;
use sqlx::{AssertSqlSafe, Row, postgres::PgRow, sqlite::SqliteRow};
use uuid::Uuid;

use crate::{
    clock::Clock,
    database::{Kind, Pool, testing::TestDatabase},
    event::{
        record::{Event, Refusal},
        time::parse_rfc3339,
    },
    sinks::{
        Sink, Written,
        memory::{Cursor, MemorySink},
        sql_sink,
    },
};

const LANE: &str = "storage";

/// A sink, and where it stores.
pub(super) struct House {
    pub(super) sink: Arc<dyn Sink>,
    storage: Storage,
}

enum Rows {
    Sqlite(Vec<SqliteRow>),
    Postgres(Vec<PgRow>),
}

enum Storage {
    Memory(Arc<MemorySink>),
    Sql(TestDatabase),
}

impl House {
    #[expect(clippy::unused_async, reason = "all houses are built alike")]
    pub(super) async fn memory() -> Self {
        let sink = Arc::new(MemorySink::new(LANE));
        Self { sink: sink.clone(), storage: Storage::Memory(sink) }
    }

    #[expect(clippy::unused_async, reason = "all houses are built alike")]
    pub(super) async fn sqlite() -> Self {
        Self::sql(TestDatabase::sqlite())
    }

    pub(super) async fn postgres() -> Self {
        Self::sql(TestDatabase::postgres().await)
    }

    fn sql(database: TestDatabase) -> Self {
        Self { sink: sql_sink(database.handle(), LANE, Clock::manual(0)), storage: Storage::Sql(database) }
    }

    /// All events by id, as they are stored.
    pub(super) async fn events(&self) -> Vec<Event> {
        let sql = match &self.storage {
            Storage::Memory(sink) => return sink.events(),
            Storage::Sql(database) if database.handle().kind() == Kind::Sqlite => {
                "SELECT * FROM events ORDER BY event_id".into()
            }
            Storage::Sql(_) => format!(
                "SELECT *, event_id::text, event::text, context::text, {}, {} FROM events ORDER BY events.event_id",
                as_text("time"),
                as_text("received_at")
            ),
        };
        match self.select(&sql).await {
            Rows::Sqlite(rows) => rows.iter().map(sqlite::event).collect(),
            Rows::Postgres(rows) => rows.iter().map(postgres::event).collect(),
        }
    }

    /// All refusals by id, as they are stored.
    pub(super) async fn refusals(&self) -> Vec<Refusal> {
        if let Storage::Memory(sink) = &self.storage {
            return sink.refusals();
        }
        match self.refusal_rows().await {
            Rows::Sqlite(rows) => rows.iter().map(sqlite::refusal).collect(),
            Rows::Postgres(rows) => rows.iter().map(postgres::refusal).collect(),
        }
    }

    /// The refusals that are called replayed, by id.
    pub(super) async fn replayed(&self) -> Vec<Uuid> {
        if let Storage::Memory(sink) = &self.storage {
            return sink.replayed();
        }
        match self.refusal_rows().await {
            Rows::Sqlite(rows) => rows.iter().filter_map(sqlite::replayed).collect(),
            Rows::Postgres(rows) => rows.iter().filter_map(postgres::replayed).collect(),
        }
    }

    /// Calls a refusal replayed, if there is one of this id.
    pub(super) async fn set_replayed(&self, id: Uuid) {
        match &self.storage {
            Storage::Memory(sink) => sink.set_replayed(id),
            Storage::Sql(_) => {
                self.execute(&format!("UPDATE refusals SET state = 'replayed' WHERE refusal_id = '{id}'"))
                    .await;
            }
        }
    }

    async fn refusal_rows(&self) -> Rows {
        let sql = match &self.storage {
            Storage::Sql(database) if database.handle().kind() == Kind::Postgres => format!(
                "SELECT *, refusal_id::text, metadata::text, {} FROM refusals ORDER BY refusals.refusal_id",
                as_text("received_at")
            ),
            _ => "SELECT * FROM refusals ORDER BY refusal_id".into(),
        };
        self.select(&sql).await
    }

    /// The lane's row of `cursors`.
    pub(super) async fn cursor(&self, spool: u128) -> Option<Cursor> {
        let spool_id = Uuid::from_u128(spool);
        if let Storage::Memory(sink) = &self.storage {
            return sink.cursor_row(spool_id);
        }
        let sql = format!("SELECT * FROM cursors WHERE spool_id = '{spool_id}' AND lane = '{LANE}'");
        match self.select(&sql).await {
            Rows::Sqlite(rows) => rows.first().map(sqlite::cursor),
            Rows::Postgres(rows) => rows.first().map(postgres::cursor),
        }
    }

    /// A raw statement is one message, so that this works behind a pooler, too.
    async fn select(&self, sql: &str) -> Rows {
        let Storage::Sql(database) = &self.storage else { panic!("the reference has no SQL") };
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match database.handle().pool().await.unwrap() {
            Pool::Sqlite(pools) => Rows::Sqlite(sql.fetch_all(pools.readers()).await.unwrap()),
            Pool::Postgres(pool) => Rows::Postgres(sql.fetch_all(pool).await.unwrap()),
        }
    }

    /// Takes the cursor back to nothing, as restoring an older backup would.
    pub(super) async fn forget_cursor(&self, spool: u128) {
        let spool_id = Uuid::from_u128(spool);
        match &self.storage {
            Storage::Memory(sink) => sink.set_cursor_row(spool_id, None),
            Storage::Sql(_) => {
                self.execute(&format!("DELETE FROM cursors WHERE spool_id = '{spool_id}'")).await;
            }
        }
    }

    /// Empties the tables.
    pub(super) async fn clear(&self) {
        match &self.storage {
            Storage::Memory(sink) => sink.clear(),
            Storage::Sql(_) => {
                self.execute("DELETE FROM events; DELETE FROM refusals; DELETE FROM cursors").await;
            }
        }
    }

    /// Does to the database what only an operator would.
    pub(super) async fn execute(&self, sql: &str) {
        let Storage::Sql(database) = &self.storage else {
            return;
        };
        let sql = sqlx::raw_sql(AssertSqlSafe(sql));
        match database.handle().pool().await.unwrap() {
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

/// A time of PostgreSQL in the form that SQLite holds.
fn as_text(column: &str) -> String {
    format!(r#"to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"') AS {column}"#)
}

/// Reads rows of one kind of database.
macro_rules! readers {
    ($module:ident, $row:ty) => {
        mod $module {
            use super::*;

            /// Of two columns with one name, the last: that is the one made readable.
            fn get<'r, T>(row: &'r $row, name: &str) -> T
            where
                T: sqlx::Decode<'r, <$row as Row>::Database> + sqlx::Type<<$row as Row>::Database>,
            {
                let column = row.columns().iter().rposition(|column| sqlx::Column::name(column) == name);
                row.get(column.unwrap())
            }

            fn id(row: &$row, name: &str) -> (u64, u64) {
                get::<String>(row, name).parse::<Uuid>().unwrap().as_u64_pair()
            }

            fn time(row: &$row, name: &str) -> i64 {
                parse_rfc3339(&get::<String>(row, name)).unwrap()
            }

            fn bytes(row: &$row, name: &str) -> Bytes {
                get::<Option<Vec<u8>>>(row, name).unwrap_or_default().into()
            }

            fn number(row: &$row, name: &str) -> u64 {
                get::<i64>(row, name).try_into().unwrap()
            }

            pub(super) fn event(row: &$row) -> Event {
                let (event_id_high, event_id_low) = id(row, "event_id");
                Event {
                    event_id_high,
                    event_id_low,
                    source: get(row, "source"),
                    kind: get(row, "kind"),
                    dedup_key: get(row, "dedup_key"),
                    action: get(row, "action"),
                    event_type: get(row, "event_type"),
                    name: get(row, "name"),
                    event_source: get(row, "event_source"),
                    time: time(row, "time"),
                    received_at: time(row, "received_at"),
                    user_id: get(row, "user_id"),
                    anonymous_id: get(row, "anonymous_id"),
                    username: get(row, "username"),
                    page: get(row, "page"),
                    host: get(row, "host"),
                    agent: get(row, "agent"),
                    ip: get(row, "ip"),
                    event: get::<String>(row, "event").into(),
                    context: get::<String>(row, "context").into(),
                    event_hash: bytes(row, "event_hash"),
                    sanitised: get(row, "sanitised"),
                }
            }

            /// No metadata is an object without members.
            fn metadata(row: &$row) -> Bytes {
                let object: String = get(row, "metadata");
                if object == "{}" { Bytes::new() } else { object.into() }
            }

            pub(super) fn refusal(row: &$row) -> Refusal {
                let (refusal_id_high, refusal_id_low) = id(row, "refusal_id");
                Refusal {
                    refusal_id_high,
                    refusal_id_low,
                    source: get(row, "source"),
                    received_at: time(row, "received_at"),
                    rule: get(row, "rule"),
                    pointer: get(row, "pointer"),
                    message: get(row, "message"),
                    element: get::<Option<i64>>(row, "element").map(|element| element.try_into().unwrap()),
                    method: get(row, "method"),
                    path: get(row, "path"),
                    content_type: get(row, "content_type"),
                    config_version: get(row, "config_version"),
                    body: bytes(row, "body"),
                    truncated: get(row, "truncated"),
                    body_hash: bytes(row, "body_hash"),
                    host: get(row, "host"),
                    metadata: metadata(row),
                }
            }

            /// The id of a refusal that is called replayed.
            pub(super) fn replayed(row: &$row) -> Option<Uuid> {
                (get::<String>(row, "state") == "replayed").then(|| refusal(row).refusal_id())
            }

            pub(super) fn cursor(row: &$row) -> Cursor {
                Cursor {
                    first_sequence: number(row, "first_sequence"),
                    next_sequence: number(row, "next_sequence"),
                    written: Written {
                        stored: number(row, "stored"),
                        duplicates: number(row, "duplicates"),
                        conflicts: number(row, "conflicts"),
                        refusals: number(row, "refusals"),
                    },
                    dead: number(row, "dead"),
                    gaps: number(row, "gaps"),
                    refusal_rows: number(row, "refusal_rows"),
                }
            }
        }
    };
}

readers!(sqlite, SqliteRow);
readers!(postgres, PgRow);
