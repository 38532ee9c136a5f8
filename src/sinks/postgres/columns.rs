//! Rows turned into columns, as PostgreSQL's UNNEST takes them: an array a column, in the order of the rows.

use chrono::{DateTime, Utc};
use sqlx::{PgConnection, Postgres, postgres::PgArguments, query::Query};
use uuid::Uuid;

use crate::{
    event::record::{Event, Refusal},
    sinks::{SinkError, row},
};

const INSERT_EVENTS: &str = "INSERT INTO events (event_id, source, kind, dedup_key, action, event_type, name, \
         event_source, time, received_at, user_id, anonymous_id, username, page, host, agent, ip, event, context, \
         event_hash, sanitised) \
     SELECT event_id, source, kind, dedup_key, action, event_type, name, \
         event_source, time, received_at, user_id, anonymous_id, username, page, host, agent, ip, event::jsonb, \
         context::jsonb, event_hash, sanitised \
     FROM UNNEST($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], \
         $8::text[], $9::timestamptz[], $10::timestamptz[], $11::text[], $12::text[], $13::text[], $14::text[], \
         $15::text[], $16::text[], $17::text[], $18::text[], $19::text[], $20::bytea[], $21::boolean[]) \
     AS batch (event_id, source, kind, dedup_key, action, event_type, name, \
         event_source, time, received_at, user_id, anonymous_id, username, page, host, agent, ip, event, context, \
         event_hash, sanitised) \
     ON CONFLICT DO NOTHING";

const INSERT_REFUSALS: &str = "INSERT INTO refusals (refusal_id, source, received_at, rule, pointer, message, element, \
         method, path, host, content_type, config_version, body, truncated, body_hash, metadata) \
     SELECT refusal_id, source, received_at, rule, pointer, message, element, \
         method, path, host, content_type, config_version, body, truncated, body_hash, metadata::jsonb \
     FROM UNNEST($1::uuid[], $2::text[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::bigint[], \
         $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::bytea[], $14::boolean[], $15::bytea[], \
         $16::text[]) \
     AS batch (refusal_id, source, received_at, rule, pointer, message, element, \
         method, path, host, content_type, config_version, body, truncated, body_hash, metadata) \
     ON CONFLICT (refusal_id) DO NOTHING";

/// Events, column by column.
#[derive(Default)]
pub(in crate::sinks) struct EventColumns<'a> {
    event_id: Vec<Uuid>,
    source: Vec<&'a str>,
    kind: Vec<&'a str>,
    dedup_key: Vec<Option<&'a str>>,
    action: Vec<&'a str>,
    event_type: Vec<&'a str>,
    name: Vec<&'a str>,
    event_source: Vec<&'a str>,
    time: Vec<DateTime<Utc>>,
    received_at: Vec<DateTime<Utc>>,
    user_id: Vec<Option<&'a str>>,
    anonymous_id: Vec<Option<&'a str>>,
    username: Vec<Option<&'a str>>,
    page: Vec<Option<&'a str>>,
    host: Vec<&'a str>,
    agent: Vec<&'a str>,
    ip: Vec<&'a str>,
    event: Vec<&'a str>,
    context: Vec<&'a str>,
    event_hash: Vec<Option<&'a [u8]>>,
    sanitised: Vec<bool>,
}

