//! One pass over valid JSON for what its syntax allows and storage does not.
//!
//! Depth beyond the limit and numbers beyond the range are refused: nine kilobytes of `1e131071` come back from a
//! database as 131 MB. `\u0000` and lone surrogates are legal JSON that no database column can hold; each is overwritten
//! in place by `\ufffd`, which is as long, so every other byte stays where it was.

use std::borrow::Cow;

use super::string::quote_or_escape;

/// Longest number literal, in characters.
pub const NUMBER_CHARS_MAX: usize = 100;
/// Largest exponent of a number literal, either way.
pub const NUMBER_EXPONENT_MAX: u32 = 308;

/// Why a text is refused; `offset` is the byte where the offending value begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScanError {
    /// Nested deeper than the limit.
    Depth {
        /// Start of the value that is too deep.
        offset: usize,
    },
    /// A literal over [`NUMBER_CHARS_MAX`] or an exponent beyond ±[`NUMBER_EXPONENT_MAX`].
    NumberRange {
        /// Start of the number.
        offset: usize,
    },
}

/// Checks valid JSON and makes it storable. Borrowed means: nothing had to be replaced.
///
/// # Errors
/// The first thing in the text that is too deep or out of range.
pub fn storable(text: &str, depth_max: usize) -> Result<Cow<'_, str>, ScanError> {
    let mut scan = Scan { bytes: text.as_bytes(), at: 0, replace: Vec::new() };
    scan.run(depth_max)?;
    if scan.replace.is_empty() {
        return Ok(Cow::Borrowed(text));
    }
    let replace = scan.replace;
    let mut clean = text.as_bytes().to_vec();
    for digits in replace {
        if let Some(hex) = clean.get_mut(digits..digits + 4) {
            hex.copy_from_slice(b"fffd");
        }
    }
    Ok(Cow::Owned(String::from_utf8(clean).expect("four ASCII digits were replaced by four others")))
}

struct Scan<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Where the hex digits of escapes stand that must not be stored.
    replace: Vec<usize>,
}

