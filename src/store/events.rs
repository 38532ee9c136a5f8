//! The table `events`, read back.
//!
//! The primary key leads every search, because it is the order of arrival: a filter on a time cuts a span out of it,
//! `source` with `dedup_key` finds one row by their own index, and any other filter is looked at row by row, newest
//! first, until the page is full or the time is up ([`TOO_SLOW`](super::TOO_SLOW)).

use std::collections::HashMap;

use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::Error;
use uuid::Uuid;

use super::{
    json,
    page::{self, Page},
    range::TimeRange,
    row::{Columns, FromRow},
    statement::{
        Form::{self, Plain, Text, Time},
        Statement, Value,
    },
    transaction::{SEARCH, Transaction},
};
use crate::{
    clock::UnixMicros,
    database::{Database, DatabaseError, Kind},
    event::record::Event,
};

const NEWEST_FIRST: &str = " ORDER BY events.event_id DESC";

/// Which events are wanted: those that have all that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EventFilter {
    /// Name of the source.
    pub source: Option<String>,
    /// `event_type`.
    pub event_type: Option<String>,
    /// `action`.
    pub action: Option<String>,
    /// `user_id`.
    pub user_id: Option<String>,
    /// `dedup_key`.
    pub dedup_key: Option<String>,
    /// When it arrived.
    pub received: TimeRange,
}

/// A row of `events`, or what will become one.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "docs/schema.md explains the columns")]
pub struct StoredEvent {
    #[serde(serialize_with = "json::id")]
    pub event_id: Uuid,
    pub source: String,
    pub kind: String,
    pub dedup_key: Option<String>,
    pub action: String,
    pub event_type: String,
    pub name: String,
    pub event_source: String,
    #[serde(serialize_with = "json::time")]
    pub time: UnixMicros,
    #[serde(serialize_with = "json::time")]
    pub received_at: UnixMicros,
    pub user_id: Option<String>,
    pub anonymous_id: Option<String>,
    pub username: Option<String>,
    pub page: Option<String>,
    pub host: String,
    pub agent: String,
    pub ip: String,
    pub event: Box<RawValue>,
    pub context: Box<RawValue>,
    pub sanitised: bool,
}

const COLUMNS: &[(&str, Form)] = &[
    ("event_id", Text),
    ("source", Plain),
    ("kind", Plain),
    ("dedup_key", Plain),
    ("action", Plain),
    ("event_type", Plain),
    ("name", Plain),
    ("event_source", Plain),
    ("time", Time),
    ("received_at", Time),
    ("user_id", Plain),
    ("anonymous_id", Plain),
    ("username", Plain),
    ("page", Plain),
    ("host", Plain),
    ("agent", Plain),
    ("ip", Plain),
    ("event", Text),
    ("context", Text),
    ("sanitised", Plain),
];

impl FromRow for StoredEvent {
    fn from_row(row: &impl Columns) -> Result<Self, Error> {
        Ok(Self {
            event_id: row.id("event_id")?,
            source: row.text("source")?,
            kind: row.text("kind")?,
            dedup_key: row.maybe_text("dedup_key")?,
            action: row.text("action")?,
            event_type: row.text("event_type")?,
            name: row.text("name")?,
            event_source: row.text("event_source")?,
            time: row.time("time")?,
            received_at: row.time("received_at")?,
            user_id: row.maybe_text("user_id")?,
            anonymous_id: row.maybe_text("anonymous_id")?,
            username: row.maybe_text("username")?,
            page: row.maybe_text("page")?,
            host: row.text("host")?,
            agent: row.text("agent")?,
            ip: row.text("ip")?,
            event: row.json("event")?,
            context: row.json("context")?,
            sanitised: row.flag("sanitised")?,
        })
    }
}

/// What is in the spool, as it will be read back.
impl From<&Event> for StoredEvent {
    fn from(event: &Event) -> Self {
        Self {
            event_id: event.event_id(),
            source: event.source.clone(),
            kind: event.kind.clone(),
            dedup_key: event.dedup_key.clone(),
            action: event.action.clone(),
            event_type: event.event_type.clone(),
            name: event.name.clone(),
            event_source: event.event_source.clone(),
            time: event.time,
            received_at: event.received_at,
            user_id: event.user_id.clone(),
            anonymous_id: event.anonymous_id.clone(),
            username: event.username.clone(),
            page: event.page.clone(),
            host: event.host.clone(),
            agent: event.agent.clone(),
            ip: event.ip.clone(),
            event: json::verbatim(&String::from_utf8_lossy(&event.event)),
            context: json::verbatim(&String::from_utf8_lossy(&event.context)),
            sanitised: event.sanitised,
        }
    }
}

/// Events, newest first; those before `before`, if it is given.
pub async fn list(
    database: &Database,
    filter: &EventFilter,
    before: Option<Uuid>,
    limit: usize,
) -> Result<Page<StoredEvent>, DatabaseError> {
    read(database, search(database.kind(), filter, before), limit, NEWEST_FIRST).await
}

