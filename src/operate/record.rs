//! A record of the spool as operators are shown it: in the words of the table that it is on its way to.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use prost::{DecodeError, Message as _};
use serde::Serialize;
use uuid::Uuid;

use crate::{
    event::record::{Event, Refusal},
    spool::Kind,
    store::{events::StoredEvent, refusals::StoredRefusal},
};

/// What events and refusals have in common: the first two tags are their id.
#[derive(Clone, PartialEq, prost::Message)]
struct Identified {
    #[prost(fixed64, tag = "1")]
    id_high: u64,
    #[prost(fixed64, tag = "2")]
    id_low: u64,
}

/// The id of a record, without reading more of it; `None` if it cannot be read.
pub fn record_id(kind: u8, payload: Bytes) -> Option<Uuid> {
    let known = [Kind::Event as u8, Kind::Refusal as u8].contains(&kind);
    let found = Identified::decode(payload).ok().filter(|_| known)?;
    Some(Uuid::from_u64_pair(found.id_high, found.id_low))
}

/// A record that was read.
#[derive(Clone, Debug, PartialEq)]
pub enum Decoded {
    /// An event.
    Event(Event),
    /// A refusal.
    Refusal(Refusal),
}

impl Decoded {
    /// Reads a record; `None` if its kind is of a later version.
    pub fn read(kind: u8, payload: Bytes) -> Result<Option<Self>, DecodeError> {
        Ok(if kind == Kind::Event as u8 {
            Some(Self::Event(Event::decode(payload)?))
        } else if kind == Kind::Refusal as u8 {
            Some(Self::Refusal(Refusal::decode(payload)?))
        } else {
            None
        })
    }

    /// Name of the source that it came from.
    pub fn source(&self) -> &str {
        match self {
            Self::Event(event) => &event.source,
            Self::Refusal(refusal) => &refusal.source,
        }
    }

    /// The same as it will be read back.
    pub fn shown(&self) -> ShownRecord {
        match self {
            Self::Event(event) => ShownRecord::Event(Box::new(event.into())),
            Self::Refusal(refusal) => ShownRecord::Refusal(Box::new(ShownRefusal {
                refusal: refusal.into(),
                body: ShownBody::new(&refusal.body),
            })),
        }
    }
}

/// A record as it will be read back.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum ShownRecord {
    /// An event.
    Event(Box<StoredEvent>),
    /// A refusal.
    Refusal(Box<ShownRefusal>),
}

/// A refusal and what was refused.
#[derive(Clone, Debug, Serialize)]
pub struct ShownRefusal {
    /// The refusal.
    #[serde(flatten)]
    pub refusal: StoredRefusal,
    /// What was refused.
    pub body: ShownBody,
}

/// Bytes as JSON can hold them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "encoding", content = "data")]
pub enum ShownBody {
    /// They are text.
    #[serde(rename = "utf-8")]
    Text(String),
    /// They are not.
    #[serde(rename = "base64")]
    Base64(String),
}

impl ShownBody {
    /// Text where it is text.
    pub fn new(bytes: &[u8]) -> Self {
        match std::str::from_utf8(bytes) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => Self::Base64(BASE64_STANDARD.encode(bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn shown(decoded: &Decoded) -> serde_json::Value {
        serde_json::from_str(&serde_json::to_string(&decoded.shown()).unwrap()).unwrap()
    }

    #[test]
    fn events_and_refusals_have_the_names_of_their_columns() {
        let event = Event { event: "{\"a\": 1.50}".into(), context: "{}".into(), ..Event::default() };
        let text = serde_json::to_string(&Decoded::Event(event.clone()).shown()).unwrap();
        assert!(text.contains("\"event\":{\"a\": 1.50}"), "as sent, to the digit: {text}");

        let refusal = Refusal { rule: "user.missing".into(), body: "{}".into(), ..Refusal::default() };
        let refusal = shown(&Decoded::Refusal(refusal));
        assert_eq!((&refusal["rule"], &refusal["state"]), (&json!("user.missing"), &json!("new")));
        assert_eq!(refusal["body"], json!({"encoding": "utf-8", "data": "{}"}));
        let binary = Refusal { body: Bytes::from_static(b"\xff\x00"), ..Refusal::default() };
        assert_eq!(shown(&Decoded::Refusal(binary))["body"], json!({"encoding": "base64", "data": "/wA="}));
    }

    #[test]
    fn the_id_is_found_without_the_rest() {
        let id = Uuid::from_u128(0x0123_4567_89ab_cdef_0011_2233_4455_6677);
        let mut event = Event { source: "web".into(), event: "{}".into(), ..Event::default() };
        event.set_event_id(id);
        let mut refusal = Refusal { source: "web".into(), element: Some(3), ..Refusal::default() };
        refusal.set_refusal_id(id);
        assert_eq!(record_id(1, event.encode_to_vec().into()), Some(id));
        assert_eq!(record_id(2, refusal.encode_to_vec().into()), Some(id));
        assert_eq!(record_id(3, event.encode_to_vec().into()), None);
        assert_eq!(record_id(1, Bytes::from_static(b"\xff")), None);
    }

    #[test]
    fn kinds_of_later_versions_and_broken_bytes_are_told_apart() {
        assert_eq!(Decoded::read(9, Bytes::new()), Ok(None));
        assert!(Decoded::read(1, Bytes::from_static(b"\xff")).is_err());
        let event = Event { source: "web".into(), ..Event::default() };
        let read = Decoded::read(1, event.encode_to_vec().into()).unwrap().unwrap();
        assert_eq!((read.source(), &read), ("web", &Decoded::Event(event)));
    }
}