impl Scan<'_> {
    fn run(&mut self, depth_max: usize) -> Result<(), ScanError> {
        let mut depth = 0usize;
        while let Some(&byte) = self.bytes.get(self.at) {
            match byte {
                b'"' => {
                    self.string();
                    continue;
                }
                b'-' | b'0'..=b'9' => {
                    self.number()?;
                    continue;
                }
                b'{' | b'[' => {
                    depth += 1;
                    if depth > depth_max {
                        return Err(ScanError::Depth { offset: self.at });
                    }
                }
                b'}' | b']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            self.at += 1;
        }
        Ok(())
    }

    /// Passes over a string; `at` stands on its opening quote.
    fn string(&mut self) {
        self.at += 1;
        loop {
            self.at = quote_or_escape(self.bytes, self.at);
            match self.bytes.get(self.at) {
                Some(b'\\') => self.escape(),
                Some(_) => break self.at += 1,
                None => break,
            }
        }
    }

    /// Passes over an escape, or over the two of a surrogate pair.
    fn escape(&mut self) {
        let Some(unit) = self.unicode_escape(self.at) else {
            self.at += 2;
            return;
        };
        let digits = self.at + 2;
        self.at += 6;
        match unit {
            0xd800..=0xdbff if matches!(self.unicode_escape(self.at), Some(0xdc00..=0xdfff)) => self.at += 6,
            0 | 0xd800..=0xdfff => self.replace.push(digits),
            _ => {}
        }
    }

    /// The code unit of `\uXXXX` at this place.
    fn unicode_escape(&self, at: usize) -> Option<u32> {
        let hex = self.bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u32::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
    }

    fn number(&mut self) -> Result<(), ScanError> {
        let offset = self.at;
        let rest = self.bytes.get(offset..).unwrap_or_default();
        let length = rest
            .iter()
            .take_while(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .count();
        let literal = rest.get(..length).unwrap_or_default();
        self.at += length;
        if length > NUMBER_CHARS_MAX || exponent(literal) > NUMBER_EXPONENT_MAX {
            return Err(ScanError::NumberRange { offset });
        }
        Ok(())
    }
}

/// The exponent's size, 0 without one. Saturates: a hundred digits of exponent are out of range as well.
fn exponent(literal: &[u8]) -> u32 {
    let digits =
        literal.iter().skip_while(|byte| !matches!(byte, b'e' | b'E')).filter(|byte| byte.is_ascii_digit());
    digits.fold(0, |value: u32, digit| value.saturating_mul(10).saturating_add(u32::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nested(depth: usize) -> String {
        format!("{}{}", "[".repeat(depth), "]".repeat(depth))
    }

    #[test]
    fn depth_has_an_edge() {
        assert!(storable(&nested(64), 64).is_ok());
        assert_eq!(storable(&nested(65), 64), Err(ScanError::Depth { offset: 64 }));
        assert!(storable(r#"{"a":"[[[[[[{{{{"}"#, 1).is_ok(), "brackets in strings are no nesting");
        assert!(storable("[[],[],[[]]]", 3).is_ok(), "depth is not a count");
    }

    #[test]
    fn numbers_have_edges() {
        let long = "1".repeat(100);
        for good in [&long, "1e308", "1E-308", "-0", "1.0", "1e0000000308", "123456789012345678901234567890"]
        {
            assert_eq!(storable(good, 1).as_deref(), Ok(good));
        }
        let too_long = format!("[1, {long}0]");
        assert_eq!(storable(&too_long, 1), Err(ScanError::NumberRange { offset: 4 }));
        for bad in ["1e309", "1e-309", "1E+131071", "1e99999999999999999999"] {
            assert_eq!(storable(bad, 1), Err(ScanError::NumberRange { offset: 0 }), "{bad}");
        }
        assert!(storable(r#""1e99999""#, 1).is_ok(), "digits in strings are no number");
    }

    #[test]
    fn only_what_cannot_be_stored_is_replaced() {
        for (text, want) in [
            (r#""x\u0000y""#, r#""x\ufffdy""#),
            (r#""\ud800!""#, r#""\ufffd!""#),
            (r#""\udc00\ud800""#, r#""\ufffd\ufffd""#),
            (r#""\uD800\uD83D\uDE00""#, r#""\ufffd\uD83D\uDE00""#),
            (r#"{"\u0000":1}"#, r#"{"\ufffd":1}"#),
            (r#""\\\u0000""#, r#""\\\ufffd""#),
        ] {
            assert_eq!(storable(text, 9).as_deref(), Ok(want));
        }
        for untouched in [r#""\\u0000""#, r#""\\\\ud800""#, r#""\u00e9\ud83d\ude00\"""#, r#""\/\b""#] {
            assert!(matches!(storable(untouched, 9), Ok(Cow::Borrowed(_))), "{untouched}");
        }
    }

    proptest! {
        /// Against a slow model: unescape code unit by code unit, replace, compare as text.
        #[test]
        fn a_string_of_any_code_units_becomes_the_lossy_one(units in proptest::collection::vec(prop_oneof![
            Just(0u16), 0xd7ff..0xe001u16, 0x20..0x7fu16, any::<u16>()], 0..12)) {
            let escapes: Vec<String> = units.iter().map(|unit| format!("\\u{unit:04x}")).collect();
            let text = format!("\"{}\"", escapes.concat());
            let want = String::from_utf16_lossy(&units).replace('\0', "\u{fffd}");
            let clean = storable(&text, 1).unwrap();
            prop_assert_eq!(serde_json::from_str::<String>(&clean).unwrap(), want);
        }

        #[test]
        fn no_text_panics(text in "[\\[\\]{}\"\\\\u0-9a-f.eE,: -]{0,60}") {
            let _ = storable(&text, 3);
        }
    }
}
