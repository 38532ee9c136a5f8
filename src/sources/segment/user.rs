//! Integer user ids: a JSON integer, or a string that holds one.

use std::borrow::Cow;

use crate::event::json::value::{Value, ValueKind};

/// The decimal digits of an integer user id, without sign, zeros or blanks it does not need; `None` if it is none.
/// Of any length: what does not fit 64 bits is an integer all the same, only no user of the directory.
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
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
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
