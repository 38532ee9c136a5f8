//! Deleting what is old, or what belongs to one person.
//!
//! A sweep goes along the primary key, a portion at a time: it looks at rows without any lock, then deletes those that
//! match in a short transaction of their own and counts them in `prunings`, so that lanes can write in between and the
//! sums of an audit still agree. What it breaks off can be begun again at any time.

use std::collections::BTreeSet;

use serde::Serialize;
use sqlx::Error;
use uuid::Uuid;

use super::{
    range::TimeRange,
    row::{Columns, FromRow},
    statement::{Form::Text, Statement, Value},
    transaction::{SEARCH, Transaction},
};
use crate::{
    clock::UnixMicros,
    database::{Database, DatabaseError, Kind},
};

/// What is to be deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prune {
    /// Only what arrived before this.
    pub before: UnixMicros,
    /// Only what is about this person: events with this `user_id` or `anonymous_id`, refusals in whose body it stands
    /// as a JSON string, or as a number.
    pub user: Option<String>,
    /// Whether events are deleted.
    pub events: bool,
    /// Whether refusals are deleted.
    pub refusals: bool,
}

/// How much was deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Pruned {
    /// Rows of `events`.
    pub events: u64,
    /// Rows of `refusals`.
    pub refusals: u64,
}

impl std::ops::AddAssign for Pruned {
    fn add_assign(&mut self, other: Self) {
        self.events += other.events;
        self.refusals += other.refusals;
    }
}

/// Whether a sweep deletes, or only says what it would.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// Rows are deleted.
    Delete,
    /// Rows are counted.
    Count,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    Events,
    Refusals,
}

/// A way through the tables, and how far it has come.
#[derive(Clone, Debug)]
pub struct Sweep {
    prune: Prune,
    aim: Aim,
    /// Tables that are not done; the last one is next.
    tables: Vec<Table>,
    after: Option<Uuid>,
}

impl Sweep {
    /// Nothing is done before the first step.
    pub fn new(prune: Prune, aim: Aim) -> Self {
        // Many a body contains the empty text, which is nobody's.
        let refusals = prune.refusals && prune.user.as_deref() != Some("");
        let tables = [(refusals, Table::Refusals), (prune.events, Table::Events)];
        let tables = tables.into_iter().filter(|(wanted, _)| *wanted).map(|(_, table)| table).collect();
        Self { prune, aim, tables, after: None }
    }

    /// Looks at the next rows, `portion` at most, and deletes those that match. `None` once there are no more.
    pub async fn step(
        &mut self,
        database: &Database,
        portion: usize,
    ) -> Result<Option<Pruned>, DatabaseError> {
        let Some(&table) = self.tables.last() else {
            return Ok(None);
        };
        let portion = match table {
            // Bodies have to be read for it, which may be large.
            Table::Refusals if self.prune.user.is_some() => portion.div_ceil(10),
            Table::Refusals | Table::Events => portion,
        };
        let mut transaction = Transaction::read(database, SEARCH).await?;
        let seen: Vec<Seen> = transaction.rows(&self.look(table, database.kind(), portion)).await?;
        drop(transaction);
        let last = seen.last().map(|row| row.id);
        let exhausted = seen.len() < portion;
        let ids: Vec<Uuid> = seen.into_iter().filter(|row| row.matches).map(|row| row.id).collect();
        let count = match self.aim {
            Aim::Count => ids.len() as u64,
            Aim::Delete => delete(database, table, ids).await?,
        };
        // Only now: a step that failed is taken again.
        self.after = last;
        if exhausted {
            self.tables.pop();
            self.after = None;
        }
        Ok(Some(match table {
            Table::Events => Pruned { events: count, refusals: 0 },
            Table::Refusals => Pruned { events: 0, refusals: count },
        }))
    }

    /// The statement that finds the next rows.
    fn look(&self, table: Table, kind: Kind, portion: usize) -> Statement {
        let mut statement = Statement::new(kind, "SELECT ");
        statement.read(table.id(), Text).push(" AS id, (");
        match (&self.prune.user, table) {
            (None, _) => statement.push("true"),
            (Some(user), Table::Events) => {
                statement.is_text("user_id", user).push(" OR ").is_text("anonymous_id", user)
            }
            (Some(user), Table::Refusals) => names(&mut statement, user),
        };
        let range = TimeRange { from: None, to: Some(self.prune.before) };
        statement.push(") IS TRUE AS matches").push(table.from()).push(" WHERE true");
        statement.and_received(table.id(), &range);
        if let Some(after) = self.after {
            statement.push(" AND ").push(table.id()).push(" > ").bind(Value::Id(after));
        }
        statement.push(table.order()).push(" LIMIT ").bind(Value::Number(portion as u64));
        statement
    }
}

