//! JSON taken apart without altering it.

use serde_json::{Map, Value as Json};

use super::model;
use crate::event::json::{
    elements::elements,
    object::Object,
    parts,
    pointer::pointer_at,
    scan::{ScanError, storable},
    value::Value,
};

const DEPTH: usize = 8;

/// An object has the members that a JSON library finds, the last of equal keys counting; what is called storable has
/// nothing in it that a database cannot hold; and cleaning changes nothing but what it must.
pub(super) fn json(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let is_json = serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    let split = elements(text, usize::MAX);
    assert_eq!(split.all.is_ok(), is_json && text.trim_ascii_start().starts_with('['));
    for (count, element) in split.all.iter().flatten().flatten().enumerate() {
        assert!(serde_json::from_str::<serde::de::IgnoredAny>(element.text()).is_ok());
        assert!(count > 0 || split.first == Some(element.text()));
    }
    let Ok(object) = Object::parse(text) else {
        assert!(!is_json || !text.trim_ascii_start().starts_with('{'));
        return;
    };
    assert!(is_json);
    assert_eq!(storable(text, DEPTH).ok().as_deref(), model::clean(text, DEPTH).ok().as_deref());
    match storable(text, DEPTH) {
        Err(ScanError::Depth { offset } | ScanError::NumberRange { offset }) => {
            let pointer = pointer_at(text, offset);
            assert!(pointer.starts_with('/') && pointer.len() <= 515 && !pointer.contains('\0'));
        }
        Ok(clean) => {
            assert_eq!(storable(&clean, DEPTH).as_deref(), Ok(&*clean));
            members(&clean);
        }
    }
    let whole = Value::new(text.trim_matches([' ', '\t', '\n', '\r']));
    assert!(parts::members(whole).count() >= object.iter().count());
    // What was parsed once is taken apart without being parsed again.
    let parts = |object: &Object<'_>| -> Vec<_> {
        object.iter().map(|member| (member.key.text().to_owned(), member.value.text().to_owned())).collect()
    };
    assert_eq!(Object::of(whole).as_ref().map(parts), Some(parts(&object)));
}

/// Whether a text has what no database can hold; surrogates no text of Rust has.
fn has_nul(value: &Json) -> bool {
    match value {
        Json::String(text) => text.contains('\0'),
        Json::Array(elements) => elements.iter().any(has_nul),
        Json::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || has_nul(value)),
        _ => false,
    }
}

/// Compares the members with those of a JSON library; it cannot read numbers beyond its range.
fn members(clean: &str) {
    let Ok(map) = serde_json::from_str::<Map<String, Json>>(clean) else { return };
    assert!(!map.iter().any(|(name, value)| name.contains('\0') || has_nul(value)));
    let object = Object::parse(clean).unwrap();
    assert_eq!(object.iter().count(), map.len());
    let whole = Value::new(clean.trim_matches([' ', '\t', '\n', '\r']));
    for (name, value) in &map {
        let found = object.get(name).unwrap();
        assert_eq!(&serde_json::from_str::<Json>(found.text()).unwrap(), value);
        assert_eq!(parts::member(whole, name), Some(found));
        if let Some(text) = value.as_str() {
            assert_eq!(found.string().as_deref(), Some(text));
        }
    }
}
