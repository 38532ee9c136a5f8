//! A JSON object taken apart into members that still are the sender's bytes.
//!
//! A member is two ranges of the text, 16 bytes: an object of a million tiny members must not cost a multiple of its own
//! size. Keys are compared unescaped, so that `"us\u0065rId"` is `userId`. Of equal keys the last one wins.

use std::{
    borrow::Cow,
    fmt,
    hash::{BuildHasher, RandomState},
};

use serde::{
    Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{
    parts,
    value::{Value, ValueKind},
};

/// As many members as most objects have.
const MEMBERS: usize = 16;

/// The members of one object, in the sender's order.
#[derive(Debug)]
pub struct Object<'a> {
    text: &'a str,
    members: Vec<Span>,
    /// Whether a key has an escape, so that its name is not what stands in the text.
    has_escapes: bool,
}

#[derive(Clone, Copy, Debug)]
struct Span {
    key: (u32, u32),
    value: (u32, u32),
}

/// One member: its key as sent (quotes and escapes included), and its value.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The key as it stands in the text.
    pub key: Value<'a>,
    /// The value.
    pub value: Value<'a>,
}

/// Why a text is no JSON object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ObjectError {
    /// No JSON at all.
    #[error("not valid JSON (line {line}, column {column})")]
    Malformed {
        /// Line of the first wrong byte, from 1.
        line: usize,
        /// Its column, from 1.
        column: usize,
    },
    /// JSON of another type.
    #[error("not an object")]
    OtherType,
}

impl From<serde_json::Error> for ObjectError {
    fn from(error: serde_json::Error) -> Self {
        Self::Malformed { line: error.line(), column: error.column() }
    }
}

impl<'a> Object<'a> {
    /// Takes an object apart; nested values are checked for syntax and otherwise left alone.
    ///
    /// # Errors
    /// When the text is not exactly one JSON object.
    pub fn parse(text: &'a str) -> Result<Self, ObjectError> {
        if !text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{') {
            return match serde_json::from_str::<serde::de::IgnoredAny>(text) {
                Ok(_) => Err(ObjectError::OtherType),
                Err(error) => Err(error.into()),
            };
        }
        Ok(Self::new(text, spans(text)?))
    }

    /// Takes an object apart that was parsed as a part of something larger: nothing is checked a second time. `None` for
    /// a value of another type.
    pub fn of(value: Value<'a>) -> Option<Self> {
        if value.kind() != ValueKind::Object {
            return None;
        }
        let (text, mut members) = (value.text(), Vec::with_capacity(MEMBERS));
        members.extend(parts::members(value).map_while(|member| {
            Some(Span { key: span(text, member.key.text())?, value: span(text, member.value.text())? })
        }));
        Some(Self::new(text, members))
    }

    /// An object without members.
    pub fn empty() -> Self {
        Self { text: "", members: Vec::new(), has_escapes: false }
    }

    fn new(text: &'a str, members: Vec<Span>) -> Self {
        let has_escapes = members.iter().any(|span| span.key_bytes(text).contains(&b'\\'));
        Self { text, members, has_escapes }
    }

