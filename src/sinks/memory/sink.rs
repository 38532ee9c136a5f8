//! The sink itself: it fails as its script says, and lets everybody look at what it holds.

use std::{
    collections::VecDeque,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use tokio::sync::watch;
use uuid::Uuid;

use super::tables::{Cursor, Tables};
use crate::{
    event::record::{Event, Refusal},
    sinks::{Batch, ErrorClass, Sink, SinkError, Written, row},
};

/// What is to become of one call of `write`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scripted {
    /// It goes through as if nothing had been scripted.
    Pass,
    /// It fails and nothing is stored.
    Fail(ErrorClass),
    /// Everything is stored, but the caller is told [`ErrorClass::OutcomeUnknown`].
    LoseAnswer,
}

type Predicate = Box<dyn Fn(Uuid) -> bool + Send>;

#[derive(Default)]
struct State {
    tables: Tables,
    script: VecDeque<Scripted>,
    cursor_failures: VecDeque<ErrorClass>,
    canary: Option<ErrorClass>,
    poison: Option<Predicate>,
    writes: u64,
    canaries: u64,
}

/// A sink without a database.
pub struct MemorySink {
    name: String,
    state: Mutex<State>,
    commits: watch::Sender<u64>,
}

impl fmt::Debug for MemorySink {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("MemorySink").field("name", &self.name).finish_non_exhaustive()
    }
}

impl MemorySink {
    /// An empty sink.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into(), state: Mutex::default(), commits: watch::Sender::new(0) }
    }

    /// Adds to what becomes of the next calls of `write`, one each; calls beyond the script pass.
    pub fn script(&self, outcomes: impl IntoIterator<Item = Scripted>) {
        self.state().script.extend(outcomes);
    }

    /// Lets the next calls of `cursor` fail, one each.
    pub fn script_cursor(&self, failures: impl IntoIterator<Item = ErrorClass>) {
        self.state().cursor_failures.extend(failures);
    }

    /// Lets every canary fail from now on, or pass again.
    pub fn set_canary(&self, failure: Option<ErrorClass>) {
        self.state().canary = failure;
    }

    /// Refuses every batch that has an event or refusal whose id `is_poison`; a canary never is.
    pub fn poison_when(&self, is_poison: impl Fn(Uuid) -> bool + Send + 'static) {
        self.state().poison = Some(Box::new(is_poison));
    }

    /// All stored events, by id.
    pub fn events(&self) -> Vec<Event> {
        self.state().tables.events.values().cloned().collect()
    }

    /// All stored refusals, by id.
    pub fn refusals(&self) -> Vec<Refusal> {
        self.state().tables.refusals.values().cloned().collect()
    }

    /// Calls a refusal replayed, if there is one of this id: what a replay would do.
    pub fn set_replayed(&self, refusal_id: Uuid) {
        let tables = &mut self.state().tables;
        if tables.refusals.contains_key(&refusal_id) {
            tables.replayed.insert(refusal_id);
        }
    }

    /// The refusals that are called replayed, by id.
    pub fn replayed(&self) -> Vec<Uuid> {
        self.state().tables.replayed.iter().copied().collect()
    }

    /// The lane's row of `cursors` for this spool.
    pub fn cursor_row(&self, spool_id: Uuid) -> Option<Cursor> {
        self.state().tables.cursors.get(&spool_id).copied()
    }

    /// Puts a row of `cursors`, or removes it: what a restored backup or a second server would do.
    pub fn set_cursor_row(&self, spool_id: Uuid, row: Option<Cursor>) {
        let cursors = &mut self.state().tables.cursors;
        match row {
            Some(row) => cursors.insert(spool_id, row),
            None => cursors.remove(&spool_id),
        };
    }

    /// Empties the tables; what is scripted stays.
    pub fn clear(&self) {
        self.state().tables = Tables::default();
    }

    /// How often `write` was called, whatever became of it.
    pub fn writes(&self) -> u64 {
        self.state().writes
    }

    /// How often `canary` was called.
    pub fn canaries(&self) -> u64 {
        self.state().canaries
    }

    /// Returns once the lane's cursor for this spool has reached `next_sequence`.
    pub async fn reached(&self, spool_id: Uuid, next_sequence: u64) {
        let mut commits = self.commits.subscribe();
        while self.cursor_row(spool_id).is_none_or(|row| row.next_sequence < next_sequence) {
            // The sender lives in `self`, so that waiting cannot fail.
            let _ = commits.changed().await;
        }
    }

    /// A poisoned lock is taken anyway: only the predicate of a test can panic, and it runs before anything is changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn write(&mut self, batch: &Batch<'_>) -> Result<Written, SinkError> {
        self.writes += 1;
        let scripted = self.script.pop_front().unwrap_or(Scripted::Pass);
        if let Scripted::Fail(class) = scripted {
            return Err(SinkError::new(class, "scripted", "the test said so"));
        }
        self.check(batch)?;
        let written = self.tables.write(batch);
        match scripted {
            Scripted::LoseAnswer => {
                Err(SinkError::new(ErrorClass::OutcomeUnknown, "scripted", "the answer was lost"))
            }
            Scripted::Pass | Scripted::Fail(_) => Ok(written),
        }
    }

    fn check(&self, batch: &Batch<'_>) -> Result<(), SinkError> {
        for event in &batch.events {
            row::time(event.time)?;
            row::time(event.received_at)?;
            row::json(&event.event)?;
            row::json(&event.context)?;
            self.refuse_poison(event.event_id(), &event.source)?;
        }
        for refusal in &batch.refusals {
            row::time(refusal.received_at)?;
            row::metadata(refusal)?;
            self.refuse_poison(refusal.refusal_id(), &refusal.source)?;
        }
        let stands_at = self.tables.cursors.get(&batch.spool_id).map(|row| row.next_sequence);
        if stands_at == batch.expected { Ok(()) } else { Err(row::cursor_moved()) }
    }

    fn refuse_poison(&self, id: Uuid, source: &str) -> Result<(), SinkError> {
        let scripted = self.poison.as_ref().is_some_and(|is_poison| is_poison(id));
        if scripted || source.is_empty() {
            return Err(SinkError::new(ErrorClass::PoisonRow, "poison", "a row that cannot be stored"));
        }
        Ok(())
    }
}

#[async_trait]
impl Sink for MemorySink {
    fn name(&self) -> &str {
        &self.name
    }

    async fn cursor(&self, spool_id: Uuid) -> Result<Option<u64>, SinkError> {
        let mut state = self.state();
        if let Some(class) = state.cursor_failures.pop_front() {
            return Err(SinkError::new(class, "scripted", "the test said so"));
        }
        Ok(state.tables.cursors.get(&spool_id).map(|row| row.next_sequence))
    }

    async fn write(&self, batch: &Batch<'_>) -> Result<Written, SinkError> {
        let outcome = self.state().write(batch);
        self.commits.send_modify(|count| *count += 1);
        outcome
    }

    async fn canary(&self) -> Result<(), SinkError> {
        let mut state = self.state();
        state.canaries += 1;
        match state.canary {
            Some(class) => Err(SinkError::new(class, "scripted", "the test said so")),
            None => Ok(()),
        }
    }
}
