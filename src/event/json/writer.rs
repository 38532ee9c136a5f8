//! Writing an object member by member, values byte for byte.

use super::value::write_string;

/// An object under way.
#[derive(Debug)]
pub struct ObjectWriter(Vec<u8>);

impl Default for ObjectWriter {
    fn default() -> Self {
        Self(vec![b'{'])
    }
}

impl ObjectWriter {
    /// An object that is to hold about so many bytes.
    pub fn with_capacity(bytes: usize) -> Self {
        let mut object = Vec::with_capacity(bytes);
        object.push(b'{');
        Self(object)
    }

    /// A member whose key is ours; the value is JSON.
    pub fn named(&mut self, key: &str, value: &str) {
        self.key(key).extend_from_slice(value.as_bytes());
    }

    /// A member whose key stands as it was sent, quotes and all.
    pub fn raw(&mut self, key: &str, value: &str) {
        self.comma();
        self.0.extend_from_slice(key.as_bytes());
        self.0.push(b':');
        self.0.extend_from_slice(value.as_bytes());
    }

    /// A member whose value is this text.
    pub fn text(&mut self, key: &str, text: &str) {
        write_string(self.key(key), text);
    }

    /// A member whose value is an array of these texts.
    pub fn texts(&mut self, key: &str, texts: impl IntoIterator<Item = impl AsRef<str>>) {
        let out = self.key(key);
        out.push(b'[');
        for (index, text) in texts.into_iter().enumerate() {
            if index > 0 {
                out.push(b',');
            }
            write_string(out, text.as_ref());
        }
        out.push(b']');
    }

    /// A member whose value is an object of whatever `write` writes. An object of nothing is left out.
    pub fn object(&mut self, key: &str, write: impl FnOnce(&mut Self)) {
        let before = self.0.len();
        self.key(key).push(b'{');
        let start = self.0.len();
        write(self);
        if self.0.len() == start {
            self.0.truncate(before);
        } else {
            self.0.push(b'}');
        }
    }

    /// The whole object.
    pub fn finish(mut self) -> Vec<u8> {
        self.0.push(b'}');
        self.0
    }

    fn key(&mut self, key: &str) -> &mut Vec<u8> {
        debug_assert!(
            !key.contains(['"', '\\']) && !key.contains(char::is_control),
            "our keys need no escapes"
        );
        self.comma();
        self.0.push(b'"');
        self.0.extend_from_slice(key.as_bytes());
        self.0.extend_from_slice(b"\":");
        &mut self.0
    }

    /// Between two members: behind an opening bracket stands none yet, and no value ends with one.
    fn comma(&mut self) {
        if self.0.last() != Some(&b'{') {
            self.0.push(b',');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_stand_in_their_order() {
        assert_eq!(ObjectWriter::default().finish(), b"{}");
        let mut object = ObjectWriter::with_capacity(9);
        object.raw(r#""cli\u0065nt""#, "1.0");
        object.named("ab", "[ ]");
        object.object("empty", |_| {});
        object.object("full", |object| {
            object.object("inner", |object| object.named("x", "{}"));
            object.object("empty", |_| {});
            object.named("y", "2");
        });
        object.text("c", "d\"\n{");
        object.texts("e", ["f", "g\""]);
        object.texts("h", [""; 0]);
        let want = r#"{"cli\u0065nt":1.0,"ab":[ ],"full":{"inner":{"x":{}},"y":2},"c":"d\"\n{","e":["f","g\""],"h":[]}"#;
        assert_eq!(String::from_utf8(object.finish()).unwrap(), want);
    }
}
