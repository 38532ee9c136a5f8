//! How many refusals there are, and of which kind.

use serde::Serialize;
use sqlx::Error;

use super::{
    reading::{RefusalFilter, filtered},
    stored::RefusalState,
};
use crate::{
    clock::UnixMicros,
    database::{Database, DatabaseError},
    store::{
        json,
        row::{Columns, FromRow},
        statement::{Form::Time, Statement},
        transaction::{SEARCH, Transaction},
    },
};

/// How many refusals the filter finds.
pub async fn count(database: &Database, filter: &RefusalFilter) -> Result<u64, DatabaseError> {
    Ok(summary(database, filter).await?.iter().map(|group| group.count).sum())
}

/// Refusals of one source, rule and state.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RefusalCount {
    /// Name of the source.
    pub source: String,
    /// The rule that refused them.
    pub rule: String,
    /// What became of them.
    pub state: RefusalState,
    /// How many there are.
    pub count: u64,
    /// When the first of them arrived.
    #[serde(serialize_with = "json::time")]
    pub first: UnixMicros,
    /// When the last of them arrived.
    #[serde(serialize_with = "json::time")]
    pub last: UnixMicros,
}

impl FromRow for RefusalCount {
    fn from_row(row: &impl Columns) -> Result<Self, Error> {
        Ok(Self {
            source: row.text("source")?,
            rule: row.text("rule")?,
            state: RefusalState::of(row)?,
            count: row.number("count")?,
            first: row.time("first")?,
            last: row.time("last")?,
        })
    }
}

/// How many refusals the filter finds, by source, rule and state.
pub async fn summary(
    database: &Database,
    filter: &RefusalFilter,
) -> Result<Vec<RefusalCount>, DatabaseError> {
    let mut statement = Statement::new(database.kind(), "SELECT source, rule, state, count(*) AS count, ");
    statement.read("min(received_at)", Time).push(" AS first, ");
    statement.read("max(received_at)", Time).push(" AS last FROM refusals WHERE true");
    filtered(&mut statement, filter);
    statement.push(" GROUP BY source, rule, state ORDER BY source, rule, state");
    Transaction::read(database, SEARCH).await?.rows(&statement).await
}
