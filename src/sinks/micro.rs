//! What micro-benchmarks measure of the SQL sinks without a database, which is private otherwise.

use super::{SinkError, postgres::columns::EventColumns, row, sqlite::bind_event};
use crate::event::record::Event;

/// The events in the order in which both sinks insert them.
pub fn by_key<'e>(events: &[&'e Event]) -> Vec<&'e Event> {
    row::by_key(events)
}

/// A statement of the SQLite sink with the values of these events, not executed.
///
/// # Errors
/// When an event cannot be a row.
pub fn sqlite_statement(events: &[&Event]) -> Result<impl Sized + use<>, SinkError> {
    events.iter().try_fold(sqlx::query(""), |statement, event| bind_event(statement, event))
}

/// The statement of the PostgreSQL sink with these events as columns, not executed.
///
/// # Errors
/// When an event cannot be a row.
pub fn postgres_statement(events: &[&Event]) -> Result<impl Sized + use<>, SinkError> {
    Ok(EventColumns::of(events)?.statement())
}