fn search(kind: Kind, filter: &EventFilter, before: Option<Uuid>) -> Statement {
    let mut sizes = sizes(kind);
    sizes.and_received("event_id", &filter.received);
    if let Some(before) = before {
        sizes.push(" AND event_id < ").bind(Value::Id(before));
    }
    let (source, key) = (filter.source.as_deref(), filter.dedup_key.as_deref());
    if source.is_some() && key.is_some() {
        sizes.and_text("source", source).and_text("dedup_key", key);
    } else {
        sizes.and_text_unindexed("source", source).and_text_unindexed("dedup_key", key);
    }
    sizes
        .and_text("event_type", filter.event_type.as_deref())
        .and_text("action", filter.action.as_deref())
        .and_text("user_id", filter.user_id.as_deref());
    sizes
}

/// The events with ids from `first` to `last`, both included, in ascending order.
pub async fn between(
    database: &Database,
    first: Uuid,
    last: Uuid,
    limit: usize,
) -> Result<Page<StoredEvent>, DatabaseError> {
    let mut sizes = sizes(database.kind());
    sizes.push(" AND event_id >= ").bind(Value::Id(first)).push(" AND event_id <= ").bind(Value::Id(last));
    read(database, sizes, limit, " ORDER BY events.event_id").await
}

/// Which of these keys are taken in a source, and the events that have them.
pub async fn taken_keys(
    database: &Database,
    source: &str,
    keys: &[String],
) -> Result<HashMap<String, Uuid>, DatabaseError> {
    let keys: Vec<String> = keys.iter().filter(|key| !key.contains('\0')).cloned().collect();
    let mut statement = Statement::new(database.kind(), "SELECT ");
    statement
        .select(&[("event_id", Text), ("dedup_key", Plain)])
        .push(" FROM events WHERE true")
        .and_text("source", Some(source))
        .push(" AND ")
        .bind_any("dedup_key", Value::Texts(keys));
    let mut transaction = Transaction::read(database, SEARCH).await?;
    let owners: Vec<KeyOwner> = transaction.rows(&statement).await?;
    Ok(owners.into_iter().map(|owner| (owner.dedup_key, owner.event_id)).collect())
}

struct KeyOwner {
    dedup_key: String,
    event_id: Uuid,
}

impl FromRow for KeyOwner {
    fn from_row(row: &impl Columns) -> Result<Self, Error> {
        Ok(Self { dedup_key: row.text("dedup_key")?, event_id: row.id("event_id")? })
    }
}

/// Begins the statement that measures the events of a page.
fn sizes(kind: Kind) -> Statement {
    let mut statement = Statement::new(kind, "SELECT ");
    statement
        .read("event_id", Text)
        .push_either(
            " AS id, octet_length(event) + octet_length(context)",
            " AS id, (octet_length(event::text) + octet_length(context::text))::bigint",
        )
        .push(" AS bytes FROM events WHERE true");
    statement
}

/// Reads the events that `sizes` finds, as many as make a page.
async fn read(
    database: &Database,
    sizes: Statement,
    limit: usize,
    order: &'static str,
) -> Result<Page<StoredEvent>, DatabaseError> {
    let mut rows = Statement::new(database.kind(), "SELECT ");
    rows.select(COLUMNS).push(" FROM events WHERE ");
    page::read(database, sizes, rows, "event_id", order, limit).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::database::testing::TestDatabase;

    /// PostgreSQL plans by its statistics; SQLite has none, and must be told.
    #[tokio::test]
    async fn sqlite_goes_along_the_right_index() {
        let database = TestDatabase::sqlite().handle();
        let pools = database.sqlite().await.unwrap();
        let received = TimeRange { from: Some(1), to: Some(2) };
        let filter = |source: Option<&str>, user_id: Option<&str>, dedup_key: Option<&str>| EventFilter {
            source: source.map(str::to_owned),
            user_id: user_id.map(str::to_owned),
            dedup_key: dedup_key.map(str::to_owned),
            received,
            ..EventFilter::default()
        };
        let by_id = "SEARCH events USING INDEX sqlite_autoindex_events_1 (event_id>? AND event_id<?)";
        let by_key = "SEARCH events USING INDEX events_source_dedup_key (source=? AND dedup_key=?)";
        for (filter, want) in [
            (filter(Some("web"), None, None), by_id),
            (filter(None, Some("u"), Some("k")), by_id),
            (filter(Some("web"), None, Some("k")), by_key),
        ] {
            let mut explain = Statement::new(Kind::Sqlite, "EXPLAIN QUERY PLAN ");
            explain.append(search(Kind::Sqlite, &filter, None)).push(NEWEST_FIRST);
            let steps = explain.sqlite().fetch_all(pools.readers()).await.unwrap();
            let step: String = sqlx::Row::get(&steps[0], "detail");
            assert_eq!(step, want, "{filter:?}");
        }
    }
}
