//! Deleting what is old: at once when an operator asks, and all the time by the settings.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{
    clock::{Clock, UnixMicros},
    database::{Database, DatabaseError},
    store::retention::{Aim, Prune, Pruned, Sweep},
};

/// Rows that are looked at, and at most deleted, at once: some ten milliseconds of work, for which a lane may have to
/// wait.
const PORTION: usize = 1_000;

/// How long rows are kept; `None` is for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keep {
    /// Rows of `events`.
    pub events: Option<Duration>,
    /// Rows of `refusals`, whatever became of them.
    pub refusals: Option<Duration>,
}

/// Deletes what matches, or counts it. What is broken off has deleted part of it, and can be asked for again.
pub async fn prune(database: &Database, prune: Prune, aim: Aim) -> Result<Pruned, DatabaseError> {
    let mut sweep = Sweep::new(prune, aim);
    let mut pruned = Pruned::default();
    while let Some(step) = sweep.step(database, PORTION).await? {
        pruned += step;
    }
    Ok(pruned)
}

/// Deletes what is older than the settings allow, now and then again after each `every`, until `stop`. A failure is
/// logged, and made up for the next time.
pub async fn keep(database: Database, keep: Keep, clock: Clock, every: Duration, stop: CancellationToken) {
    let keeping = async {
        loop {
            for prune in keep.prunes(clock.now()) {
                log(&prune, self::prune(&database, prune.clone(), Aim::Delete).await);
            }
            tokio::time::sleep(every).await;
        }
    };
    if keep != Keep::default() {
        let _ = stop.run_until_cancelled(Box::pin(keeping)).await;
    }
}

impl Keep {
    fn prunes(self, now: UnixMicros) -> impl Iterator<Item = Prune> {
        let prune = |events, refusals, age: Duration| {
            let age = UnixMicros::try_from(age.as_micros()).unwrap_or(UnixMicros::MAX);
            Prune { before: now.saturating_sub(age), user: None, events, refusals }
        };
        let events = self.events.map(|age| prune(true, false, age));
        events.into_iter().chain(self.refusals.map(|age| prune(false, true, age)))
    }
}

fn log(prune: &Prune, outcome: Result<Pruned, DatabaseError>) {
    match outcome {
        Ok(Pruned { events: 0, refusals: 0 }) => {}
        Ok(Pruned { events, refusals }) => tracing::info!(events, refusals, "old rows deleted"),
        Err(error) => {
            tracing::warn!(%error, events = prune.events, refusals = prune.refusals, "old rows cannot be deleted");
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use uuid::Uuid;

    use super::*;
    use crate::{
        database::testing::TestDatabase,
        event::record::{Event, Refusal},
        sinks::{Batch, sql_sink},
        store::cursors::{TableCounts, table_counts},
    };

    const HOUR: Duration = Duration::from_hours(1);

    /// Writes an event and a refusal for each of the first hours of 1970.
    async fn filled(database: &TestDatabase, hours: u64) {
        let events: Vec<Event> = (0..hours)
            .map(|hour| {
                let mut event = Event {
                    source: "web".into(),
                    received_at: i64::try_from(hour).unwrap() * 3_600_000_000,
                    event: Bytes::from_static(b"{}"),
                    context: Bytes::from_static(b"{}"),
                    ..Event::default()
                };
                event.set_event_id(Uuid::from_u128((u128::from(hour) * 3_600_000) << 80));
                event
            })
            .collect();
        let refusals: Vec<Refusal> = events.iter().map(Refusal::conflict).collect();
        let batch = Batch {
            spool_id: Uuid::nil(),
            expected: None,
            from: 0,
            to: hours * 2,
            events: events.iter().collect(),
            refusals: refusals.iter().collect(),
            dead: 0,
            gaps: 0,
        };
        sql_sink(database.handle(), "storage", Clock::manual(0)).write(&batch).await.unwrap();
    }

    async fn left(database: &Database) -> (u64, u64) {
        let TableCounts { events, refusals, .. } = table_counts(database).await.unwrap();
        (events, refusals)
    }

    #[tokio::test]
    async fn more_than_a_portion_is_deleted_or_counted() {
        let database = TestDatabase::sqlite();
        filled(&database, 2_500).await;
        let what = Prune { before: 2_400 * 3_600_000_000, user: None, events: true, refusals: true };
        let all = Pruned { events: 2_400, refusals: 2_400 };
        assert_eq!(prune(&database.handle(), what.clone(), Aim::Count).await.unwrap(), all);
        assert_eq!(prune(&database.handle(), what.clone(), Aim::Delete).await.unwrap(), all);
        assert_eq!(prune(&database.handle(), what, Aim::Delete).await.unwrap(), Pruned::default());
        assert_eq!(left(&database.handle()).await, (100, 100));
    }

    #[tokio::test]
    async fn each_table_is_kept_as_long_as_it_is_to_be_again_and_again_until_the_stop() {
        let database = TestDatabase::sqlite();
        filled(&database, 10).await;
        let clock = Clock::manual(10 * 3_600_000_000);
        let (stop, tick) = (CancellationToken::new(), Duration::from_millis(1));
        let keep_two = Keep { events: Some(HOUR * 2), refusals: Some(HOUR * 5) };
        let keeping = tokio::spawn(keep(database.handle(), keep_two, clock.clone(), tick, stop.clone()));
        let until = async |wanted| while left(&database.handle()).await != wanted {};
        until((2, 5)).await;
        clock.set(11 * 3_600_000_000);
        until((1, 4)).await;
        stop.cancel();
        keeping.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_kept_for_ever_needs_nobody() {
        let database = TestDatabase::sqlite();
        filled(&database, 3).await;
        let clock = Clock::manual(i64::MAX);
        keep(database.handle(), Keep::default(), clock, HOUR, CancellationToken::new()).await;
        assert_eq!(left(&database.handle()).await, (3, 3));
    }

    #[tokio::test]
    async fn a_failure_is_borne_and_made_up_for() {
        let database = TestDatabase::sqlite();
        filled(&database, 3).await;
        let handle = database.handle();
        let rename = async |sql| {
            let mut transaction = handle.sqlite().await.unwrap().begin().await.unwrap();
            sqlx::raw_sql(sql).execute(&mut *transaction).await.unwrap();
            transaction.commit().await.unwrap();
        };
        rename("ALTER TABLE events RENAME TO elsewhere").await;
        let (stop, tick) = (CancellationToken::new(), Duration::from_millis(1));
        let none = Keep { events: Some(Duration::ZERO), refusals: Some(Duration::ZERO) };
        let clock = Clock::manual(3 * 3_600_000_000);
        let keeping = tokio::spawn(keep(database.handle(), none, clock, tick, stop.clone()));
        let count = async || -> i64 {
            let count = sqlx::query_scalar("SELECT count(*) FROM refusals");
            count.fetch_one(handle.sqlite().await.unwrap().readers()).await.unwrap()
        };
        // The table that is there is not held up by the one that is not.
        while count().await > 0 {}
        rename("ALTER TABLE elsewhere RENAME TO events").await;
        while left(&handle).await != (0, 0) {}
        stop.cancel();
        keeping.await.unwrap();
    }
}