impl Table {
    const fn id(self) -> &'static str {
        match self {
            Self::Events => "event_id",
            Self::Refusals => "refusal_id",
        }
    }

    const fn from(self) -> &'static str {
        match self {
            Self::Events => " FROM events",
            Self::Refusals => " FROM refusals",
        }
    }

    const fn order(self) -> &'static str {
        match self {
            Self::Events => " ORDER BY events.event_id",
            Self::Refusals => " ORDER BY refusals.refusal_id",
        }
    }

    const fn count(self) -> &'static str {
        match self {
            Self::Events => "UPDATE prunings SET events = events + ",
            Self::Refusals => "UPDATE prunings SET refusals = refusals + ",
        }
    }
}

/// A row that was looked at.
struct Seen {
    id: Uuid,
    matches: bool,
}

impl FromRow for Seen {
    fn from_row(row: &impl Columns) -> Result<Self, Error> {
        Ok(Self { id: row.id("id")?, matches: row.flag("matches")? })
    }
}

/// Deletes rows and counts them in one transaction.
async fn delete(database: &Database, table: Table, ids: Vec<Uuid>) -> Result<u64, DatabaseError> {
    if ids.is_empty() {
        return Ok(0);
    }
    let mut statement = Statement::new(database.kind(), "DELETE");
    statement.push(table.from()).push(" WHERE ").bind_any(table.id(), Value::Ids(ids));
    let mut transaction = Transaction::write(database).await?;
    let deleted = transaction.execute(&statement).await?;
    let mut counting = Statement::new(database.kind(), table.count());
    counting.bind(Value::Number(deleted));
    transaction.execute(&counting).await?;
    transaction.commit().await?;
    Ok(deleted)
}

/// What stands before a number in JSON, as senders write it: within a line, or at the beginning of one. A single blank
/// is not among it, which stands before the numbers in any prose.
const NUMBER_BEGINS: [&str; 9] = [":", ": ", "[", "[ ", ",", ", ", "  ", "\t", "\n"];

/// What stands behind one.
const NUMBER_ENDS: [&str; 7] = [",", "]", "}", " ", "\t", "\r", "\n"];

/// The condition that a body names this person: as a string, or as a number. A body may be no JSON at all, so that it
/// is looked for as text.
fn names<'s>(statement: &'s mut Statement, person: &str) -> &'s mut Statement {
    contains_any(statement, spellings(person).iter().map(|spelling| format!("\"{spelling}\"")));
    if serde_json::from_str::<serde_json::Number>(person).is_ok() {
        let numbers = NUMBER_BEGINS
            .iter()
            .flat_map(|begin| NUMBER_ENDS.iter().map(move |end| format!("{begin}{person}{end}")));
        // Hardly any body has the digits at all; only those are searched again and again.
        contains_any(statement.push(" OR "), [person.to_owned()].into_iter());
        contains_any(statement.push(" AND "), numbers);
    }
    statement
}

/// The condition that a body contains one of these texts.
fn contains_any(statement: &mut Statement, texts: impl Iterator<Item = String>) -> &mut Statement {
    statement.push("(false");
    for text in texts {
        statement.push(" OR ").push_either("instr(body, ", "position(").bind(Value::Bytes(text.into_bytes()));
        statement.push_either(") > 0", " IN body) > 0");
    }
    statement.push(")")
}

/// How senders write a text into JSON: with the least escapes, and with every character escaped that is not ASCII, in
/// small digits or in capitals. Never as it is where JSON would escape it: `x","y` would be found in other people's.
fn spellings(text: &str) -> BTreeSet<String> {
    let escaped = serde_json::Value::from(text).to_string();
    let inner = escaped.get(1..escaped.len().saturating_sub(1)).unwrap_or_default();
    let ascii = |digits: fn(u16) -> String| {
        inner.chars().fold(String::new(), |mut spelling, character| {
            if character.is_ascii() {
                spelling.push(character);
            } else {
                spelling.extend(character.encode_utf16(&mut [0; 2]).iter().map(|unit| digits(*unit)));
            }
            spelling
        })
    };
    let (small, capital) = (ascii(|unit| format!("\\u{unit:04x}")), ascii(|unit| format!("\\u{unit:04X}")));
    BTreeSet::from([inner.to_owned(), small, capital])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_spelled_as_senders_do() {
        let spelled = |text| spellings(text).into_iter().collect::<Vec<_>>();
        assert_eq!(spelled("u-1"), ["u-1"]);
        assert_eq!(spelled("a\"b"), ["a\\\"b"]);
        let escaped = ["\\u00D8re\\uD83D\\uDC69", "\\u00d8re\\ud83d\\udc69"];
        assert_eq!(spelled("Øre👩"), [escaped[0], escaped[1], "Øre👩"]);
    }
}
