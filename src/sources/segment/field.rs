//! Where a field of an element stands: at its root or in `properties`.

use crate::event::json::{object::Object, value::Value};

/// The path of a field, as in the settings: `channel`, `properties.event_source`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldPath {
    parent: Parent,
    name: String,
    pointer: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Parent {
    Root,
    Properties,
}

impl FieldPath {
    /// A member of the element itself.
    pub fn root(name: &str) -> Self {
        Self { parent: Parent::Root, name: name.into(), pointer: format!("/{name}") }
    }

    /// A member of `properties`.
    pub fn properties(name: &str) -> Self {
        Self { parent: Parent::Properties, name: name.into(), pointer: format!("/properties/{name}") }
    }

    /// Reads the settings' form; `None` where the text has no field of ours.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = |name: &str| !name.is_empty() && !name.contains(['.', '/', '~', '"', '\\']);
        match text.split_once('.') {
            None => plain(text).then(|| Self::root(text)),
            Some(("properties", name)) => plain(name).then(|| Self::properties(name)),
            Some(_) => None,
        }
    }

    /// The field's JSON pointer.
    pub fn pointer(&self) -> &str {
        &self.pointer
    }
}

/// The parts of an element that fields are looked for in.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'o, 'a> {
    /// The element.
    pub root: &'o Object<'a>,
    /// Its `properties`; an empty object where there are none.
    pub properties: &'o Object<'a>,
}

impl<'a> Fields<'_, 'a> {
    /// The field's value, if the field is there.
    pub fn get(&self, path: &FieldPath) -> Option<Value<'a>> {
        match path.parent {
            Parent::Root => self.root.get(&path.name),
            Parent::Properties => self.properties.get(&path.name),
        }
    }

    /// The first field that is not absent, null or `""`. A value of a wrong type is a hit: it never falls back.
    pub fn first<'p>(&self, paths: &'p [FieldPath]) -> Option<(Value<'a>, &'p FieldPath)> {
        paths
            .iter()
            .find_map(|path| self.get(path).filter(|value| !value.is_blank()).map(|value| (value, path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_and_point() {
        assert_eq!(FieldPath::parse("channel").unwrap().pointer(), "/channel");
        assert_eq!(
            FieldPath::parse("properties.event_source").unwrap().pointer(),
            "/properties/event_source"
        );
        for wrong in ["", "properties.", "properties.a.b", "context.app", "a/b", "."] {
            assert_eq!(FieldPath::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn blanks_fall_back_and_wrong_types_do_not() {
        let paths = [FieldPath::root("a"), FieldPath::properties("b")];
        for (root, want) in [
            ("{}", "1"),
            (r#"{"a":null}"#, "1"),
            (r#"{"a":""}"#, "1"),
            (r#"{"a":[]}"#, "[]"),
            (r#"{"a":0}"#, "0"),
        ] {
            let (root, properties) = (Object::parse(root).unwrap(), Object::parse(r#"{"b":1}"#).unwrap());
            let fields = Fields { root: &root, properties: &properties };
            assert_eq!(fields.first(&paths).unwrap().0.text(), want);
        }
    }
}
