//! The members of an object and the elements of an array, found in one pass and without keeping anything.
//!
//! A [`Value`] is valid JSON, so its parts are told by brackets and quotes alone; nothing is checked a second time. Of a
//! text that breaks that promise the parts are meaningless, and finding them still ends.

use super::{object::Member, string::quote_or_escape, value::Value};

/// The members of an object, all of them: of equal keys a reader lets the last one win. None for any other type.
pub fn members(object: Value<'_>) -> impl Iterator<Item = Member<'_>> {
    let mut walk = Walk::new(object);
    let is_object = walk.open(b'{');
    std::iter::from_fn(move || {
        let key = walk.part().filter(|_| is_object)?;
        walk.part().map(|value| Member { key, value })
    })
}

/// The elements of an array; none for any other type.
pub fn elements(array: Value<'_>) -> impl Iterator<Item = Value<'_>> {
    let mut walk = Walk::new(array);
    let is_array = walk.open(b'[');
    std::iter::from_fn(move || walk.part().filter(|_| is_array))
}

/// The member of this name that counts, which is the last one.
pub fn member<'a>(object: Value<'a>, name: &str) -> Option<Value<'a>> {
    members(object).filter(|member| member.is_named(name)).last().map(|member| member.value)
}

/// One way through a value, inwards and onwards, that never goes over a byte twice.
#[derive(Clone, Debug)]
pub struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    /// Stands before this value.
    pub fn new(value: Value<'a>) -> Self {
        Self { text: value.text(), at: 0 }
    }

    /// Whether it stands before an object.
    pub fn is_at_object(&self) -> bool {
        self.text.as_bytes().get(self.at) == Some(&b'{')
    }

    /// Passes the value that it stands before.
    pub fn value(&mut self) -> Value<'a> {
        self.part().unwrap_or(Value::new("null"))
    }

    /// Passes an object and calls `see` before each value in it, with the name of the member. What `see` does not pass
    /// is passed over; so is a value of another type.
    pub fn members(&mut self, mut see: impl FnMut(&str, &mut Self)) {
        if !self.open(b'{') {
            self.part();
            return;
        }
        while let Some(key) = self.part() {
            self.separators();
            let before = self.at;
            see(&key.as_column(), self);
            if self.at == before {
                self.part();
            }
        }
        self.close();
    }

    /// Passes an array and calls `see` before each element.
    pub fn elements(&mut self, mut see: impl FnMut(&mut Self)) {
        if !self.open(b'[') {
            self.part();
            return;
        }
        loop {
            self.separators();
            let before = self.at;
            if matches!(self.text.as_bytes().get(before), None | Some(b']' | b'}')) {
                break;
            }
            see(self);
            if self.at == before {
                self.part();
            }
        }
        self.close();
    }

    fn open(&mut self, bracket: u8) -> bool {
        let opens = self.text.as_bytes().get(self.at) == Some(&bracket);
        self.at += usize::from(opens);
        opens
    }

    fn close(&mut self) {
        self.at = self.text.len().min(self.at + 1);
    }

    /// What may stand between two parts.
    fn separators(&mut self) {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\n' | b'\r' | b'\t' | b',' | b':') = bytes.get(self.at) {
            self.at += 1;
        }
    }

    /// The next key or value; `None` before a closing bracket.
    fn part(&mut self) -> Option<Value<'a>> {
        self.separators();
        let (bytes, start) = (self.text.as_bytes(), self.at);
        self.at = match bytes.get(start)? {
            b'"' => string_end(bytes, start),
            b'{' | b'[' => nested_end(bytes, start),
            b'}' | b']' => return None,
            _ => scalar_end(bytes, start),
        };
        self.text.get(start..self.at).map(Value::new)
    }
}

/// Behind the closing quote of the string that opens at `start`.
#[inline]
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        at = quote_or_escape(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return at + 1,
            Some(_) => at += 2,
            None => return bytes.len(),
        }
    }
}

/// Behind the bracket that closes the one at `start`.
fn nested_end(bytes: &[u8], start: usize) -> usize {
    let (mut at, mut depth) = (start, 0usize);
    while let Some(byte) = bytes.get(at) {
        at += 1;
        match byte {
            b'"' => at = string_end(bytes, at - 1),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => {
                depth -= 1;
                if depth == 0 {
                    return at;
                }
            }
            _ => {}
        }
    }
    bytes.len()
}

