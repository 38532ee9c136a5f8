//! The records of the spool: an event or a refusal, as protobuf messages whose tags are forever.
//!
//! A tag is never given a second meaning: a field that is no longer needed leaves its number unused. A reader skips
//! tags that it does not know, so that an older binary can drain a newer spool. JSON travels as bytes and is not parsed again.

use bytes::Bytes;
use prost::Message;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::clock::UnixMicros;

/// One canonical event: a row of the table `events`.
#[derive(Clone, PartialEq, Message)]
pub struct Event {
    /// Upper half of the event id (UUIDv7 made at receipt).
    #[prost(fixed64, tag = "1")]
    pub event_id_high: u64,
    /// Lower half of the event id.
    #[prost(fixed64, tag = "2")]
    pub event_id_low: u64,
    /// Name of the configured source.
    #[prost(string, tag = "3")]
    pub source: String,
    /// `segment` or `bof`.
    #[prost(string, tag = "4")]
    pub kind: String,
    /// The sender's own id of the event; the second of two with the same key is not stored.
    #[prost(string, optional, tag = "5")]
    pub dedup_key: Option<String>,
    /// What happened, lower-cased.
    #[prost(string, tag = "6")]
    pub action: String,
    /// The event's type.
    #[prost(string, tag = "7")]
    pub event_type: String,
    /// The event's name.
    #[prost(string, tag = "8")]
    pub name: String,
    /// The channel, in the sender's spelling.
    #[prost(string, tag = "9")]
    pub event_source: String,
    /// When it happened, by the sender's clock.
    #[prost(int64, tag = "10")]
    pub time: UnixMicros,
    /// When it arrived, by ours.
    #[prost(int64, tag = "11")]
    pub received_at: UnixMicros,
    /// The user, as text.
    #[prost(string, optional, tag = "12")]
    pub user_id: Option<String>,
    /// The sender's id of a user who is not signed in.
    #[prost(string, optional, tag = "13")]
    pub anonymous_id: Option<String>,
    /// The user's name in the users directory.
    #[prost(string, optional, tag = "14")]
    pub username: Option<String>,
    /// The page or screen.
    #[prost(string, optional, tag = "15")]
    pub page: Option<String>,
    /// The host the event speaks of, else the one the request was sent to.
    #[prost(string, tag = "16")]
    pub host: String,
    /// The user agent that the event carries.
    #[prost(string, tag = "17")]
    pub agent: String,
    /// The IP address that the event carries.
    #[prost(string, tag = "18")]
    pub ip: String,
    /// JSON, as sent.
    #[prost(bytes = "bytes", tag = "19")]
    pub event: Bytes,
    /// JSON.
    #[prost(bytes = "bytes", tag = "20")]
    pub context: Bytes,
    /// First 16 bytes of SHA-256 of the element as sent; empty where the source does not compare duplicates.
    #[prost(bytes = "bytes", tag = "21")]
    pub event_hash: Bytes,
    /// Whether text that no database can hold was replaced by U+FFFD.
    #[prost(bool, tag = "22")]
    pub sanitised: bool,
}

impl Event {
    /// The id under which the event is stored.
    pub fn event_id(&self) -> Uuid {
        Uuid::from_u64_pair(self.event_id_high, self.event_id_low)
    }

    /// Sets the id under which the event is stored.
    pub fn set_event_id(&mut self, id: Uuid) {
        (self.event_id_high, self.event_id_low) = id.as_u64_pair();
    }
}

/// Something we did not accept, kept with its reason: a row of the table `refusals`.
#[derive(Clone, PartialEq, Message)]
pub struct Refusal {
    /// Upper half of the refusal id; a replay stores the event under this id.
    #[prost(fixed64, tag = "1")]
    pub refusal_id_high: u64,
    /// Lower half of the refusal id.
    #[prost(fixed64, tag = "2")]
    pub refusal_id_low: u64,
    /// Name of the configured source.
    #[prost(string, tag = "3")]
    pub source: String,
    /// When it arrived.
    #[prost(int64, tag = "4")]
    pub received_at: UnixMicros,
    /// The stable identifier of the rule that refused it, such as `user.missing`.
    #[prost(string, tag = "5")]
    pub rule: String,
    /// Where in the element, as a JSON pointer.
    #[prost(string, tag = "6")]
    pub pointer: String,
    /// The same in words.
    #[prost(string, tag = "7")]
    pub message: String,
    /// Which element of a batch.
    #[prost(uint32, optional, tag = "8")]
    pub element: Option<u32>,
    /// HTTP method of the delivery.
    #[prost(string, tag = "9")]
    pub method: String,
    /// Path of the delivery, without its query.
    #[prost(string, tag = "10")]
    pub path: String,
    /// Content-Type of the delivery; followed by `; content-encoding=…` where `body` is still encoded.
    #[prost(string, tag = "11")]
    pub content_type: String,
    /// Version of the settings that refused it.
    #[prost(string, tag = "12")]
    pub config_version: String,
    /// The element, or the whole body as it was on the wire when it could not be split.
    #[prost(bytes = "bytes", tag = "13")]
    pub body: Bytes,
    /// Whether `body` lacks bytes that were sent.
    #[prost(bool, tag = "14")]
    pub truncated: bool,
    /// SHA-256 of the whole body, also of what was truncated.
    #[prost(bytes = "bytes", tag = "15")]
    pub body_hash: Bytes,
    /// Host of the request without its port, so that a replay yields the same event.
    #[prost(string, tag = "16")]
    pub host: String,
    /// JSON object of the delivery's `X-Mm-*` headers, so that a replay yields the same event; empty where it had none.
    #[prost(bytes = "bytes", tag = "17")]
    pub metadata: Bytes,
}

impl Refusal {
    /// The id under which the refusal is stored.
    pub fn refusal_id(&self) -> Uuid {
        Uuid::from_u64_pair(self.refusal_id_high, self.refusal_id_low)
    }

    /// Sets the id under which the refusal is stored.
    pub fn set_refusal_id(&mut self, id: Uuid) {
        (self.refusal_id_high, self.refusal_id_low) = id.as_u64_pair();
    }

    /// Keeps an event whose dedup key is taken by an event of other content, under the event's own id (idempotent).
    /// The body is the canonical record as protobuf, so that nothing of it is lost.
    pub fn conflict(event: &Event) -> Self {
        let body = Bytes::from(event.encode_to_vec());
        let mut refusal = Self {
            source: event.source.clone(),
            received_at: event.received_at,
            rule: DEDUP_CONFLICT.into(),
            message: "another event with this key and other content is already stored".into(),
            content_type: CONFLICT_CONTENT_TYPE.into(),
            body_hash: Bytes::copy_from_slice(&Sha256::digest(&body)),
            body,
            ..Self::default()
        };
        refusal.set_refusal_id(event.event_id());
        refusal
    }
}

/// Rule of a refusal that a sink makes: same key, other content.
pub const DEDUP_CONFLICT: &str = "dedup.conflict";

/// Content type of the body of a `dedup.conflict`: an [`Event`] record.
pub const CONFLICT_CONTENT_TYPE: &str = "application/x-protobuf; message=tidegate.Event";

/// First 16 bytes of SHA-256, the form in which contents are compared.
pub fn content_hash(bytes: &[u8]) -> Bytes {
    let digest = Sha256::digest(bytes);
    Bytes::copy_from_slice(digest.get(..16).unwrap_or_default())
}
