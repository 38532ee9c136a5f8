//! A batch in one transaction, under a deadline: a server that never answers must not hold its lane for ever.

use async_trait::async_trait;
use sqlx::{PgConnection, Postgres, Transaction};
use tokio::time::{Instant, timeout_at};
use uuid::Uuid;

use super::columns::{EventColumns, RefusalColumns};
use crate::{
    clock::Clock,
    database::{
        Database,
        postgres::{ANSWER_TIMEOUT, begin_on},
    },
    event::record::{Event, Refusal},
    sinks::{
        Batch, ErrorClass, Sink, SinkError, Written, row,
        sql::{self, Inserted, Uninserted},
    },
};

const FIND_UNINSERTED: &str = "SELECT batch.ordinal, owner.event_id IS NOT NULL, owner.event_hash \
     FROM UNNEST($1::uuid[], $2::text[], $3::text[]) \
         WITH ORDINALITY AS batch (event_id, source, dedup_key, ordinal) \
     LEFT JOIN events AS owner ON owner.source = batch.source AND owner.dedup_key = batch.dedup_key \
     WHERE NOT EXISTS (SELECT 1 FROM events WHERE events.event_id = batch.event_id)";

/// Also of those that are still new, which changes nothing but locks them: a replay may be calling one replayed at this
/// moment, and has to be waited for.
const REOPEN_REFUSALS: &str =
    "UPDATE refusals SET state = 'new' WHERE state <> 'discarded' AND refusal_id = ANY ($1)";

/// Writes to a PostgreSQL database.
#[derive(Debug)]
pub struct PostgresSink {
    name: String,
    database: Database,
    clock: Clock,
}

impl PostgresSink {
    /// A sink with this name. Does no I/O.
    pub fn new(name: String, database: Database, clock: Clock) -> Self {
        Self { name, database, clock }
    }

    /// Runs `work` in a transaction and commits it, if `work` says so. A connection that failed us is closed: its
    /// server may be a standby by now, or never answer again.
    async fn transact<T>(
        &self,
        work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, SinkError>,
        commit: bool,
    ) -> Result<T, SinkError> {
        let deadline = Instant::now() + ANSWER_TIMEOUT;
        let mut connection = self.database.postgres().await?.acquire().await?;
        let outcome = attempt(&mut connection, work, commit, deadline).await;
        let harmless =
            |error: &SinkError| matches!(error.class, ErrorClass::PoisonRow | ErrorClass::CursorMoved);
        if outcome.as_ref().is_err_and(|error| !harmless(error)) {
            connection.close_on_drop();
        }
        outcome
    }

    async fn move_cursor(
        &self,
        connection: &mut PgConnection,
        batch: &Batch<'_>,
        inserted: Inserted,
    ) -> Result<(), SinkError> {
        let (sql, numbers) = sql::cursor_move(batch, inserted)?;
        let mut statement = sqlx::query(sql)
            .persistent(false)
            .bind(batch.spool_id)
            .bind(self.name.as_str())
            .bind(row::time(self.clock.now())?);
        for number in numbers {
            statement = statement.bind(number);
        }
        let moved = statement.execute(connection).await?.rows_affected();
        if moved == 1 { Ok(()) } else { Err(row::cursor_moved()) }
    }
}

/// Runs `work` in a transaction on this connection. The outcome is unknown only if the time is up, or the connection
/// lost, while committing.
pub(super) async fn attempt<T>(
    connection: &mut PgConnection,
    work: impl AsyncFnOnce(&mut PgConnection) -> Result<T, SinkError>,
    commit: bool,
    deadline: Instant,
) -> Result<T, SinkError> {
    let no_answer = |class| SinkError::new(class, "timeout", "the server did not answer in time");
    let working = async {
        let mut transaction: Transaction<'_, Postgres> = begin_on(connection).await?;
        let done = work(&mut transaction).await?;
        Ok::<_, SinkError>((transaction, done))
    };
    let worked = timeout_at(deadline, working).await;
    let (transaction, done) = worked.map_err(|_| no_answer(ErrorClass::Transient))??;
    if !commit {
        let rolled_back = timeout_at(deadline, transaction.rollback()).await;
        rolled_back.map_err(|_| no_answer(ErrorClass::Transient))??;
        return Ok(done);
    }
    let committed = timeout_at(deadline, transaction.commit()).await;
    committed.map_err(|_| no_answer(ErrorClass::OutcomeUnknown))?.map_err(sql::commit_error)?;
    Ok(done)
}

