//! What writes events, and the contract that every writer keeps.
//!
//! A sink stores a batch **and the lane's cursor in one transaction**, or nothing. It never retries, never splits a
//! batch and never decides what becomes of a row that it cannot store: that is `drain`'s. `contract` is the test
//! suite that every sink passes; `memory` is its reference; `row` is what all of them agree upon
//! about one row; `sql` is what the two SQL sinks share.

pub mod memory;
pub mod postgres;
pub mod sqlite;

#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
#[cfg(feature = "micro-benchmarks")]
pub mod micro;
mod row;
mod sql;

#[cfg(test)]
mod contract;

use std::sync::Arc;

use async_trait::async_trait;
use uuid::Uuid;

use crate::{
    clock::Clock,
    database::{Database, Kind},
    event::record::{Event, Refusal},
};

/// What a lane hands to its sink: consecutive records of the spool, and where the cursor stands before and after.
#[derive(Clone, Debug)]
pub struct Batch<'a> {
    /// The spool that the records come from.
    pub spool_id: Uuid,
    /// Where the cursor must stand now; `None` when the sink has none yet for this spool and lane.
    pub expected: Option<u64>,
    /// First sequence of the range that this batch settles; where `expected` is `None`, the cursor's beginning.
    pub from: u64,
    /// Where the cursor stands afterwards.
    pub to: u64,
    /// Events of the range, in the spool's order.
    pub events: Vec<&'a Event>,
    /// Refusals of the range, in the spool's order.
    pub refusals: Vec<&'a Refusal>,
    /// How many records of the range went to the dead letters.
    pub dead: u64,
    /// How many sequences of the range were lost to damage of the spool.
    pub gaps: u64,
}

/// What became of a batch. Every sequence of the range is counted in exactly one of these, in `dead` or in `gaps`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Events that are stored now and were not before.
    pub stored: u64,
    /// Events that were there already, by id or by key, with the same content.
    pub duplicates: u64,
    /// Events whose key is taken by other content; kept as refusals. Where a replay made the event from a refusal, that
    /// one's row is there already: it keeps what it has, and is new again if it was called replayed.
    pub conflicts: u64,
    /// Refusals of the batch, stored now or before.
    pub refusals: u64,
}

/// What an error means for the batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ErrorClass {
    /// It may pass by itself: back off and try again, for ever. Whatever is unknown is of this class.
    Transient,
    /// A person has to mend it (missing table, bad credentials, read-only): pause, alert, probe; keep everything.
    Configuration,
    /// A row that this sink can never store: bisect.
    PoisonRow,
    /// The connection was lost while committing: ask for the cursor.
    OutcomeUnknown,
    /// Somebody else moved the cursor: two servers share a spool id.
    CursorMoved,
}

/// Why a batch was not written. `message` may repeat row data: it belongs in a dead letter, never in a log.
#[derive(Debug, thiserror::Error)]
#[error("{class:?} ({code})")]
pub struct SinkError {
    /// What it means.
    pub class: ErrorClass,
    /// SQLSTATE, SQLite result code, or a word of ours; safe to log.
    pub code: String,
    /// The driver's words.
    pub message: String,
}

impl SinkError {
    /// An error of this class.
    pub fn new(class: ErrorClass, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { class, code: code.into(), message: message.into() }
    }
}

/// Writes batches. Object-safe; all methods are safe to call again after any failure.
#[async_trait]
pub trait Sink: Send + Sync {
    /// The sink's name: a metric label and the lane's name in `cursors`.
    fn name(&self) -> &str;

    /// Where the lane's cursor stands for this spool, `None` if it never wrote.
    async fn cursor(&self, spool_id: Uuid) -> Result<Option<u64>, SinkError>;

    /// Stores the batch and moves the cursor, in one transaction.
    async fn write(&self, batch: &Batch<'_>) -> Result<Written, SinkError>;

    /// Writes a known-good event and a known-good refusal and rolls back: tells a bad row from a bad sink.
    async fn canary(&self) -> Result<(), SinkError>;
}

/// The sink that writes to this database. Building it does no I/O.
pub fn sql_sink(database: Database, name: &str, clock: Clock) -> Arc<dyn Sink> {
    match database.kind() {
        Kind::Sqlite => Arc::new(sqlite::SqliteSink::new(name.to_owned(), database, clock)),
        Kind::Postgres => Arc::new(postgres::PostgresSink::new(name.to_owned(), database, clock)),
    }
}
