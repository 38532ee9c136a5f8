//! Senders: how a delivery proves who sent it, and how each kind of source turns its bytes into canonical events.
//!
//! Pure: bytes, settings and a time in, events and refusals out. No socket, no file, no database.

pub mod bof;
mod dedup;
pub mod delivery;
pub mod key;
pub mod rule;
pub mod segment;
pub mod witness;

use std::{fmt, sync::Arc};

use ipnet::IpNet;

use self::{key::KeyRing, rule::Rule};
use crate::secret::Secret;

/// A configured sender.
#[derive(Clone, Debug)]
pub struct Source {
    /// Its name: part of its path, a column, a metric label.
    pub name: SourceName,
    /// Switched off: answers 503, so that senders keep what they have.
    pub enabled: bool,
    /// Paths besides `/v1/<kind>/<name>`.
    pub paths: Vec<String>,
    /// What opens it.
    pub keys: KeyRing,
    /// Second factor: the secret of `X-Signature`.
    pub signing_secret: Option<Secret>,
    /// Peers it may be reached from; empty for all.
    pub allowed_networks: Vec<IpNet>,
    /// Who is shed first.
    pub priority: Priority,
    /// What one delivery may cost.
    pub limits: Limits,
    /// What its bytes mean.
    pub kind: Kind,
}

impl Source {
    /// The path that it has of itself; no other path begins with `/v1/`.
    pub fn own_path(&self) -> String {
        format!("/v1/{}/{}", self.kind.name(), self.name)
    }
}

/// What a source's bytes mean.
#[derive(Clone, Debug)]
pub enum Kind {
    /// Segment's webhooks.
    Segment(Arc<segment::Settings>),
    /// MediaMath's bid opportunities.
    Bof(Arc<bof::Settings>),
}

impl Kind {
    /// The word in paths, settings and the column `kind`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Segment(_) => segment::KIND,
            Self::Bof(_) => bof::KIND,
        }
    }

    /// The rules of this kind of source, in the order in which they are checked.
    pub fn rules(&self) -> &'static [Rule] {
        match self {
            Self::Segment(_) => segment::RULES,
            Self::Bof(_) => bof::RULES,
        }
    }
}

/// Who is shed first when the spool nears its limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Priority {
    /// Served until the spool is full.
    #[default]
    Normal,
    /// Answered 503 as soon as the spool is four fifths full.
    Low,
}

/// What one delivery may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes on the wire.
    pub body_bytes: usize,
    /// Bytes after decompression.
    pub decoded_bytes: usize,
    /// Bytes after decompression for one byte before.
    pub expansion_ratio: u64,
    /// Bytes of one block of an lzop file.
    pub lzop_block_bytes: u32,
    /// Bytes of one record of a delivery that is taken record by record.
    pub record_bytes: usize,
    /// Events in one delivery.
    pub batch_events: usize,
    /// Nesting of one event.
    pub depth: usize,
    /// Events a second, over time; `None` for no limit.
    pub events_per_second: Option<u32>,
}

/// For deliveries that are taken whole.
impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 2 << 20,
            decoded_bytes: 16 << 20,
            expansion_ratio: 1000,
            lzop_block_bytes: 64 << 20,
            record_bytes: 1 << 20,
            batch_events: 4000,
            depth: 64,
            events_per_second: None,
        }
    }
}

impl Limits {
    /// For deliveries that are taken record by record as they come: however many there are.
    pub fn streamed() -> Self {
        Self { body_bytes: 64 << 20, decoded_bytes: 512 << 20, batch_events: usize::MAX, ..Self::default() }
    }
}

/// The name of a source: 1 to 64 of `a-z`, `0-9`, `_` and `-`, safe in a path, a label and a file name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceName(String);

impl SourceName {
    /// Checks a name.
    pub fn new(name: &str) -> Option<Self> {
        let fits = (1..=64).contains(&name.len())
            && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-'));
        fits.then(|| Self(name.to_owned()))
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