/// Everything of a batch but its cursor.
async fn insert(connection: &mut PgConnection, batch: &Batch<'_>) -> Result<Inserted, SinkError> {
    let events = row::by_key(&batch.events);
    let stored = match &*events {
        [] => 0,
        events => EventColumns::of(events)?.insert(connection).await?,
    };
    let uninserted =
        if stored < events.len() as u64 { find_uninserted(connection, &events).await? } else { Vec::new() };
    let conflicts = sql::conflicts(&uninserted)?;
    let refusals = row::by_id(batch.refusals.iter().copied().chain(&conflicts));
    let refusal_rows = match &*refusals {
        [] => 0,
        refusals => RefusalColumns::of(refusals)?.insert(connection).await?,
    };
    if refusal_rows < refusals.len() as u64 && !conflicts.is_empty() {
        reopen(connection, &conflicts).await?;
    }
    Ok(sql::inserted(batch, stored, &conflicts, refusal_rows))
}

/// An event that is not stored after all leaves no refusal that says it was replayed.
async fn reopen(connection: &mut PgConnection, conflicts: &[Refusal]) -> Result<(), SinkError> {
    let ids: Vec<Uuid> = conflicts.iter().map(Refusal::refusal_id).collect();
    sqlx::query(REOPEN_REFUSALS).persistent(false).bind(ids).execute(connection).await?;
    Ok(())
}

/// Those of the events whose id is not stored, with the owner of their key.
async fn find_uninserted<'a>(
    connection: &mut PgConnection,
    events: &[&'a Event],
) -> Result<Vec<Uninserted<'a>>, SinkError> {
    let found: Vec<(i64, bool, Option<Vec<u8>>)> = sqlx::query_as(FIND_UNINSERTED)
        .persistent(false)
        .bind(events.iter().map(|event| event.event_id()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.source.as_str()).collect::<Vec<_>>())
        .bind(events.iter().map(|event| event.dedup_key.as_deref()).collect::<Vec<_>>())
        .fetch_all(connection)
        .await?;
    let with_event = |(ordinal, owned, hash): (i64, bool, Option<Vec<u8>>)| {
        // PostgreSQL counts from 1.
        let event = usize::try_from(ordinal - 1).ok().and_then(|index| events.get(index))?;
        Some(Uninserted { event, owner_hash: owned.then(|| hash.unwrap_or_default()) })
    };
    Ok(found.into_iter().filter_map(with_event).collect())
}

#[async_trait]
impl Sink for PostgresSink {
    fn name(&self) -> &str {
        &self.name
    }

    async fn cursor(&self, spool_id: Uuid) -> Result<Option<u64>, SinkError> {
        let find = async |connection: &mut PgConnection| {
            let statement =
                sqlx::query_scalar(sql::CURSOR).persistent(false).bind(spool_id).bind(self.name.as_str());
            Ok(statement.fetch_optional(connection).await?)
        };
        let next: Option<i64> = self.transact(find, false).await?;
        next.map(row::unsigned).transpose()
    }

    async fn write(&self, batch: &Batch<'_>) -> Result<Written, SinkError> {
        let work = async |connection: &mut PgConnection| {
            let inserted = insert(connection, batch).await?;
            self.move_cursor(connection, batch, inserted).await?;
            Ok(inserted.written)
        };
        self.transact(work, true).await
    }

    async fn canary(&self) -> Result<(), SinkError> {
        let (event, refusal) = sql::canary(&self.clock);
        let work = async |connection: &mut PgConnection| {
            insert(connection, &sql::canary_batch(&event, &refusal)).await
        };
        sql::canary_inserted(self.transact(work, false).await?)
    }
}