fn scalar_end(bytes: &[u8], start: usize) -> usize {
    let rest = bytes.get(start..).unwrap_or_default();
    let length =
        rest.iter().position(|byte| matches!(byte, b',' | b'}' | b']' | b' ' | b'\n' | b'\r' | b'\t'));
    start + length.unwrap_or(rest.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::value::RawValue;

    use super::*;

    #[test]
    fn parts_are_told_by_brackets_and_quotes() {
        let text = "{ \"a\" : [1, {\"b]\":\"}\"}] ,\n\"c\\\"\":\"x\\\\\", \"d\":-1.5e3,\"e\":{ },\"e\":null}";
        let found: Vec<_> =
            members(Value::new(text)).map(|member| (member.key.text(), member.value.text())).collect();
        assert_eq!(
            found,
            [
                ("\"a\"", "[1, {\"b]\":\"}\"}]"),
                ("\"c\\\"\"", "\"x\\\\\""),
                ("\"d\"", "-1.5e3"),
                ("\"e\"", "{ }"),
                ("\"e\"", "null")
            ]
        );
        assert_eq!(member(Value::new(text), "e").map(Value::text), Some("null"));
        assert_eq!(member(Value::new(text), "c\"").map(Value::text), Some("\"x\\\\\""));
        assert_eq!(member(Value::new(text), "f"), None);
    }

    #[test]
    fn a_walk_passes_what_it_does_not_see() {
        let text = r#"{ "a": {"b" : [1, {"c":2}] , "d": "e"}, "f":[ ], "\u0067":7 }"#;
        let (mut names, mut c, mut g) = (Vec::new(), None, None);
        let mut walk = Walk::new(Value::new(text));
        walk.members(|name, walk| {
            names.push(name.to_owned());
            match name {
                "a" => walk.members(|name, walk| {
                    names.push(name.to_owned());
                    if name == "b" {
                        walk.elements(|walk| walk.members(|_, walk| c = Some(walk.value().text())));
                    }
                }),
                "g" => g = Some(walk.value().text()),
                _ => {}
            }
        });
        assert_eq!((names.join(" "), c, g), ("a b d f g".into(), Some("2"), Some("7")));
        assert_eq!(walk.at, text.len());
    }

    #[test]
    fn other_types_have_no_parts() {
        for text in ["null", "7", "\"{}\"", "[1]", "{}", ""] {
            assert_eq!(members(Value::new(text)).count(), 0, "{text}");
        }
        assert_eq!(elements(Value::new("{\"a\":1}")).count(), 0);
        assert_eq!(elements(Value::new("[ ]")).count(), 0);
    }

    proptest! {
        #[test]
        fn elements_are_those_of_a_full_parser(values in proptest::collection::vec(
            prop_oneof!["[\\PC]{0,12}".prop_map(|text| serde_json::Value::from(text).to_string()),
                Just("[ {\"a\" : [ ]} , 1]".to_owned()), Just("{\"}\":\"\\\"\"}".to_owned()), Just("-0.5E+7".to_owned())], 0..8),
            blank in "[ \n\t\r]{0,3}") {
            let text = format!("[{}]", values.iter().map(|value| format!("{blank}{value}{blank}")).collect::<Vec<_>>().join(","));
            let parsed: Vec<&RawValue> = serde_json::from_str(&text).unwrap();
            let parsed: Vec<&str> = parsed.into_iter().map(RawValue::get).collect();
            let found: Vec<&str> = elements(Value::new(&text)).map(Value::text).collect();
            prop_assert_eq!(found, parsed);
        }

        #[test]
        fn no_text_panics_or_goes_on_for_ever(text in "[\\[{][\\[\\]{}\"\\\\a0é,: ]{0,60}") {
            prop_assert!(members(Value::new(&text)).count() <= text.len());
            prop_assert!(elements(Value::new(&text)).count() <= text.len());
            Walk::new(Value::new(&text)).members(|_, walk| walk.elements(|walk| walk.members(|_, _| {})));
        }
    }
}
