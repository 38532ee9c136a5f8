//! Single values of the server's JSON as a person reads them, and lists of them.

use std::{
    fmt::{self, Write as _},
    time::Duration,
};

use indicatif::{BinaryBytes, HumanCount, HumanDuration};
use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::{Value, value::RawValue};
use unicode_width::UnicodeWidthStr as _;

use super::{Show, printable, shortened};

/// The longest text in a table.
const CELL_CHARS_MAX: usize = 48;

/// What is not there.
const NOTHING: &str = "-";

/// A value, as a column shows it.
pub(super) fn shown(value: Option<&Value>, show: Show) -> String {
    let Some(value) = value.filter(|value| !value.is_null()) else { return NOTHING.into() };
    let plain = text(value);
    let shown = match show {
        Show::Text => shortened(&plain, CELL_CHARS_MAX),
        Show::Whole => printable(&plain).into_owned(),
        Show::Time => time(&plain),
        Show::Count => value.as_u64().map_or_else(|| printable(&plain).into_owned(), count),
        Show::Bytes => value.as_u64().map_or(plain, bytes),
        Show::Duration => value.as_f64().map_or(plain, duration),
    };
    if shown.is_empty() { NOTHING.into() } else { shown }
}

/// A value as text: a string without its quotes, anything else as JSON.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            items.iter().map(text).collect::<Vec<_>>().join(" ")
        }
        other => other.to_string(),
    }
}

/// A member as text that is fit for a terminal; a dash where there is none.
pub(in crate::cli) fn member(item: &Value, pointer: &str) -> String {
    shown(item.pointer(pointer), Show::Whole)
}

/// A moment, to the millisecond.
pub(in crate::cli) fn time(moment: &str) -> String {
    let cut = moment.strip_suffix('Z').and_then(|rest| rest.split_once('.'));
    match cut {
        Some((whole, fraction)) if fraction.len() == 6 && fraction.is_ascii() => {
            printable(&format!("{whole}.{}Z", fraction.get(..3).unwrap_or_default())).into_owned()
        }
        _ => printable(moment).into_owned(),
    }
}

/// `12,345`
pub(in crate::cli) fn count(number: u64) -> String {
    HumanCount(number).to_string()
}

/// `12.06 KiB`
pub(in crate::cli) fn bytes(number: u64) -> String {
    BinaryBytes(number).to_string()
}

/// `3 hours`; below a minute in seconds, with their fraction.
pub(in crate::cli) fn duration(seconds: f64) -> String {
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if seconds >= 60.0 => HumanDuration(duration).to_string(),
        Ok(_) => format!("{seconds:.1} s"),
        Err(_) => NOTHING.into(),
    }
}

/// The members of a JSON object by name, in their order and with every digit: numbers of senders may be longer than
/// any type. Nothing where the text is no object.
pub(in crate::cli) fn members(json: &str) -> Vec<(String, &RawValue)> {
    serde_json::from_str::<Members<'_>>(json).map_or_else(|_| Vec::new(), |members| members.0)
}

/// Names and values of a JSON object, one a line, but without some. What is nested is shown as JSON.
pub(in crate::cli) fn detail(json: &str, but: &[&str]) -> String {
    let members: Vec<_> =
        members(json).into_iter().filter(|(name, _)| !but.contains(&name.as_str())).collect();
    let width = members.iter().map(|(name, _)| name.width()).max().unwrap_or(0);
    let mut lines = String::new();
    for (name, value) in members {
        let shown = match value.get().as_bytes().first() {
            Some(b'"') => shown(serde_json::from_str(value.get()).ok().as_ref(), Show::Whole),
            _ if value.get() == "null" => NOTHING.into(),
            _ => printable(value.get()).into_owned(),
        };
        let _ = writeln!(lines, "{:width$}  {shown}", printable(&name));
    }
    lines
}

struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visiting;
        impl<'de> Visitor<'de> for Visiting {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(Visiting).map(Members)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_keep_their_order_and_their_digits() {
        let json = r#"{"z": "a\u001bb", "n": 123456789012345678901234567890, "none": null, "in": {"b":1.0,"a":[]}, "x": 1}"#;
        let lines = [
            "z     a\\u{1b}b",
            "n     123456789012345678901234567890",
            "none  -",
            "in    {\"b\":1.0,\"a\":[]}",
            "",
        ];
        assert_eq!(detail(json, &["x"]), lines.join("\n"));
        assert_eq!(detail("[1]", &[]), "");
    }

    #[test]
    fn values_are_shown_for_people() {
        let cases = [
            (json!("2026-01-31T12:00:00.123456Z"), Show::Time, "2026-01-31T12:00:00.123Z"),
            (json!("yesterday\n"), Show::Time, "yesterday\\n"),
            (json!(1_234_567), Show::Count, "1,234,567"),
            (json!(12_345), Show::Bytes, "12.06 KiB"),
            (json!(0.5), Show::Duration, "0.5 s"),
            (json!(7200), Show::Duration, "2 hours"),
            (json!(""), Show::Text, "-"),
            (json!(null), Show::Count, "-"),
            (json!(["a", "b"]), Show::Text, "a b"),
        ];
        for (value, show, expected) in cases {
            assert_eq!(shown(Some(&value), show), expected, "{value}");
        }
        assert_eq!(shown(None, Show::Text), "-");
    }
}