    /// The last member of this name.
    pub fn get(&self, name: &str) -> Option<Value<'a>> {
        let is_named = |span: &&Span| match self.has_escapes {
            true => span.of(self.text).is_named(name),
            false => span.key_bytes(self.text) == name.as_bytes(),
        };
        self.members.iter().rev().find(is_named).map(|span| span.of(self.text).value)
    }

    /// Whether there is no member.
    pub fn is_empty(&self) -> bool {
        self.members.is_empty()
    }

    /// The members that count: of equal keys the last one.
    pub fn iter(&self) -> impl Iterator<Item = Member<'a>> {
        let shadowed = self.shadowed();
        (0u32..)
            .zip(self.iter_all())
            .filter(move |(index, _)| shadowed.binary_search(index).is_err())
            .map(|(_, member)| member)
    }

    fn iter_all(&self) -> impl DoubleEndedIterator<Item = Member<'a>> {
        let text = self.text;
        self.members.iter().map(move |span| span.of(text))
    }

    /// Indices of the members that a later one of the same key overrides, ascending.
    fn shadowed(&self) -> Vec<u32> {
        if self.members.len() > MEMBERS || self.has_escapes {
            self.shadowed_of_many()
        } else {
            self.shadowed_of_few()
        }
    }

    /// To compare few keys with each other is cheaper than to hash them.
    fn shadowed_of_few(&self) -> Vec<u32> {
        let mut shadowed = Vec::new();
        let mut rest = self.members.as_slice();
        let mut index = 0;
        while let [span, later @ ..] = rest {
            let key = span.key_bytes(self.text);
            if later.iter().any(|later| later.key_bytes(self.text) == key) {
                shadowed.push(index);
            }
            (rest, index) = (later, index + 1);
        }
        shadowed
    }

    /// Each key is unescaped once and hashed, whatever a sender does to make that expensive.
    fn shadowed_of_many(&self) -> Vec<u32> {
        let hasher = RandomState::new();
        let hash = |member: Member<'_>| hasher.hash_one(member.name().as_ref());
        let mut order: Vec<(u64, u32)> = self.iter_all().map(hash).zip(0u32..).collect();
        order.sort_unstable();
        let key = |index: u32| self.members.get(index as usize).map(|span| span.of(self.text).name());
        let mut shadowed: Vec<u32> = order
            .windows(2)
            .filter_map(|pair| match *pair {
                [(hash, earlier), (next, later)] if hash == next && key(earlier) == key(later) => {
                    Some(earlier)
                }
                _ => None,
            })
            .collect();
        shadowed.sort_unstable();
        shadowed
    }
}

impl Span {
    /// The key as it stands in the text, without its quotes.
    fn key_bytes(self, text: &str) -> &[u8] {
        let (start, end) = self.key;
        text.as_bytes().get(start as usize + 1..(end as usize).saturating_sub(1)).unwrap_or_default()
    }

    fn of(self, text: &str) -> Member<'_> {
        let slice =
            |(start, end): (u32, u32)| Value::new(text.get(start as usize..end as usize).unwrap_or_default());
        Member { key: slice(self.key), value: slice(self.value) }
    }
}

impl<'a> Member<'a> {
    /// The key, unescaped.
    pub fn name(&self) -> Cow<'a, str> {
        self.key.as_column()
    }

    /// Whether the key, unescaped, is `name`.
    pub fn is_named(&self, name: &str) -> bool {
        let quoted = self.key.text().as_bytes();
        let inner = quoted.get(1..quoted.len().saturating_sub(1)).unwrap_or_default();
        // An escape makes a key longer, six times at most.
        let may_be_escaped =
            inner.len() > name.len() && inner.len() <= 6 * name.len() && inner.contains(&b'\\');
        inner == name.as_bytes() || may_be_escaped && self.name() == name
    }
}

fn spans(text: &str) -> Result<Vec<Span>, serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    let members = deserializer.deserialize_map(SpansVisitor { text })?;
    deserializer.end()?;
    Ok(members)
}

/// Where a borrowed part stands in the text. A text that does not fit is stopped by the body limits long before.
fn span(text: &str, part: &str) -> Option<(u32, u32)> {
    let start = part.as_ptr().addr().checked_sub(text.as_ptr().addr())?;
    let end = start.checked_add(part.len())?;
    Some((u32::try_from(start).ok()?, u32::try_from(end).ok()?))
}

struct SpansVisitor<'t> {
    text: &'t str,
}

