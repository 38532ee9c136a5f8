//! A record of the spool on its way to the sink: decoded, or known to be undecodable.

use bytes::Bytes;
use prost::Message;

use crate::{
    clock::UnixMicros,
    event::record::{Event, Refusal},
    spool::{Kind, Record},
};

/// What a record says.
#[derive(Debug)]
pub(super) enum Content {
    /// An event.
    Event(Event),
    /// A refusal.
    Refusal(Refusal),
    /// This binary cannot read it; the reason in words that repeat no data.
    Unreadable(String),
    /// It lies, durably, among the dead letters: the sink only counts it.
    Dead,
}

/// A record with its place in the spool.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its place in the spool.
    pub sequence: u64,
    /// Its kind as the spool gave it, known or not.
    pub kind: u8,
    /// The record as it was appended; a dead letter keeps these bytes.
    pub payload: Bytes,
    /// The same, decoded.
    pub content: Content,
    /// In how many failed writes it took part.
    pub failures: u32,
}

impl Entry {
    /// Decodes a record. Never fails: what cannot be read is an entry, too, and must be settled like any other.
    pub(super) fn decode(record: Record) -> Self {
        let Record { sequence, kind, payload } = record;
        let content = if kind == Kind::Event as u8 {
            Event::decode(payload.clone()).map(Content::Event)
        } else if kind == Kind::Refusal as u8 {
            Refusal::decode(payload.clone()).map(Content::Refusal)
        } else {
            Ok(Content::Unreadable(format!("records of kind {kind} are unknown to this version")))
        };
        // The decoder names the message and field that it stumbled over, never their values.
        let content = content.unwrap_or_else(|error| Content::Unreadable(error.to_string()));
        Self { sequence, kind, payload, content, failures: 0 }
    }

    /// Whether the sink is still to store it.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.content, Content::Event(_) | Content::Refusal(_))
    }

    /// When it arrived, as far as it can be read.
    pub(super) fn received_at(&self) -> Option<UnixMicros> {
        match &self.content {
            Content::Event(event) => Some(event.received_at),
            Content::Refusal(refusal) => Some(refusal.received_at),
            Content::Unreadable(_) | Content::Dead => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(kind: u8, payload: Vec<u8>) -> Entry {
        Entry::decode(Record { sequence: 7, kind, payload: payload.into() })
    }

    #[test]
    fn events_and_refusals_are_decoded() {
        let event = Event { source: "web".into(), received_at: 5, ..Event::default() };
        let entry = decode(1, event.encode_to_vec());
        assert!(matches!(&entry.content, Content::Event(found) if *found == event));
        assert_eq!(entry.received_at(), Some(5));

        let refusal = Refusal { rule: "user.missing".into(), received_at: 6, ..Refusal::default() };
        let entry = decode(2, refusal.encode_to_vec());
        assert!(matches!(&entry.content, Content::Refusal(found) if *found == refusal));
        assert!(entry.is_live());
    }

    #[test]
    fn an_unknown_kind_or_broken_bytes_are_kept_with_their_reason() {
        let unknown = decode(9, b"anything".to_vec());
        assert!(matches!(&unknown.content, Content::Unreadable(why) if why.contains("kind 9")));
        assert_eq!(unknown.payload.as_ref(), b"anything");

        let broken = decode(1, b"\x1a\xffsecret".to_vec());
        assert!(matches!(&broken.content, Content::Unreadable(why) if !why.contains("secret")));
        assert!(!broken.is_live());
    }
}
