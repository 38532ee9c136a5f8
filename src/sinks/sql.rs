//! What the two SQL sinks share: the statements of the cursor, what an error means, and the canary's rows.

use bytes::Bytes;
use uuid::Uuid;

use super::{Batch, ErrorClass, SinkError, Written, row};
use crate::{
    clock::Clock,
    database::{DatabaseError, Fault},
    event::record::{Event, Refusal, content_hash},
};

/// Where a lane's cursor stands.
pub(super) const CURSOR: &str = "SELECT next_sequence FROM cursors WHERE spool_id = $1 AND lane = $2";

/// The first batch of a lane. Nothing is inserted where a row already is.
const CURSOR_BEGINS: &str = "INSERT INTO cursors \
     (spool_id, lane, updated_at, first_sequence, \
      next_sequence, stored, duplicates, conflicts, dead, refusals, gaps, refusal_rows) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (spool_id, lane) DO NOTHING";

/// Every later batch. Nothing is updated where the cursor does not stand at `$4`.
const CURSOR_MOVES: &str = "UPDATE cursors SET updated_at = $3, next_sequence = $5, stored = stored + $6, \
     duplicates = duplicates + $7, conflicts = conflicts + $8, dead = dead + $9, refusals = refusals + $10, \
     gaps = gaps + $11, refusal_rows = refusal_rows + $12 \
     WHERE spool_id = $1 AND lane = $2 AND next_sequence = $4";

/// What a batch did to the tables.
#[derive(Clone, Copy)]
pub(super) struct Inserted {
    pub(super) written: Written,
    /// Rows of `refusals` that were not there before, conflicts among them.
    pub(super) refusal_rows: u64,
}

/// How a batch moves the cursor: the statement, which must touch exactly one row, and its numbers from `$4` on.
pub(super) fn cursor_move(
    batch: &Batch<'_>,
    inserted: Inserted,
) -> Result<(&'static str, [i64; 9]), SinkError> {
    let (statement, stands_at) = match batch.expected {
        Some(expected) => (CURSOR_MOVES, expected),
        None => (CURSOR_BEGINS, batch.from),
    };
    let Inserted { written: Written { stored, duplicates, conflicts, refusals }, refusal_rows } = inserted;
    let mut numbers = [0; 9];
    let totals =
        [stands_at, batch.to, stored, duplicates, conflicts, batch.dead, refusals, batch.gaps, refusal_rows];
    for (number, total) in numbers.iter_mut().zip(totals) {
        *number = row::signed(total)?;
    }
    Ok((statement, numbers))
}

/// An event that was not inserted and whose id is not there either.
pub(super) struct Uninserted<'a> {
    pub(super) event: &'a Event,
    /// Hash of the event that owns the key, empty if it has none; `None` if the key is free.
    pub(super) owner_hash: Option<Vec<u8>>,
}

/// The refusals that keep those whose key is taken by other content.
pub(super) fn conflicts(uninserted: &[Uninserted<'_>]) -> Result<Vec<Refusal>, SinkError> {
    let mut conflicts = Vec::new();
    for Uninserted { event, owner_hash } in uninserted {
        let owner_hash = owner_hash.as_deref().ok_or_else(row::unexplained)?;
        conflicts.extend(row::conflict(event, owner_hash));
    }
    Ok(conflicts)
}

/// Counts what became of a batch.
pub(super) fn inserted(batch: &Batch<'_>, stored: u64, conflicts: &[Refusal], refusal_rows: u64) -> Inserted {
    let conflicts = conflicts.len() as u64;
    let written = Written {
        stored,
        duplicates: (batch.events.len() as u64).saturating_sub(stored + conflicts),
        conflicts,
        refusals: batch.refusals.len() as u64,
    };
    Inserted { written, refusal_rows }
}

impl From<DatabaseError> for SinkError {
    fn from(error: DatabaseError) -> Self {
        let class = match error.fault {
            Fault::Transient | Fault::Interrupted => ErrorClass::Transient,
            Fault::Configuration => ErrorClass::Configuration,
            Fault::BadRow => ErrorClass::PoisonRow,
        };
        Self::new(class, error.code, error.message)
    }
}

impl From<sqlx::Error> for SinkError {
    fn from(error: sqlx::Error) -> Self {
        DatabaseError::from(error).into()
    }
}

/// An error of COMMIT: where the conversation broke off, the batch may be stored.
pub(super) fn commit_error(error: sqlx::Error) -> SinkError {
    let error = DatabaseError::from(error);
    match error.fault {
        Fault::Interrupted => SinkError::new(ErrorClass::OutcomeUnknown, error.code, error.message),
        Fault::Transient | Fault::Configuration | Fault::BadRow => error.into(),
    }
}

/// An event and a refusal that every working sink can store, under ids and a key that nobody else has.
pub(super) fn canary(clock: &Clock) -> (Event, Refusal) {
    let id = Uuid::now_v7();
    let json = Bytes::from_static(br#"{"canary": "\u00fc", "number": 12345678901234567890}"#);
    let mut event = Event {
        source: "tidegate.canary".into(),
        kind: "canary".into(),
        dedup_key: Some(id.to_string()),
        action: "probe".into(),
        time: clock.now(),
        received_at: clock.now(),
        event_hash: content_hash(&json),
        event: json.clone(),
        context: json,
        ..Event::default()
    };
    event.set_event_id(id);
    let mut refusal = Refusal::conflict(&event);
    refusal.rule = "canary".into();
    (event, refusal)
}

/// The canary as a batch, of which no cursor will know.
pub(super) fn canary_batch<'a>(event: &'a Event, refusal: &'a Refusal) -> Batch<'a> {
    Batch {
        spool_id: Uuid::nil(),
        expected: None,
        from: 0,
        to: 0,
        events: vec![event],
        refusals: vec![refusal],
        dead: 0,
        gaps: 0,
    }
}

/// The canary is rolled back, but it must have been inserted.
pub(super) fn canary_inserted(inserted: Inserted) -> Result<(), SinkError> {
    if (inserted.written.stored, inserted.refusal_rows) == (1, 1) { Ok(()) } else { Err(row::unexplained()) }
}
