//! JSON to compare: numbers as they are spelled, so that 7 is not 7.0 and no digit of thirty is lost.

use std::{collections::BTreeMap, fmt};

use serde_json::value::RawValue;

/// A value. Of equal keys the last one counts.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Json {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Self>),
    Object(BTreeMap<String, Self>),
}

impl Json {
    pub(crate) fn parse(text: &str) -> serde_json::Result<Self> {
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        Ok(match text.bytes().next() {
            Some(b'{') => {
                let members: BTreeMap<String, &RawValue> = serde_json::from_str(text)?;
                let parsed = members.into_iter().map(|(key, value)| Ok((key, Self::parse(value.get())?)));
                Self::Object(parsed.collect::<serde_json::Result<_>>()?)
            }
            Some(b'[') => {
                let items: Vec<&RawValue> = serde_json::from_str(text)?;
                let parsed = items.into_iter().map(|item| Self::parse(item.get()));
                Self::List(parsed.collect::<serde_json::Result<_>>()?)
            }
            Some(b'"') => Self::Text(serde_json::from_str(text)?),
            Some(b't' | b'f') => Self::Bool(serde_json::from_str(text)?),
            Some(b'n') => serde_json::from_str::<()>(text).map(|()| Self::Null)?,
            _ => {
                let number: &RawValue = serde_json::from_str(text)?;
                Self::Number(number.get().to_owned())
            }
        })
    }

    /// Whether `found` holds everything that is asked for here: of objects these members, anything else exactly.
    pub(crate) fn is_part_of(&self, found: &Self) -> bool {
        match (self, found) {
            (Self::Object(wanted), Self::Object(found)) => {
                wanted.iter().all(|(key, value)| found.get(key).is_some_and(|found| value.is_part_of(found)))
            }
            (Self::List(wanted), Self::List(found)) => {
                wanted.len() == found.len()
                    && wanted.iter().zip(found).all(|(wanted, found)| wanted.is_part_of(found))
            }
            _ => self == found,
        }
    }

    /// The member at a path such as `context.org_id`.
    pub(crate) fn at(&self, dotted: &str) -> Option<&Self> {
        dotted.split('.').try_fold(self, |value, key| match value {
            Self::Object(members) => members.get(key),
            _ => None,
        })
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => formatter.write_str("null"),
            Self::Bool(value) => value.fmt(formatter),
            Self::Number(literal) => formatter.write_str(literal),
            Self::Text(text) => text.fmt(formatter),
            Self::List(items) => items.fmt(formatter),
            Self::Object(members) => members.fmt(formatter),
        }
    }
}

#[test]
fn numbers_are_compared_as_they_are_spelled() {
    let is_part = |wanted, found| Json::parse(wanted).unwrap().is_part_of(&Json::parse(found).unwrap());
    assert!(is_part(r#"{"a":{"b":7}}"#, r#"{"x":1,"a":{"b":7,"c":[]}}"#));
    assert!(is_part("[1,{}]", r#"[1,{"more":true}]"#));
    for (wanted, found) in [
        ("7", "7.0"),
        ("7", "\"7\""),
        ("0", "false"),
        ("123456789012345678901234567890", "123456789012345678901234567891"),
        ("[1]", "[1,2]"),
        (r#"{"a":null}"#, "{}"),
    ] {
        assert!(!is_part(wanted, found), "{wanted} {found}");
    }
}
