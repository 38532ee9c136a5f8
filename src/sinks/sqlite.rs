//! The sink that writes to a SQLite file: many rows a statement, one transaction a batch.

use std::sync::Arc;

use async_trait::async_trait;
use sqlx::{Sqlite, SqliteConnection, query::Query, sqlite::SqliteArguments};
use uuid::Uuid;

use super::{
    Batch, Sink, SinkError, Written, row,
    sql::{self, Inserted, Uninserted},
};
use crate::{
    clock::Clock,
    database::{Database, rows::RowStatement},
    event::{
        record::{Event, Refusal},
        time::format_rfc3339,
    },
};

pub(super) type Statement = Query<'static, Sqlite, SqliteArguments>;

/// Writes to a SQLite database.
#[derive(Debug)]
pub struct SqliteSink {
    name: String,
    database: Database,
    clock: Clock,
    insert_events: RowStatement,
    insert_refusals: RowStatement,
    reopen_refusals: RowStatement,
    find_uninserted: RowStatement,
}

impl SqliteSink {
    /// A sink with this name. Does no I/O.
    pub fn new(name: String, database: Database, clock: Clock) -> Self {
        Self {
            name,
            database,
            clock,
            insert_events: RowStatement::new(
                "INSERT INTO events (event_id, source, kind, dedup_key, action, event_type, name, event_source, \
                 time, received_at, user_id, anonymous_id, username, page, host, agent, ip, event, context, \
                 event_hash, sanitised) VALUES ",
                "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                " ON CONFLICT DO NOTHING",
            ),
            insert_refusals: RowStatement::new(
                "INSERT INTO refusals (refusal_id, source, received_at, rule, pointer, message, element, method, \
                 path, host, content_type, config_version, body, truncated, body_hash, metadata) VALUES ",
                "(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                " ON CONFLICT (refusal_id) DO NOTHING",
            ),
            reopen_refusals: RowStatement::new(
                "UPDATE refusals SET state = 'new' WHERE state = 'replayed' AND refusal_id IN (",
                "?",
                ")",
            ),
            find_uninserted: RowStatement::new(
                "WITH batch (ordinal, event_id, source, dedup_key) AS (VALUES ",
                "(?, ?, ?, ?)",
                ") SELECT batch.ordinal, owner.event_id IS NOT NULL, owner.event_hash FROM batch \
                 LEFT JOIN events AS owner ON owner.source = batch.source AND owner.dedup_key = batch.dedup_key \
                 WHERE NOT EXISTS (SELECT 1 FROM events WHERE events.event_id = batch.event_id)",
            ),
        }
    }

    /// Everything of a batch but its cursor.
    async fn insert(
        &self,
        connection: &mut SqliteConnection,
        batch: &Batch<'_>,
    ) -> Result<Inserted, SinkError> {
        let mut stored = 0;
        let mut uninserted = Vec::new();
        for (sql, events) in self.insert_events.pieces(&row::by_key(&batch.events)) {
            let mut statement = sqlx::query(sql);
            for event in events {
                statement = bind_event(statement, event)?;
            }
            let inserted = statement.execute(&mut *connection).await?.rows_affected();
            stored += inserted;
            if inserted < events.len() as u64 {
                self.find_uninserted(connection, events, &mut uninserted).await?;
            }
        }
        let conflicts = sql::conflicts(&uninserted)?;
        let mut refusal_rows = 0;
        let refusals = row::by_id(batch.refusals.iter().copied().chain(&conflicts));
        for (sql, refusals) in self.insert_refusals.pieces(&refusals) {
            let mut statement = sqlx::query(sql);
            for refusal in refusals {
                statement = bind_refusal(statement, refusal)?;
            }
            refusal_rows += statement.execute(&mut *connection).await?.rows_affected();
        }
        if refusal_rows < refusals.len() as u64 {
            self.reopen(connection, &conflicts).await?;
        }
        Ok(sql::inserted(batch, stored, &conflicts, refusal_rows))
    }

    /// An event that is not stored after all leaves no refusal that says it was replayed.
    async fn reopen(
        &self,
        connection: &mut SqliteConnection,
        conflicts: &[Refusal],
    ) -> Result<(), SinkError> {
        for (sql, conflicts) in self.reopen_refusals.pieces(conflicts) {
            let mut statement = sqlx::query(sql);
            for conflict in conflicts {
                statement = statement.bind(conflict.refusal_id().to_string());
            }
            statement.execute(&mut *connection).await?;
        }
        Ok(())
    }

    /// Those of the events whose id is not stored, with the owner of their key.
    async fn find_uninserted<'a>(
        &self,
        connection: &mut SqliteConnection,
        events: &[&'a Event],
        uninserted: &mut Vec<Uninserted<'a>>,
    ) -> Result<(), SinkError> {
        for (sql, events) in self.find_uninserted.pieces(events) {
            let mut statement = sqlx::query_as(sql);
            for (ordinal, event) in (0_i64..).zip(events) {
                statement = statement
                    .bind(ordinal)
                    .bind(event.event_id().to_string())
                    .bind(event.source.as_str())
                    .bind(event.dedup_key.as_deref());
            }
            let found: Vec<(i64, bool, Option<Vec<u8>>)> = statement.fetch_all(&mut *connection).await?;
            for (ordinal, owned, hash) in found {
                let event = usize::try_from(ordinal).ok().and_then(|ordinal| events.get(ordinal));
                let owner_hash = owned.then(|| hash.unwrap_or_default());
                uninserted.extend(event.map(|event| Uninserted { event, owner_hash }));
            }
        }
        Ok(())
    }

