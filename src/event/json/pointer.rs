//! JSON pointers (RFC 6901) to a byte of a text: where a refusal points. Slow, and used only to explain.

use super::scan::storable;

/// A pointer is for people, and a column of a table: a longer one is cut short.
const POINTER_BYTES_MAX: usize = 512;

/// The pointer of the value that begins at `offset` of valid JSON; of its nearest parent where none does. Storable like
/// everything else: what no column can hold is U+FFFD in it, and a long one ends in `…`.
pub fn pointer_at(text: &str, offset: usize) -> String {
    let mut path: Vec<Step> = Vec::new();
    let mut at = 0;
    let bytes = text.as_bytes();
    while let Some(&byte) = bytes.get(at).filter(|_| at < offset) {
        match byte {
            b'{' => path.push(Step::Key(String::new())),
            b'[' => path.push(Step::Index(0)),
            b'}' | b']' => drop(path.pop()),
            b',' => {
                if let Some(Step::Index(index)) = path.last_mut() {
                    *index += 1;
                }
            }
            b'"' => {
                let end = string_end(bytes, at);
                let is_key = bytes
                    .get(end..)
                    .is_some_and(|rest| rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':'));
                if let (true, Some(Step::Key(key))) = (is_key, path.last_mut()) {
                    *key = unescaped(text.get(at..end).unwrap_or_default());
                }
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    let mut pointer: String = path.iter().map(Step::token).collect();
    if pointer.len() > POINTER_BYTES_MAX {
        pointer.truncate(pointer.floor_char_boundary(POINTER_BYTES_MAX));
        pointer.push('…');
    }
    pointer
}

fn unescaped(quoted: &str) -> String {
    storable(quoted, 0).ok().and_then(|clean| serde_json::from_str(&clean).ok()).unwrap_or_default()
}

enum Step {
    Key(String),
    Index(usize),
}

impl Step {
    fn token(&self) -> String {
        match self {
            Self::Key(key) => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Self::Index(index) => format!("/{index}"),
        }
    }
}

/// Behind the closing quote of the string that opens at `at`.
fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut end = at + 1;
    loop {
        match bytes.get(end) {
            Some(b'\\') => end += 2,
            Some(b'"') | None => return end + 1,
            Some(_) => end += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A refusal whose pointer no text column could hold was dead-lettered, and many of them paused the lane.
    #[test]
    fn a_pointer_can_be_stored_whatever_the_keys() {
        for (text, want) in [
            (r#"{"a\u0000b":1e999}"#.to_owned(), "/a\u{fffd}b".to_owned()),
            (r#"{"\ud800":1e999}"#.to_owned(), "/\u{fffd}".to_owned()),
            (format!(r#"{{"{}":1e999}}"#, "é".repeat(1000)), format!("/{}…", "é".repeat(255))),
        ] {
            assert_eq!(pointer_at(&text, text.find("1e999").unwrap()), want);
        }
    }

    #[test]
    fn a_place_has_its_name() {
        let text = r#"{"a": {"b/c~\"d": [1, "x,]", {"e": 42}]}, "f": 7}"#;
        for (value, want) in
            [("42", "/a/b~1c~0\"d/2/e"), ("7}", "/f"), ("1,", "/a/b~1c~0\"d/0"), ("{\"a\"", "")]
        {
            assert_eq!(pointer_at(text, text.find(value).unwrap()), want);
        }
    }
}
