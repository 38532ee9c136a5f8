//! Refusals by their filter, a page at a time.

use bytes::Bytes;
use uuid::Uuid;

use super::stored::{BODY_BYTES, COLUMNS, RefusalState, StoredRefusal};
use crate::{
    database::{Database, DatabaseError, Kind},
    store::{
        page::{self, Page},
        range::TimeRange,
        row::FromRow,
        statement::{Form::Text, Statement, Value},
    },
};

/// Which refusals are wanted: those that have all that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RefusalFilter {
    /// Name of the source.
    pub source: Option<String>,
    /// The rule that refused it.
    pub rule: Option<String>,
    /// What became of it.
    pub state: Option<RefusalState>,
    /// When it arrived.
    pub received: TimeRange,
    /// One of these; any, if it is empty.
    pub ids: Vec<Uuid>,
}

/// Refusals, newest first; those before `before`, if it is given.
pub async fn list(
    database: &Database,
    filter: &RefusalFilter,
    before: Option<Uuid>,
    limit: usize,
) -> Result<Page<StoredRefusal>, DatabaseError> {
    let mut sizes = sizes(database.kind(), ", CAST(0 AS bigint) AS bytes");
    filtered(&mut sizes, filter);
    if let Some(before) = before {
        sizes.push(" AND refusal_id < ").bind(Value::Id(before));
    }
    read(database, sizes, limit, BODY_BYTES, " ORDER BY refusals.refusal_id DESC").await
}

/// The refusals with ids from `first` to `last`, both included, in ascending order.
pub async fn between(
    database: &Database,
    first: Uuid,
    last: Uuid,
    limit: usize,
) -> Result<Page<StoredRefusal>, DatabaseError> {
    let mut sizes = sizes(database.kind(), ", CAST(0 AS bigint) AS bytes");
    sizes.push(" AND refusal_id >= ").bind(Value::Id(first));
    sizes.push(" AND refusal_id <= ").bind(Value::Id(last));
    read(database, sizes, limit, BODY_BYTES, " ORDER BY refusals.refusal_id").await
}

/// Refusals with their bodies in ascending order; those after `after`, if it is given.
pub async fn with_bodies(
    database: &Database,
    filter: &RefusalFilter,
    after: Option<Uuid>,
    limit: usize,
) -> Result<Page<(StoredRefusal, Bytes)>, DatabaseError> {
    let mut sizes = sizes(database.kind(), ", CAST(octet_length(body) AS bigint) AS bytes");
    filtered(&mut sizes, filter);
    if let Some(after) = after {
        sizes.push(" AND refusal_id > ").bind(Value::Id(after));
    }
    let body = ", CAST(octet_length(body) AS bigint) AS body_bytes, body";
    read(database, sizes, limit, body, " ORDER BY refusals.refusal_id").await
}

/// The refusal with this id.
pub async fn find(database: &Database, id: Uuid) -> Result<Option<(StoredRefusal, Bytes)>, DatabaseError> {
    let filter = RefusalFilter { ids: vec![id], ..RefusalFilter::default() };
    Ok(with_bodies(database, &filter, None, 1).await?.items.pop())
}

pub(super) fn filtered(statement: &mut Statement, filter: &RefusalFilter) {
    statement
        .and_received("refusal_id", &filter.received)
        .and_text("source", filter.source.as_deref())
        .and_text("rule", filter.rule.as_deref())
        .and_text("state", filter.state.map(RefusalState::as_str));
    if !filter.ids.is_empty() {
        statement.push(" AND ").bind_any("refusal_id", Value::Ids(filter.ids.clone()));
    }
}

/// Begins the statement that measures the refusals of a page.
pub(super) fn sizes(kind: Kind, bytes: &'static str) -> Statement {
    let mut statement = Statement::new(kind, "SELECT ");
    statement.read("refusal_id", Text).push(" AS id").push(bytes).push(" FROM refusals WHERE true");
    statement
}

/// Reads the refusals that `sizes` finds, as many as make a page.
async fn read<T: FromRow>(
    database: &Database,
    sizes: Statement,
    limit: usize,
    more_columns: &'static str,
    order: &'static str,
) -> Result<Page<T>, DatabaseError> {
    let mut rows = Statement::new(database.kind(), "SELECT ");
    rows.select(COLUMNS).push(more_columns).push(" FROM refusals WHERE ");
    page::read(database, sizes, rows, "refusal_id", order, limit).await
}