impl<'a> EventColumns<'a> {
    /// Fails for a value that no sink can hold.
    pub(in crate::sinks) fn of(events: &[&'a Event]) -> Result<Self, SinkError> {
        let mut columns = Self::default();
        for event in events {
            columns.event_id.push(event.event_id());
            columns.source.push(&event.source);
            columns.kind.push(&event.kind);
            columns.dedup_key.push(event.dedup_key.as_deref());
            columns.action.push(&event.action);
            columns.event_type.push(&event.event_type);
            columns.name.push(&event.name);
            columns.event_source.push(&event.event_source);
            columns.time.push(row::time(event.time)?);
            columns.received_at.push(row::time(event.received_at)?);
            columns.user_id.push(event.user_id.as_deref());
            columns.anonymous_id.push(event.anonymous_id.as_deref());
            columns.username.push(event.username.as_deref());
            columns.page.push(event.page.as_deref());
            columns.host.push(&event.host);
            columns.agent.push(&event.agent);
            columns.ip.push(&event.ip);
            columns.event.push(row::json(&event.event)?);
            columns.context.push(row::json(&event.context)?);
            columns.event_hash.push(row::hash(event));
            columns.sanitised.push(event.sanitised);
        }
        Ok(columns)
    }

    /// Inserts those whose id and key are free, and counts them.
    pub(super) async fn insert(self, connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
        Ok(self.statement().execute(connection).await?.rows_affected())
    }

    /// The statement with its columns, as they go over the wire.
    pub(in crate::sinks) fn statement(self) -> Query<'static, Postgres, PgArguments> {
        sqlx::query(INSERT_EVENTS)
            .persistent(false)
            .bind(self.event_id)
            .bind(self.source)
            .bind(self.kind)
            .bind(self.dedup_key)
            .bind(self.action)
            .bind(self.event_type)
            .bind(self.name)
            .bind(self.event_source)
            .bind(self.time)
            .bind(self.received_at)
            .bind(self.user_id)
            .bind(self.anonymous_id)
            .bind(self.username)
            .bind(self.page)
            .bind(self.host)
            .bind(self.agent)
            .bind(self.ip)
            .bind(self.event)
            .bind(self.context)
            .bind(self.event_hash)
            .bind(self.sanitised)
    }
}

/// Refusals, column by column.
#[derive(Default)]
pub(super) struct RefusalColumns<'a> {
    refusal_id: Vec<Uuid>,
    source: Vec<&'a str>,
    received_at: Vec<DateTime<Utc>>,
    rule: Vec<&'a str>,
    pointer: Vec<&'a str>,
    message: Vec<&'a str>,
    element: Vec<Option<i64>>,
    method: Vec<&'a str>,
    path: Vec<&'a str>,
    host: Vec<&'a str>,
    content_type: Vec<&'a str>,
    config_version: Vec<&'a str>,
    body: Vec<&'a [u8]>,
    truncated: Vec<bool>,
    body_hash: Vec<&'a [u8]>,
    metadata: Vec<&'a str>,
}

impl<'a> RefusalColumns<'a> {
    /// Fails for a value that no sink can hold.
    pub(super) fn of(refusals: &[&'a Refusal]) -> Result<Self, SinkError> {
        let mut columns = Self::default();
        for refusal in refusals {
            columns.refusal_id.push(refusal.refusal_id());
            columns.source.push(&refusal.source);
            columns.received_at.push(row::time(refusal.received_at)?);
            columns.rule.push(&refusal.rule);
            columns.pointer.push(&refusal.pointer);
            columns.message.push(&refusal.message);
            columns.element.push(refusal.element.map(i64::from));
            columns.method.push(&refusal.method);
            columns.path.push(&refusal.path);
            columns.host.push(&refusal.host);
            columns.content_type.push(&refusal.content_type);
            columns.config_version.push(&refusal.config_version);
            columns.body.push(&refusal.body);
            columns.truncated.push(refusal.truncated);
            columns.body_hash.push(&refusal.body_hash);
            columns.metadata.push(row::metadata(refusal)?);
        }
        Ok(columns)
    }

    /// Inserts those whose id is free, and counts them.
    pub(super) async fn insert(self, connection: &mut PgConnection) -> Result<u64, sqlx::Error> {
        let statement = sqlx::query(INSERT_REFUSALS)
            .persistent(false)
            .bind(self.refusal_id)
            .bind(self.source)
            .bind(self.received_at)
            .bind(self.rule)
            .bind(self.pointer)
            .bind(self.message)
            .bind(self.element)
            .bind(self.method)
            .bind(self.path)
            .bind(self.host)
            .bind(self.content_type)
            .bind(self.config_version)
            .bind(self.body)
            .bind(self.truncated)
            .bind(self.body_hash)
            .bind(self.metadata);
        Ok(statement.execute(connection).await?.rows_affected())
    }
}
