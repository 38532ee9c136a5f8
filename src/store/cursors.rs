//! What the lanes say they wrote, and what the tables hold: both of one moment, so that they can be compared while
//! lanes go on writing.

use std::time::Duration;

use serde::Serialize;
use sqlx::Error;
use uuid::Uuid;

use super::{
    json,
    row::{Columns, FromRow},
    statement::{
        Form::{Plain, Text, Time},
        Statement,
    },
    transaction::Transaction,
};
use crate::{
    clock::UnixMicros,
    database::{Database, DatabaseError},
};

/// Counting all rows is the longest thing that is ever asked of the tables.
const COUNTING: Duration = Duration::from_mins(5);

/// A row of `cursors`: how far a lane has come in a spool, and what became of every sequence on the way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CursorTotals {
    /// The spool, or the complement of its id for dead letters that were requeued.
    #[serde(serialize_with = "json::id")]
    pub spool_id: Uuid,
    /// The lane's sink.
    pub lane: String,
    /// Where the lane began.
    pub first_sequence: u64,
    /// Everything below is settled.
    pub next_sequence: u64,
    /// Events that were stored.
    pub stored: u64,
    /// Events that were there already.
    pub duplicates: u64,
    /// Events that were kept as refusals, because their key was taken by other content.
    pub conflicts: u64,
    /// Records that went to the dead letters.
    pub dead: u64,
    /// Refusals stored, now or before.
    pub refusals: u64,
    /// Sequences lost to damage of the spool.
    pub gaps: u64,
    /// Rows of `refusals` that were not there before, conflicts among them.
    pub refusal_rows: u64,
    /// When it moved last.
    #[serde(serialize_with = "json::time")]
    pub updated_at: UnixMicros,
}

impl CursorTotals {
    /// How many sequences the totals account for.
    pub fn accounted(&self) -> u64 {
        let Self { stored, duplicates, conflicts, dead, refusals, gaps, .. } = self;
        [stored, duplicates, conflicts, dead, refusals, gaps]
            .into_iter()
            .fold(0, |sum, part| sum.saturating_add(*part))
    }
}

impl FromRow for CursorTotals {
    fn from_row(row: &impl Columns) -> Result<Self, Error> {
        Ok(Self {
            spool_id: row.id("spool_id")?,
            lane: row.text("lane")?,
            first_sequence: row.number("first_sequence")?,
            next_sequence: row.number("next_sequence")?,
            stored: row.number("stored")?,
            duplicates: row.number("duplicates")?,
            conflicts: row.number("conflicts")?,
            dead: row.number("dead")?,
            refusals: row.number("refusals")?,
            gaps: row.number("gaps")?,
            refusal_rows: row.number("refusal_rows")?,
            updated_at: row.time("updated_at")?,
        })
    }
}

/// How many rows there are, and how many were deleted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TableCounts {
    /// Rows of `events`.
    pub events: u64,
    /// Rows of `refusals`.
    pub refusals: u64,
    /// Rows of `events` that were ever deleted.
    pub events_pruned: u64,
    /// Rows of `refusals` that were ever deleted.
    pub refusals_pruned: u64,
}

impl FromRow for TableCounts {
    fn from_row(row: &impl Columns) -> Result<Self, Error> {
        Ok(Self {
            events: row.number("events_now")?,
            refusals: row.number("refusals_now")?,
            events_pruned: row.number("events")?,
            refusals_pruned: row.number("refusals")?,
        })
    }
}

/// All cursors, by spool and lane.
pub async fn all(database: &Database) -> Result<Vec<CursorTotals>, DatabaseError> {
    read_all(&mut Transaction::read(database, COUNTING).await?).await
}

/// How many rows there are. Reads the smallest index of each table whole.
pub async fn table_counts(database: &Database) -> Result<TableCounts, DatabaseError> {
    read_counts(&mut Transaction::read(database, COUNTING).await?).await
}

/// Both, as they were at one moment.
pub async fn all_with_counts(database: &Database) -> Result<(Vec<CursorTotals>, TableCounts), DatabaseError> {
    let mut transaction = Transaction::read(database, COUNTING).await?;
    Ok((read_all(&mut transaction).await?, read_counts(&mut transaction).await?))
}

async fn read_all(transaction: &mut Transaction) -> Result<Vec<CursorTotals>, DatabaseError> {
    let mut statement = Statement::new(transaction.kind(), "SELECT ");
    statement
        .select(&[
            ("spool_id", Text),
            ("lane", Plain),
            ("first_sequence", Plain),
            ("next_sequence", Plain),
            ("stored", Plain),
            ("duplicates", Plain),
            ("conflicts", Plain),
            ("dead", Plain),
            ("refusals", Plain),
            ("gaps", Plain),
            ("refusal_rows", Plain),
            ("updated_at", Time),
        ])
        .push(" FROM cursors ORDER BY cursors.spool_id, cursors.lane");
    transaction.rows(&statement).await
}

async fn read_counts(transaction: &mut Transaction) -> Result<TableCounts, DatabaseError> {
    let statement = Statement::new(
        transaction.kind(),
        "SELECT (SELECT count(*) FROM events) AS events_now, (SELECT count(*) FROM refusals) AS refusals_now, \
         events, refusals FROM prunings",
    );
    let counts = transaction.rows(&statement).await?.pop();
    counts.ok_or_else(|| Error::RowNotFound.into())
}