impl<'de> Visitor<'de> for SpansVisitor<'_> {
    type Value = Vec<Span>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut members = Vec::with_capacity(MEMBERS);
        // Keys are taken raw as well: as strings, a lone surrogate in one would be a syntax error.
        while let Some(key) = access.next_key::<&RawValue>()? {
            let value = access.next_value::<&RawValue>()?;
            let (Some(key), Some(value)) = (span(self.text, key.get()), span(self.text, value.get())) else {
                return Err(serde::de::Error::custom("an object over 4 GiB"));
            };
            members.push(Span { key, value });
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(text: &str) -> Vec<String> {
        Object::parse(text).unwrap().iter().map(|member| member.key.text().to_owned()).collect()
    }

    #[test]
    fn the_last_of_equal_keys_wins_however_it_is_spelt() {
        let object = Object::parse(r#" {"a":1,"\u0061": 2 ,"b":null,"a" : {"x":[1.0]}} "#).unwrap();
        assert_eq!(object.get("a").unwrap().text(), r#"{"x":[1.0]}"#);
        assert_eq!(object.iter().count(), 2);
        assert_eq!(keys(r#"{"a":1,"\u0061":2}"#), [r#""\u0061""#]);
    }

    #[test]
    fn what_was_parsed_is_taken_apart_alike_without_being_parsed_again() {
        let many = format!(
            "{{{}}}",
            (0..40).map(|key| format!(r#""k{}":{key}"#, key % 30)).collect::<Vec<_>>().join(",")
        );
        for text in [
            "{}",
            "{ }",
            r#"{"a":1,"a":2,"b":{"a":[3,"}"]}}"#,
            r#"{ "a" : 1 , "\u0061" : "x\"y" , "":null }"#,
            &many,
        ] {
            let (parsed, known) = (Object::parse(text).unwrap(), Object::of(Value::new(text)).unwrap());
            let members = |object: &Object<'_>| -> Vec<_> {
                object
                    .iter()
                    .map(|member| (member.key.text().to_owned(), member.value.text().to_owned()))
                    .collect()
            };
            assert_eq!(members(&parsed), members(&known), "{text}");
            for name in ["a", "b", "", "k3", "none"] {
                assert_eq!(parsed.get(name), known.get(name), "{text} {name}");
            }
        }
        for text in ["[]", "7", "null", "\"{}\""] {
            assert!(Object::of(Value::new(text)).is_none(), "{text}");
        }
    }

    #[test]
    fn values_keep_every_byte() {
        let object = Object::parse("{\"n\":12345678901234567890.10, \"s\":\"\\ud800\"}").unwrap();
        assert_eq!(object.get("n").unwrap().text(), "12345678901234567890.10");
        assert_eq!(object.get("s").unwrap().text(), "\"\\ud800\"");
    }

    #[test]
    fn a_key_may_hold_a_lone_surrogate() {
        assert_eq!(keys(r#"{"\ud800":1}"#), [r#""\ud800""#]);
    }

    #[test]
    fn what_is_no_object_says_so() {
        for text in ["[]", "7", "null", "\"x\"", "[[[[1]]]]"] {
            assert_eq!(Object::parse(text).unwrap_err(), ObjectError::OtherType, "{text}");
        }
        for text in [
            "",
            "{",
            "{} x",
            "{\"a\":NaN}",
            "\u{feff}{}",
            "{'a':1}",
            "{\"a\":1,}",
            "{\"a\":01}",
            "[1",
            "nul",
            "{\"a\":\"\n\"}",
        ] {
            assert!(matches!(Object::parse(text), Err(ObjectError::Malformed { .. })), "{text}");
        }
    }

    /// A million escaped keys took nine seconds, for each was unescaped at every comparison.
    #[test]
    fn escaped_keys_are_unescaped_once() {
        let members: Vec<String> = (0..200_000).map(|index| format!(r#""\u0061{index}":0"#)).collect();
        let text = format!("{{{}}}", members.join(","));
        let object = Object::parse(&text).unwrap();
        assert_eq!(object.iter().count(), 200_000);
        assert!(object.get("a7").is_some() && object.get("userId").is_none());
    }

    #[test]
    fn deep_nesting_costs_no_stack() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(Object::parse(&deep).unwrap().iter().count(), 1);
    }
}
