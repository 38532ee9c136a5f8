//! The bid request of a record: a member of it, text in a member of it, or the record itself.

use std::borrow::Cow;

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use serde::de::IgnoredAny;

use super::aliases::Alias;
use crate::{
    event::json::{
        object::Object,
        scan::storable,
        value::{Value, ValueKind},
    },
    sources::rule::{self, Breach},
};

/// With padding or without.
const LENIENT: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&STANDARD, LENIENT);
const BASE64_FOR_URLS: GeneralPurpose = GeneralPurpose::new(&URL_SAFE, LENIENT);

/// Where the bid request is.
#[derive(Debug, PartialEq)]
pub(super) enum Body<'a> {
    /// It is the record: there is no body in it.
    Record,
    /// A member of the record.
    Member(Value<'a>),
    /// It was text within text.
    Decoded {
        /// JSON, checked like the record.
        text: String,
        /// Whether text that no database can hold was replaced in it.
        sanitised: bool,
    },
}

/// Finds the body of a record by its aliases.
pub(super) fn find<'a>(record: &Object<'a>, aliases: &[Alias], depth_max: usize) -> Result<Body<'a>, Breach> {
    for alias in aliases {
        let value = alias.name().and_then(|name| record.get(name)).filter(|value| !value.is_blank());
        let Some(value) = value else { continue };
        return match value.kind() {
            ValueKind::Object => Ok(Body::Member(value)),
            ValueKind::String => decoded(value, depth_max)
                .map_err(|breach| Breach { pointer: alias.pointer() + &breach.pointer, ..breach }),
            _ => Err(rule::BID_REQUEST.at(alias.pointer())),
        };
    }
    Ok(Body::Record)
}

fn decoded(value: Value<'_>, depth_max: usize) -> Result<Body<'static>, Breach> {
    let unreadable = || rule::BID_REQUEST.at("");
    let text = value.string().ok_or_else(unreadable)?;
    let text =
        if begins_object(&text) { text.into_owned() } else { from_base64(&text).ok_or_else(unreadable)? };
    let is_json = serde_json::from_str::<IgnoredAny>(&text).is_ok();
    if !is_json || !begins_object(&text) {
        return Err(unreadable());
    }
    let clean = match storable(&text, depth_max).map_err(|error| rule::unstorable(&text, error))? {
        Cow::Borrowed(_) => None,
        Cow::Owned(clean) => Some(clean),
    };
    let sanitised = clean.is_some();
    Ok(Body::Decoded { text: clean.unwrap_or(text), sanitised })
}

fn begins_object(text: &str) -> bool {
    text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{')
}

fn from_base64(text: &str) -> Option<String> {
    let bytes = BASE64.decode(text).or_else(|_| {
        // The rarer dresses: of URLs, and with line breaks.
        let text: String = text.split_ascii_whitespace().collect();
        if text.contains(['-', '_']) { BASE64_FOR_URLS.decode(text) } else { BASE64.decode(text) }
    });
    String::from_utf8(bytes.ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::bof::aliases::Aliases;

    fn found(record: &str) -> Result<String, (&'static str, String)> {
        let object = Object::parse(record).unwrap();
        match find(&object, &Aliases::default().body, 3) {
            Ok(Body::Record) => Ok("record".into()),
            Ok(Body::Member(value)) => Ok(value.text().into()),
            Ok(Body::Decoded { text, sanitised }) => {
                Ok(format!("{text}{}", if sanitised { "!" } else { "" }))
            }
            Err(breach) => Err((breach.rule.id, breach.pointer)),
        }
    }

    #[test]
    fn a_body_has_several_forms() {
        for (record, want) in [
            (r#"{"Body":{"id" : 1}}"#, r#"{"id" : 1}"#),
            (r#"{"Request":{},"body":{"id":2}}"#, r#"{"id":2}"#),
            (r#"{"Body":null,"body":"","BidRequest":{"id":3}}"#, r#"{"id":3}"#),
            (r#"{"Body":" {\"id\":\"\\u00e9\"}\n"}"#, " {\"id\":\"\\u00e9\"}\n"),
            (r#"{"Body":"eyJpZCI6MX0="}"#, r#"{"id":1}"#),
            (r#"{"Body":"eyJpZCI6MX0"}"#, r#"{"id":1}"#),
            (r#"{"Body":"eyJp\nZCI6 MX0=\n"}"#, r#"{"id":1}"#),
            (r#"{"Body":"eyJpIjoifn5-Pz8_In0"}"#, r#"{"i":"~~~???"}"#),
            (r#"{"Body":"eyJpIjoifn5+Pz8/In0="}"#, r#"{"i":"~~~???"}"#),
            (r#"{"Body":"{\"a\":\"\\u0000\"}"}"#, r#"{"a":"\ufffd"}!"#),
            (r#"{"imp":[]}"#, "record"),
            (r#"{"x":1}"#, "record"),
        ] {
            assert_eq!(found(record).as_deref(), Ok(want), "{record}");
        }
    }

    #[test]
    fn what_is_no_body_says_where() {
        for (record, rule, pointer) in [
            (r#"{"Body":7}"#, "bid_request.unreadable", "/Body"),
            (r#"{"body":[{}]}"#, "bid_request.unreadable", "/body"),
            (r#"{"Body":true,"body":{}}"#, "bid_request.unreadable", "/Body"),
            (r#"{"Body":" "}"#, "bid_request.unreadable", "/Body"),
            (r#"{"Body":"{\"a\":}"}"#, "bid_request.unreadable", "/Body"),
            (r#"{"Body":"[1]"}"#, "bid_request.unreadable", "/Body"),
            (r#"{"Body":"!!!!"}"#, "bid_request.unreadable", "/Body"),
            (r#"{"Body":"WzFd"}"#, "bid_request.unreadable", "/Body"),
            (r#"{"Body":"/v8="}"#, "bid_request.unreadable", "/Body"),
            (r#"{"Body":"{\"a\":[[[]]]}"}"#, "depth.exceeded", "/Body/a/0/0"),
            (r#"{"Body":"{\"a\":[1,1e999]}"}"#, "number.range", "/Body/a/1"),
        ] {
            assert_eq!(found(record), Err((rule, pointer.to_owned())), "{record}");
        }
    }
}
