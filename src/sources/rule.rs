//! The rules by which an event is refused or ignored: stable identifiers that people filter, alert and replay by.

use crate::event::json::{pointer::pointer_at, scan::ScanError};

/// One rule. Identifiers and messages are part of the product; a message never holds a value of the event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The identifier, such as `user.missing`.
    pub id: &'static str,
    /// The same in words, as the sender is told.
    pub message: &'static str,
}

macro_rules! rules {
    ($($name:ident, $id:literal, $message:literal;)*) => {
        $(#[doc = concat!("`", $id, "`: ", $message)] pub const $name: Rule = Rule { id: $id, message: $message };)*

        /// Every rule, for documentation and metrics.
        pub const ALL: &[Rule] = &[$($name,)*];
    };
}

rules! {
    ENCODING_UNSUPPORTED, "encoding.unsupported", "Unsupported Content-Encoding: use one of gzip, deflate, zstd";
    ENCODING_CORRUPT, "encoding.corrupt", "The body cannot be decompressed";
    BODY_EMPTY, "body.empty", "The body is empty";
    BODY_UTF8, "body.utf8", "The body is not valid UTF-8";
    BODY_MALFORMED, "body.malformed", "The body is not valid JSON";
    BODY_NOT_OBJECT, "body.not_object", "An event must be a JSON object";
    DELIVERY_MALFORMED, "delivery.malformed", "What follows here is no sequence of JSON records";
    RECORD_TOO_LARGE, "record.too_large", "The record is larger than limits.record allows";
    RECORD_UTF8, "record.utf8", "The record is not valid UTF-8";
    RECORD_MALFORMED, "record.malformed", "The record is not valid JSON";
    RECORD_NOT_OBJECT, "record.not_object", "A record must be a JSON object";
    BID_REQUEST, "bid_request.unreadable", "The bid request must be a JSON object, a string of one, or base64 of one";
    AUCTION_ID_MISSING, "auction_id.missing", "Required auction id not found";
    AUCTION_ID_INVALID, "auction_id.invalid", "The auction id must be a string or an integer of at most 64 bits";
    CHANNEL_TYPE_MISSING, "channel_type.missing", "Required channel type not found";
    DEPTH, "depth.exceeded", "The event is nested deeper than limits.depth allows";
    NUMBER_RANGE, "number.range", "A number has over 100 characters or an exponent beyond 308";
    PROPERTIES, "properties.invalid", "properties must be an object";
    CHANNEL, "channel.invalid", "The channel must be a string";
    CHANNEL_IGNORED, "channel.ignored", "Channel ignored";
    ACTION, "action.invalid", "The action must be a string";
    ACTION_IGNORED, "action.ignored", "Action ignored";
    CONTEXT, "context.invalid", "context must be an object";
    PROPERTIES_CONTEXT, "properties_context.invalid", "properties.context must be an object";
    USER_MISSING, "user.missing", "Required user_id missing from context";
    USER_NOT_INTEGER, "user.not_integer", "Unable to parse userId as an integer";
    USER_INVALID, "user.invalid", "The user id must be a string or a number";
    USER_UNKNOWN, "user.unknown", "Specified user does not exist";
    TIMESTAMP_MISSING, "timestamp.missing", "Required timestamp field not found";
    TIMESTAMP_INVALID, "timestamp.invalid", "timestamp is not an RFC 3339 timestamp";
    RECEIVED_AT_MISSING, "received_at.missing", "Required receivedAt field not found";
    RECEIVED_AT_INVALID, "received_at.invalid", "receivedAt is not an RFC 3339 timestamp";
    EVENT_TYPE_MISSING, "event_type.missing", "The event_type field must be specified in the properties dictionary";
    EVENT_TYPE_INVALID, "event_type.invalid", "The event_type must be a non-empty string";
}

macro_rules! wishes {
    ($($name:ident, $id:literal, $message:literal;)*) => {
        $(#[doc = concat!("`", $id, "`: ", $message)] pub const $name: Rule = Rule { id: $id, message: $message };)*

        /// What a consumer may wish to leave out. Nothing is refused by these.
        pub const WISHES: &[Rule] = &[$($name,)*];
    };
}

wishes! {
    FILTER_CHANNEL_TYPE, "filter.channel_type", "The consumer does not want this channel type";
    FILTER_EXCHANGE, "filter.exchange", "The consumer does not want this exchange";
    FILTER_GEO, "filter.geo", "The consumer does not want this place";
    FILTER_ZERO_UID, "filter.zero_uid", "The consumer does not want records without a MediaMath user";
    FILTER_DEAL, "filter.deal", "The consumer wants none of these deals";
    SAMPLING, "sampling", "The consumer's sample leaves this record out";
}

/// A rule that an element broke, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Breach {
    /// Which rule.
    pub rule: Rule,
    /// Where in the element, as a JSON pointer.
    pub pointer: String,
}

impl Rule {
    /// This rule, broken at a place.
    pub fn at(self, pointer: impl Into<String>) -> Breach {
        Breach { rule: self, pointer: pointer.into() }
    }
}

/// The breach of a text that is JSON and cannot be stored.
pub(super) fn unstorable(text: &str, error: ScanError) -> Breach {
    match error {
        ScanError::Depth { offset } => DEPTH.at(pointer_at(text, offset)),
        ScanError::NumberRange { offset } => NUMBER_RANGE.at(pointer_at(text, offset)),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn identifiers_are_unique_and_plain() {
        let ids: BTreeSet<_> = ALL.iter().chain(WISHES).map(|rule| rule.id).collect();
        assert_eq!(ids.len(), ALL.len() + WISHES.len());
        assert!(
            ids.iter()
                .all(|id| id.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'.')))
        );
    }
}
