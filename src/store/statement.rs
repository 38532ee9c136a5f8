//! SQL with its bound values, in the spelling of either database.
//!
//! The text is made of constants of the program only; every value is bound, as the type of its column.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, Postgres, Sqlite, postgres::PgArguments, query::Query, sqlite::SqliteArguments};
use uuid::Uuid;

use super::range::TimeRange;
use crate::{
    clock::UnixMicros,
    database::Kind,
    event::time::{EARLIEST, LATEST, format_rfc3339},
};

/// A value to be bound.
pub(super) enum Value {
    Text(String),
    Bytes(Vec<u8>),
    Number(u64),
    Id(Uuid),
    Time(UnixMicros),
    Ids(Vec<Uuid>),
    Texts(Vec<String>),
}

/// In which form an expression is read.
#[derive(Clone, Copy)]
pub(super) enum Form {
    Plain,
    /// An id or JSON, as text.
    Text,
    /// A time, as RFC 3339 text.
    Time,
}

/// A statement that grows from left to right.
pub(super) struct Statement {
    kind: Kind,
    sql: String,
    values: Vec<Value>,
}

impl Statement {
    pub(super) fn new(kind: Kind, sql: &'static str) -> Self {
        Self { kind, sql: sql.to_owned(), values: Vec::new() }
    }

    pub(super) fn push(&mut self, sql: &'static str) -> &mut Self {
        self.sql.push_str(sql);
        self
    }

    /// One text for each database.
    pub(super) fn push_either(&mut self, sqlite: &'static str, postgres: &'static str) -> &mut Self {
        self.push(match self.kind {
            Kind::Sqlite => sqlite,
            Kind::Postgres => postgres,
        })
    }

    /// A whole statement behind a text that binds nothing.
    #[cfg(test)]
    pub(super) fn append(&mut self, other: Self) -> &mut Self {
        assert!(self.values.is_empty());
        self.sql.push_str(&other.sql);
        self.values = other.values;
        self
    }

    /// A value in its place.
    pub(super) fn bind(&mut self, value: Value) -> &mut Self {
        self.values.push(value);
        self.sql.push('$');
        self.sql.push_str(&self.values.len().to_string());
        self
    }

    /// A condition on a column that is to be one of many values.
    pub(super) fn bind_any(&mut self, column: &'static str, values: Value) -> &mut Self {
        self.push(column).push_either(" IN (SELECT value FROM json_each(", " = ANY (");
        self.bind(values).push_either("))", ")")
    }

    /// A list of expressions to select, under their names.
    pub(super) fn select(&mut self, columns: &[(&'static str, Form)]) -> &mut Self {
        for (index, &(column, form)) in columns.iter().enumerate() {
            self.push(if index == 0 { "" } else { ", " }).read(column, form).push(" AS ").push(column);
        }
        self
    }

    /// An expression in the form in which it is read.
    pub(super) fn read(&mut self, expression: &'static str, form: Form) -> &mut Self {
        match (self.kind, form) {
            (Kind::Sqlite, _) | (_, Form::Plain) => self.push(expression),
            (Kind::Postgres, Form::Text) => self.push(expression).push("::text"),
            (Kind::Postgres, Form::Time) => self
                .push("to_char(")
                .push(expression)
                .push(r#" AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"#),
        }
    }

    /// The condition that a column is this text.
    pub(super) fn is_text(&mut self, column: &'static str, text: &str) -> &mut Self {
        if text.contains('\0') {
            // No column of PostgreSQL can hold it, and it would say so by an error.
            return self.push("false");
        }
        self.push(column).push(" = ").bind(Value::Text(text.to_owned()))
    }

    /// One more condition: the column is this text, if there is one.
    pub(super) fn and_text(&mut self, column: &'static str, text: Option<&str>) -> &mut Self {
        match text {
            None => self,
            Some(text) => self.push(" AND ").is_text(column, text),
        }
    }

    /// The same where the primary key is to lead: SQLite, which knows nothing of how often a value occurs, would
    /// rather walk another index and sort. The plus sign forbids it that index.
    pub(super) fn and_text_unindexed(&mut self, column: &'static str, text: Option<&str>) -> &mut Self {
        match text {
            None => self,
            Some(text) => self.push_either(" AND +", " AND ").is_text(column, text),
        }
    }

    /// Two more conditions for each end of a range of arrival times: on the primary key, which finds the rows, and on
    /// the time itself.
    pub(super) fn and_received(&mut self, id: &'static str, range: &TimeRange) -> &mut Self {
        if let Some(first) = range.first_id() {
            self.push(" AND ").push(id).push(" >= ").bind(Value::Id(first));
        }
        if let Some(end) = range.end_id() {
            self.push(" AND ").push(id).push(" < ").bind(Value::Id(end));
        }
        // The plus sign as above.
        if let Some(from) = range.from {
            self.push_either(" AND +", " AND ").push("received_at >= ").bind(Value::Time(from));
        }
        if let Some(to) = range.to {
            self.push_either(" AND +", " AND ").push("received_at < ").bind(Value::Time(to));
        }
        self
    }

    /// The statement as SQLite takes it. Statements are kept prepared: there are few texts.
    pub(super) fn sqlite(&self) -> Query<'static, Sqlite, SqliteArguments> {
        let statement = sqlx::query(AssertSqlSafe(self.sql.clone()));
        self.values.iter().fold(statement, |statement, value| match value {
            Value::Text(text) => statement.bind(text.clone()),
            Value::Bytes(bytes) => statement.bind(bytes.clone()),
            Value::Number(number) => statement.bind(signed(*number)),
            Value::Id(id) => statement.bind(id.to_string()),
            Value::Time(at) => statement.bind(format_rfc3339(within(*at))),
            Value::Ids(ids) => statement.bind(array(ids.iter().map(Uuid::to_string))),
            Value::Texts(texts) => statement.bind(array(texts.iter().cloned())),
        })
    }

    /// The statement as PostgreSQL takes it.
    pub(super) fn postgres(&self) -> Query<'static, Postgres, PgArguments> {
        let statement = sqlx::query(AssertSqlSafe(self.sql.clone())).persistent(false);
        self.values.iter().fold(statement, |statement, value| match value {
            Value::Text(text) => statement.bind(text.clone()),
            Value::Bytes(bytes) => statement.bind(bytes.clone()),
            Value::Number(number) => statement.bind(signed(*number)),
            Value::Id(id) => statement.bind(*id),
            Value::Time(at) => {
                statement.bind(DateTime::<Utc>::from_timestamp_micros(within(*at)).unwrap_or_default())
            }
            Value::Ids(ids) => statement.bind(ids.clone()),
            Value::Texts(texts) => statement.bind(texts.clone()),
        })
    }
}

/// A JSON array of strings, as `json_each` takes it.
fn array(texts: impl Iterator<Item = String>) -> String {
    texts.collect::<serde_json::Value>().to_string()
}

/// Limits and counts; more than a database can count is everything.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Nothing that is stored lies beyond these ends, so that an end may be moved to them.
fn within(at: UnixMicros) -> UnixMicros {
    at.clamp(EARLIEST, LATEST)
}