    async fn move_cursor(
        &self,
        connection: &mut SqliteConnection,
        batch: &Batch<'_>,
        inserted: Inserted,
    ) -> Result<(), SinkError> {
        let (sql, numbers) = sql::cursor_move(batch, inserted)?;
        let mut statement = sqlx::query(sql)
            .bind(batch.spool_id.to_string())
            .bind(self.name.as_str())
            .bind(format_rfc3339(self.clock.now()));
        for number in numbers {
            statement = statement.bind(number);
        }
        let moved = statement.execute(connection).await?.rows_affected();
        if moved == 1 { Ok(()) } else { Err(row::cursor_moved()) }
    }
}

#[async_trait]
impl Sink for SqliteSink {
    fn name(&self) -> &str {
        &self.name
    }

    async fn cursor(&self, spool_id: Uuid) -> Result<Option<u64>, SinkError> {
        let pools = self.database.sqlite().await?;
        let next: Option<i64> = sqlx::query_scalar(sql::CURSOR)
            .bind(spool_id.to_string())
            .bind(self.name.as_str())
            .fetch_optional(pools.readers())
            .await?;
        next.map(row::unsigned).transpose()
    }

    /// A transaction that is dropped is rolled back before its connection is used again.
    async fn write(&self, batch: &Batch<'_>) -> Result<Written, SinkError> {
        let mut transaction = self.database.sqlite().await?.begin().await?;
        let inserted = self.insert(&mut transaction, batch).await?;
        self.move_cursor(&mut transaction, batch, inserted).await?;
        transaction.commit().await.map_err(sql::commit_error)?;
        Ok(inserted.written)
    }

    async fn canary(&self) -> Result<(), SinkError> {
        let (event, refusal) = sql::canary(&self.clock);
        let mut transaction = self.database.sqlite().await?.begin().await?;
        let inserted = self.insert(&mut transaction, &sql::canary_batch(&event, &refusal)).await?;
        transaction.rollback().await?;
        sql::canary_inserted(inserted)
    }
}

pub(super) fn bind_event(statement: Statement, event: &Event) -> Result<Statement, SinkError> {
    row::time(event.time)?;
    row::time(event.received_at)?;
    Ok(statement
        .bind(id(event.event_id()))
        .bind(text(&event.source))
        .bind(text(&event.kind))
        .bind(event.dedup_key.as_deref().map(text))
        .bind(text(&event.action))
        .bind(text(&event.event_type))
        .bind(text(&event.name))
        .bind(text(&event.event_source))
        .bind(format_rfc3339(event.time))
        .bind(format_rfc3339(event.received_at))
        .bind(event.user_id.as_deref().map(text))
        .bind(event.anonymous_id.as_deref().map(text))
        .bind(event.username.as_deref().map(text))
        .bind(event.page.as_deref().map(text))
        .bind(text(&event.host))
        .bind(text(&event.agent))
        .bind(text(&event.ip))
        .bind(text(row::json(&event.event)?))
        .bind(text(row::json(&event.context)?))
        .bind(row::hash(event))
        .bind(event.sanitised))
}

/// Text in the form that the driver keeps without allocating twice, as it does for a `&str`.
fn text(text: &str) -> Arc<str> {
    Arc::from(text)
}

fn id(id: Uuid) -> Arc<str> {
    text(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()))
}

fn bind_refusal(statement: Statement, refusal: &Refusal) -> Result<Statement, SinkError> {
    row::time(refusal.received_at)?;
    Ok(statement
        .bind(id(refusal.refusal_id()))
        .bind(refusal.source.as_str())
        .bind(format_rfc3339(refusal.received_at))
        .bind(refusal.rule.as_str())
        .bind(refusal.pointer.as_str())
        .bind(refusal.message.as_str())
        .bind(refusal.element)
        .bind(refusal.method.as_str())
        .bind(refusal.path.as_str())
        .bind(refusal.host.as_str())
        .bind(refusal.content_type.as_str())
        .bind(refusal.config_version.as_str())
        .bind(&*refusal.body)
        .bind(refusal.truncated)
        .bind(&*refusal.body_hash)
        .bind(row::metadata(refusal)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::testing::TestDatabase;

    #[tokio::test]
    async fn finding_the_owner_of_a_key_reads_no_table_whole() {
        let database = TestDatabase::sqlite();
        let sink = SqliteSink::new("storage".into(), database.handle(), Clock::System);
        let pools = sink.database.sqlite().await.unwrap();
        let (sql, _) = sink.find_uninserted.pieces(&[0; 250]).next().unwrap();
        let explain = sqlx::AssertSqlSafe(format!("EXPLAIN QUERY PLAN {}", sql.as_str()));
        let steps: Vec<(i64, i64, i64, String)> =
            sqlx::query_as(explain).fetch_all(pools.readers()).await.unwrap();
        let on_events: Vec<_> =
            steps.iter().filter(|step| step.3.contains("events") || step.3.contains("owner")).collect();
        assert!(on_events.len() >= 2, "{steps:?}");
        assert!(on_events.iter().all(|step| step.3.starts_with("SEARCH")), "{steps:?}");
    }
}
