//! Integer user ids: a JSON integer, or a string that holds one.

use std::borrow::Cow;

use crate::event::json::{
    scan::NUMBER_CHARS_MAX,
    value::{Value, ValueKind},
};

/// The decimal digits of an integer user id, without sign, zeros or blanks it does not need; `None` if it is none.
/// What does not fit 64 bits is an integer all the same, only no user of the directory; what is longer than a number may
/// be is none, though it stood in a string.
pub(super) fn integer(value: Value<'_>) -> Option<String> {
    let text = match value.kind() {
        ValueKind::Number => Cow::Borrowed(value.text()),
        ValueKind::String => value.string()?,
        _ => return None,
    };
    let text = text.trim();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if digits.is_empty()
        || digits.len() > NUMBER_CHARS_MAX
        || !digits.bytes().all(|byte| byte.is_ascii_digit())
    {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    Some(match (negative, digits) {
        (_, "") => "0".into(),
        (true, digits) => format!("-{digits}"),
        (false, digits) => digits.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_in_every_dress() {
        for (text, want) in [
            ("7", "7"),
            ("-7", "-7"),
            ("-0", "0"),
            (r#""7""#, "7"),
            (r#"" +7 ""#, "7"),
            (r#""-007""#, "-7"),
            (r#""\u0037""#, "7"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
        ] {
            assert_eq!(integer(Value::new(text)).as_deref(), Some(want), "{text}");
        }
    }

    /// 300,000 digits in a string were committed, and refused by the database.
    #[test]
    fn a_string_gets_no_longer_number_past_than_a_number_may_be() {
        let quoted = |digits: usize| format!("\"{}\"", "9".repeat(digits));
        assert!(integer(Value::new(&quoted(100))).is_some());
        assert!(integer(Value::new(&quoted(101))).is_none());
    }

    #[test]
    fn everything_else_is_none() {
        for text in [
            "7.0",
            "7e0",
            "true",
            "null",
            "[7]",
            "{}",
            r#""""#,
            r#"" ""#,
            r#""+""#,
            r#""+-7""#,
            r#""+ 7""#,
            r#""0x7""#,
            r#""7.0""#,
            r#""1_000""#,
            r#""7 7""#,
            r#""٧""#,
            r#""sève""#,
        ] {
            assert_eq!(integer(Value::new(text)), None, "{text}");
        }
    }
}
