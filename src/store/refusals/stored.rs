//! A row of `refusals`, and what became of it.

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::RawValue;
use sqlx::Error;
use uuid::Uuid;

use crate::{
    clock::UnixMicros,
    event::record::Refusal,
    store::{
        json,
        row::{Columns, FromRow},
        statement::Form::{self, Plain, Text, Time},
    },
};

/// What became of a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RefusalState {
    /// Nothing yet.
    New,
    /// Its event is stored after all, or on its way.
    Replayed,
    /// Somebody decided that it is not wanted.
    Discarded,
}

impl RefusalState {
    /// As it is stored and shown.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Replayed => "replayed",
            Self::Discarded => "discarded",
        }
    }

    /// The column `state`; the table's own check lets no other in.
    pub(super) fn of(row: &impl Columns) -> Result<Self, Error> {
        Self::parse(&row.text("state")?).ok_or_else(|| Error::Decode("no state of a refusal".into()))
    }

    /// The state with this name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::New, Self::Replayed, Self::Discarded].into_iter().find(|state| state.as_str() == name)
    }
}

/// A row of `refusals` without its body, or what will become one.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "docs/schema.md explains the columns")]
pub struct StoredRefusal {
    #[serde(serialize_with = "json::id")]
    pub refusal_id: Uuid,
    pub source: String,
    #[serde(serialize_with = "json::time")]
    pub received_at: UnixMicros,
    pub rule: String,
    pub pointer: String,
    pub message: String,
    pub element: Option<u32>,
    pub method: String,
    pub path: String,
    pub host: String,
    pub content_type: String,
    pub config_version: String,
    pub metadata: Box<RawValue>,
    pub truncated: bool,
    #[serde(serialize_with = "json::hex")]
    pub body_hash: Bytes,
    pub body_bytes: u64,
    pub state: RefusalState,
}

pub(super) const COLUMNS: &[(&str, Form)] = &[
    ("refusal_id", Text),
    ("source", Plain),
    ("received_at", Time),
    ("rule", Plain),
    ("pointer", Plain),
    ("message", Plain),
    ("element", Plain),
    ("method", Plain),
    ("path", Plain),
    ("host", Plain),
    ("content_type", Plain),
    ("config_version", Plain),
    ("metadata", Text),
    ("truncated", Plain),
    ("body_hash", Plain),
    ("state", Plain),
];

pub(super) const BODY_BYTES: &str = ", CAST(octet_length(body) AS bigint) AS body_bytes";

impl FromRow for StoredRefusal {
    fn from_row(row: &impl Columns) -> Result<Self, Error> {
        Ok(Self {
            refusal_id: row.id("refusal_id")?,
            source: row.text("source")?,
            received_at: row.time("received_at")?,
            rule: row.text("rule")?,
            pointer: row.text("pointer")?,
            message: row.text("message")?,
            element: row.maybe_number("element")?.and_then(|element| u32::try_from(element).ok()),
            method: row.text("method")?,
            path: row.text("path")?,
            host: row.text("host")?,
            content_type: row.text("content_type")?,
            config_version: row.text("config_version")?,
            metadata: row.json("metadata")?,
            truncated: row.flag("truncated")?,
            body_hash: row.bytes("body_hash")?,
            body_bytes: row.number("body_bytes")?,
            state: RefusalState::of(row)?,
        })
    }
}

impl FromRow for (StoredRefusal, Bytes) {
    fn from_row(row: &impl Columns) -> Result<Self, Error> {
        Ok((StoredRefusal::from_row(row)?, row.bytes("body")?))
    }
}

/// What is in the spool, as it will be read back.
impl From<&Refusal> for StoredRefusal {
    fn from(refusal: &Refusal) -> Self {
        let metadata = String::from_utf8_lossy(&refusal.metadata);
        Self {
            refusal_id: refusal.refusal_id(),
            source: refusal.source.clone(),
            received_at: refusal.received_at,
            rule: refusal.rule.clone(),
            pointer: refusal.pointer.clone(),
            message: refusal.message.clone(),
            element: refusal.element,
            method: refusal.method.clone(),
            path: refusal.path.clone(),
            host: refusal.host.clone(),
            content_type: refusal.content_type.clone(),
            config_version: refusal.config_version.clone(),
            metadata: json::verbatim(if metadata.is_empty() { "{}" } else { &metadata }),
            truncated: refusal.truncated,
            body_hash: refusal.body_hash.clone(),
            body_bytes: refusal.body.len() as u64,
            state: RefusalState::New,
        }
    }
}
