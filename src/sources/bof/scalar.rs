//! Values that may be of another type than they should: what is not understood is not there, and never an error.

use std::borrow::Cow;

use crate::{
    clock::UnixMicros,
    event::{
        json::value::{Value, ValueKind},
        time::{LATEST, parse_rfc3339},
    },
};

/// A number of this size is milliseconds, a smaller one seconds: as seconds it would lie beyond the year 5000.
const MILLISECONDS_MIN: i64 = 100_000_000_000;

/// Numbers that stand in a string are no longer than those that do not.
const DECIMAL_CHARS_MAX: usize = crate::event::json::scan::NUMBER_CHARS_MAX;
const EXPONENT_MAX: u32 = crate::event::json::scan::NUMBER_EXPONENT_MAX;

/// A scalar as text; blank ones, arrays and objects are none.
pub(super) fn text(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value.kind() {
        ValueKind::Null | ValueKind::Array | ValueKind::Object => None,
        _ => Some(value.as_column()).filter(|text| !text.is_empty()),
    }
}

/// An id: a string, or an integer of at most 64 bits, which stays the digits it was sent as.
pub(super) fn id(value: Value<'_>) -> Option<Cow<'_, str>> {
    let digits = value.text();
    match value.kind() {
        ValueKind::String => value.string().filter(|id| !id.is_empty()),
        ValueKind::Number => {
            (digits.parse::<i64>().is_ok() || digits.parse::<u64>().is_ok()).then_some(digits.into())
        }
        _ => None,
    }
}

/// A flag: `true`, `1` or `"1"`, and their opposites.
pub(super) fn flag(value: Value<'_>) -> Option<bool> {
    let text = text(value)?;
    match text.trim() {
        word if word.eq_ignore_ascii_case("true") => Some(true),
        word if word.eq_ignore_ascii_case("false") => Some(false),
        number => decimal_text(number).map(|number| number.bytes().any(|byte| matches!(byte, b'1'..=b'9'))),
    }
}

/// A whole number, `100`, `"100"` or `100.0`.
pub(super) fn integer(value: Value<'_>) -> Option<i64> {
    let number = decimal(value)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    whole.parse().ok().filter(|_| fraction.bytes().all(|digit| digit == b'0'))
}

/// A number as decimal text, digit for digit, its exponent written out.
pub(super) fn decimal(value: Value<'_>) -> Option<Cow<'_, str>> {
    match value.kind() {
        ValueKind::Number => decimal_text(value.text()),
        ValueKind::String => match value.string()? {
            Cow::Borrowed(text) => decimal_text(text.trim()),
            Cow::Owned(text) => decimal_text(text.trim()).map(Cow::into_owned).map(Cow::Owned),
        },
        _ => None,
    }
}

/// A time: RFC 3339, or seconds or milliseconds since 1970.
pub(super) fn time(value: Value<'_>) -> Option<UnixMicros> {
    let text = text(value)?;
    parse_rfc3339(&text).or_else(|| since_epoch(&decimal(value)?))
}

fn since_epoch(number: &str) -> Option<UnixMicros> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: i64 = whole.parse().ok().filter(|whole| *whole >= 0)?;
    let (micros, digits) = if whole >= MILLISECONDS_MIN { (1_000, 3) } else { (1_000_000, 6) };
    // What is finer than a microsecond is cut off, not rounded.
    let padded = fraction.bytes().chain(std::iter::repeat(b'0')).take(digits);
    let fraction = padded.fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
    whole.checked_mul(micros)?.checked_add(fraction).filter(|at| *at <= LATEST)
}

fn decimal_text(text: &str) -> Option<Cow<'_, str>> {
    if text.len() > DECIMAL_CHARS_MAX {
        return None;
    }
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        None => (text, None),
        Some((mantissa, exponent)) => (mantissa, Some(exponent.parse::<i32>().ok()?)),
    };
    let (sign, digits) = if mantissa.starts_with('-') { mantissa.split_at(1) } else { ("", mantissa) };
    let (whole, fraction) = match digits.split_once('.') {
        None => (digits, None),
        Some((whole, fraction)) => (whole, Some(fraction)),
    };
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !are_digits(whole) || !fraction.is_none_or(are_digits) {
        return None;
    }
    match exponent {
        None => Some(text.into()),
        Some(exponent) if exponent.unsigned_abs() > EXPONENT_MAX => None,
        Some(exponent) => Some(shifted(sign, whole, fraction.unwrap_or_default(), exponent).into()),
    }
}

