//! One raw JSON value: its type, and its text without escapes. The text must be valid JSON; who makes one has parsed it.

use std::borrow::Cow;

use bytes::Bytes;

/// A JSON value as sent. Copies nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Value<'a>(&'a str);

/// The JSON type of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueKind {
    /// `null`
    Null,
    /// `true`, `false`
    Boolean,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl<'a> Value<'a> {
    /// Takes the text of one JSON value, without blanks around it.
    pub fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The bytes as sent.
    pub fn text(self) -> &'a str {
        self.0
    }

    /// The value's type, told by its first byte.
    pub fn kind(self) -> ValueKind {
        match self.0.as_bytes().first() {
            Some(b'n') | None => ValueKind::Null,
            Some(b't' | b'f') => ValueKind::Boolean,
            Some(b'"') => ValueKind::String,
            Some(b'[') => ValueKind::Array,
            Some(b'{') => ValueKind::Object,
            Some(_) => ValueKind::Number,
        }
    }

    /// The text of a string, escapes undone; `None` for any other type, and for a string with a lone surrogate.
    pub fn string(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        if inner.contains('\\') {
            serde_json::from_str(self.0).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(inner))
        }
    }

    /// What an optional field takes for absent: `null` and `""`.
    pub fn is_blank(self) -> bool {
        matches!(self.0, "null" | "\"\"")
    }

    /// The text of a string, the JSON text of everything else: how a text column keeps a value of another type.
    pub fn as_column(self) -> Cow<'a, str> {
        self.string().unwrap_or(Cow::Borrowed(self.0))
    }
}

/// A part of `whole` without copying it; of other text a copy.
pub fn share(whole: &Bytes, text: &str) -> Bytes {
    let (all, part) = (whole.as_ptr_range(), text.as_bytes().as_ptr_range());
    if all.start <= part.start && part.end <= all.end {
        whole.slice_ref(text.as_bytes())
    } else {
        Bytes::copy_from_slice(text.as_bytes())
    }
}

/// Appends `text` as a JSON string.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a string always has a JSON form, and a Vec takes every byte");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_is_unescaped_and_everything_else_is_kept() {
        for (text, want) in [
            (r#""plain""#, "plain"),
            (r#""a\n\u00e9\"b""#, "a\né\"b"),
            (r#""\ud83d\ude00""#, "😀"),
            ("7.0", "7.0"),
            (r#"{"a": [1]}"#, r#"{"a": [1]}"#),
            ("true", "true"),
        ] {
            assert_eq!(Value::new(text).as_column(), want);
        }
    }

    #[test]
    fn blank_is_null_or_the_empty_string_and_nothing_else() {
        for (text, want) in [
            ("null", true),
            (r#""""#, true),
            ("0", false),
            ("false", false),
            ("[]", false),
            (r#"" ""#, false),
        ] {
            assert_eq!(Value::new(text).is_blank(), want, "{text}");
        }
    }
}
