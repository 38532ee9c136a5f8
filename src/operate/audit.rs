//! Whether everything that was received is accounted for: in this process, in the spool, in the lanes' totals and in
//! the tables.
//!
//! What the lanes say and what the tables hold is read at one moment, so that lanes may go on writing meanwhile.

use std::sync::Arc;

use serde::Serialize;
use tokio::sync::Mutex;

use crate::{
    database::{Database, DatabaseError},
    spool::Spool,
    store::cursors::{self, CursorTotals, TableCounts},
};

/// What this process told its senders, and what its spool took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Promised {
    /// Events that senders were told are durable or kept: committed, duplicate or refused. To be read first.
    pub told: u64,
    /// Where the spool ended when the process began.
    pub begun_at: u64,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// Only one is made at a time.
    #[error("an audit is under way")]
    UnderWay,
    /// The database.
    #[error(transparent)]
    Storage(#[from] DatabaseError),
}

/// Makes audits, one at a time: each counts all rows of both tables.
#[derive(Debug, Default)]
pub struct Auditor {
    turn: Arc<Mutex<()>>,
}

/// The answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// Whether every check holds.
    pub holds: bool,
    /// The checks.
    pub checks: Vec<AuditCheck>,
    /// The totals that they are made from.
    pub cursors: Vec<CursorTotals>,
    /// Durable records of the spool that a lane has not delivered yet.
    pub backlog: u64,
}

/// One equation, or order, of two numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AuditCheck {
    /// What is compared.
    pub name: String,
    /// Whether it is as it must be.
    pub holds: bool,
    /// The one number.
    pub left: u64,
    /// The other one.
    pub right: u64,
    /// What the numbers are, in words.
    pub detail: String,
}

impl Auditor {
    /// Audits the whole installation: also what other servers wrote into the same database. The database counts to the
    /// end even if nobody waits for it any more, and the turn lasts as long.
    ///
    /// # Errors
    /// When there is one under way, or the database cannot be asked.
    pub async fn audit(
        &self,
        database: &Database,
        spool: &Spool,
        promised: Promised,
    ) -> Result<Audit, AuditError> {
        let turn = Arc::clone(&self.turn).try_lock_owned().map_err(|_| AuditError::UnderWay)?;
        let (database, spool) = (database.clone(), spool.clone());
        let auditing = tokio::spawn(async move {
            let _turn = turn;
            audit(&database, &spool, promised).await
        });
        match auditing.await {
            Ok(audited) => Ok(audited?),
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }
}

async fn audit(database: &Database, spool: &Spool, promised: Promised) -> Result<Audit, DatabaseError> {
    let (cursors, counts) = cursors::all_with_counts(database).await?;
    // The spool's end is read last: it only grows, so that no cursor that was read before lies beyond it.
    let id = spool.id();
    let (oldest, end) = (spool.oldest(), spool.end());
    let of_spool = || cursors.iter().filter(|cursor| cursor.spool_id == id);
    let reached = of_spool().map(|cursor| cursor.next_sequence).min().unwrap_or(oldest);
    let checks: Vec<AuditCheck> = [of_process(promised, end)]
        .into_iter()
        .chain(of_spool().map(|cursor| within_spool(cursor, end)))
        .chain(cursors.iter().map(of_cursor))
        .chain(of_tables(&cursors, counts))
        .collect();
    let holds = checks.iter().all(|check| check.holds);
    Ok(Audit { holds, checks, cursors, backlog: end.saturating_sub(reached) })
}

fn equal(name: String, left: u64, right: u64, detail: &str) -> AuditCheck {
    AuditCheck { name, holds: left == right, left, right, detail: detail.to_owned() }
}

fn of_process(promised: Promised, end: u64) -> AuditCheck {
    let taken = end.saturating_sub(promised.begun_at);
    AuditCheck {
        name: "process".to_owned(),
        holds: promised.told <= taken,
        left: promised.told,
        right: taken,
        detail: "events told to be durable or kept ≤ records that the spool took, since the process began; what it has \
                 more is being answered, or was replayed"
            .to_owned(),
    }
}

fn within_spool(cursor: &CursorTotals, end: u64) -> AuditCheck {
    AuditCheck {
        name: format!("spool, lane {}", cursor.lane),
        holds: cursor.next_sequence <= end,
        left: cursor.next_sequence,
        right: end,
        detail: "the lane's next sequence ≤ the spool's end".to_owned(),
    }
}

fn of_cursor(cursor: &CursorTotals) -> AuditCheck {
    let name = format!("cursor {} {}", cursor.spool_id, cursor.lane);
    let settled = cursor.next_sequence.saturating_sub(cursor.first_sequence);
    let detail = "stored + duplicates + conflicts + dead + refusals + gaps = next_sequence - first_sequence";
    equal(name, cursor.accounted(), settled, detail)
}

fn of_tables(cursors: &[CursorTotals], counts: TableCounts) -> [AuditCheck; 2] {
    let sum = |of: fn(&CursorTotals) -> u64| cursors.iter().map(of).sum();
    [
        equal(
            "events".to_owned(),
            counts.events + counts.events_pruned,
            sum(|cursor| cursor.stored),
            "rows of events + rows pruned = sum of stored",
        ),
        equal(
            "refusals".to_owned(),
            counts.refusals + counts.refusals_pruned,
            sum(|cursor| cursor.refusal_rows),
            "rows of refusals + rows pruned = sum of refusal_rows",
        ),
    ]
}

#[cfg(test)]
mod tests;