/// The decimal point moved by so many places.
fn shifted(sign: &str, whole: &str, fraction: &str, exponent: i32) -> String {
    let places = exponent.unsigned_abs() as usize;
    let (whole, fraction) = if exponent < 0 {
        let padded = format!("{}{whole}", "0".repeat(places));
        let (whole, moved) = padded.split_at(padded.len() - places);
        (whole.to_owned(), format!("{moved}{fraction}"))
    } else {
        let padded = format!("{fraction}{}", "0".repeat(places.saturating_sub(fraction.len())));
        let (moved, fraction) = padded.split_at(places);
        (format!("{whole}{moved}"), fraction.to_owned())
    };
    let whole = whole.trim_start_matches('0');
    let whole = if whole.is_empty() { "0" } else { whole };
    if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::time::format_rfc3339;

    #[test]
    fn ids_are_exact_to_64_bits() {
        for (sent, want) in [
            ("9223372036854775807", Some("9223372036854775807")),
            ("18446744073709551615", Some("18446744073709551615")),
            ("-9223372036854775808", Some("-9223372036854775808")),
            ("18446744073709551616", None),
            (r#""18446744073709551616""#, Some("18446744073709551616")),
            ("0", Some("0")),
            (r#""a\u00e9""#, Some("aé")),
            (r#""""#, None),
            ("1.0", None),
            ("1e3", None),
            ("true", None),
            ("[1]", None),
            ("{}", None),
            ("null", None),
        ] {
            assert_eq!(id(Value::new(sent)).as_deref(), want, "{sent}");
        }
    }

    #[test]
    fn flags_come_in_every_type() {
        for (sent, want) in [
            ("1", Some(true)),
            ("0", Some(false)),
            ("-0.0", Some(false)),
            ("0e5", Some(false)),
            ("2", Some(true)),
            ("true", Some(true)),
            ("false", Some(false)),
            (r#""1""#, Some(true)),
            (r#"" 0 ""#, Some(false)),
            (r#""TRUE""#, Some(true)),
            (r#""False""#, Some(false)),
            (r#""maybe""#, None),
            ("null", None),
            ("[1]", None),
        ] {
            assert_eq!(flag(Value::new(sent)), want, "{sent}");
        }
    }

    #[test]
    fn numbers_come_in_every_type() {
        for (sent, want) in [
            ("100", Some(100)),
            (r#""100""#, Some(100)),
            ("100.0", Some(100)),
            ("1e2", Some(100)),
            ("-3", Some(-3)),
            ("1.5", None),
            ("99999999999999999999", None),
            (r#""""#, None),
            (r#""+1""#, None),
            ("true", None),
        ] {
            assert_eq!(integer(Value::new(sent)), want, "{sent}");
        }
        for (sent, want) in [
            ("0.10", Some("0.10")),
            (r#""2.50""#, Some("2.50")),
            (r#""\u0032.5""#, Some("2.5")),
            ("5E-2", Some("0.05")),
            ("-1.25e-1", Some("-0.125")),
            ("1.25e1", Some("12.5")),
            ("1.25e+3", Some("1250")),
            ("0.5e1", Some("5")),
            ("12e-1", Some("1.2")),
            (r#""1e999""#, None),
            (r#"".5""#, None),
            (r#""5.""#, None),
            (r#""inf""#, None),
            (r#""""#, None),
            ("{}", None),
        ] {
            assert_eq!(decimal(Value::new(sent)).as_deref(), want, "{sent}");
        }
    }

    #[test]
    fn times_are_told_by_their_form_and_size() {
        for (sent, want) in [
            (r#""2026-03-01T00:00:00.5+01:00""#, Some("2026-02-28T23:00:00.500000Z")),
            ("1772323200", Some("2026-03-01T00:00:00.000000Z")),
            ("1772323200123", Some("2026-03-01T00:00:00.123000Z")),
            (r#""1772323200123""#, Some("2026-03-01T00:00:00.123000Z")),
            ("1772323200.1234567", Some("2026-03-01T00:00:00.123456Z")),
            ("1772323200123.4567", Some("2026-03-01T00:00:00.123456Z")),
            ("1.7723232e9", Some("2026-03-01T00:00:00.000000Z")),
            ("99999999999", Some("5138-11-16T09:46:39.000000Z")),
            ("100000000000", Some("1973-03-03T09:46:40.000000Z")),
            ("0", Some("1970-01-01T00:00:00.000000Z")),
            ("-1", None),
            ("1772323200123456", None),
            (r#""yesterday""#, None),
            (r#""2026-03-01""#, None),
            ("true", None),
            ("{}", None),
        ] {
            assert_eq!(time(Value::new(sent)).map(format_rfc3339).as_deref(), want, "{sent}");
        }
    }

    proptest! {
        #[test]
        fn an_exponent_moves_the_point_and_nothing_else(mantissa in -999_999i64..999_999, scale in 0i32..6, exponent in -12i32..12) {
            let places = usize::try_from(scale).unwrap();
            let digits = format!("{:0width$}", mantissa.abs(), width = places + 1);
            let (whole, fraction) = digits.split_at(digits.len() - places);
            let sign = if mantissa < 0 { "-" } else { "" };
            let dot = if fraction.is_empty() { "" } else { "." };
            let sent = format!("{sign}{whole}{dot}{fraction}e{exponent}");
            let written: f64 = decimal_text(&sent).unwrap().parse().unwrap();
            prop_assert_eq!(written.to_bits(), sent.parse::<f64>().unwrap().to_bits());
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,30}|[-0-9.eE+]{0,20}") {
            let quoted = serde_json::Value::from(text).to_string();
            let value = Value::new(&quoted);
            let _ = (id(value), flag(value), integer(value), decimal(value), time(value));
        }
    }
}
