//! The contract of both kinds of source, read in the plainest way and slowly: every value is parsed again wherever it is
//! looked at, into maps and texts of its own.
//!
//! It shares no code with what it judges but the types of settings and events. Where both are wrong in the same way
//! it shows nothing: the cases of the contract are for that.

mod course;
mod event;
mod opportunity;
mod request;

use std::collections::BTreeMap;

use chrono::{Datelike, NaiveDateTime};
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

pub(super) use event::{Columns, Verdict, event};
pub(super) use opportunity::{Columns as Foretold, Opportunity, opportunity};
pub(super) use request::without_host;

use crate::clock::UnixMicros;

/// The members of an object, of equal keys the last one, each value as text.
pub(super) type Members = BTreeMap<String, String>;

pub(super) fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// The members of an object; none of anything else.
pub(super) fn members(text: &str) -> Option<Members> {
    let members: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).ok()?;
    Some(members.into_iter().map(|(name, value)| (name, value.get().to_owned())).collect())
}

/// The elements of an array; none of anything else.
fn elements(text: &str) -> Option<Vec<String>> {
    let elements: Vec<Box<RawValue>> = serde_json::from_str(text).ok()?;
    Some(elements.iter().map(|value| value.get().to_owned()).collect())
}

/// The text of a string.
fn string(value: &str) -> Option<String> {
    serde_json::from_str(value).ok()
}

/// The text of a string, the JSON of anything else.
fn column(value: &str) -> String {
    string(value).unwrap_or_else(|| value.to_owned())
}

/// Bytes in hexadecimal digits.
pub(super) fn hex(bytes: &[u8]) -> String {
    let digit = |half: u8| char::from_digit(half.into(), 16).unwrap();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

/// What counts as absent.
fn is_blank(value: &str) -> bool {
    matches!(value, "null" | "\"\"")
}

/// An RFC 3339 time, read by the shape of its parts.
pub(super) fn time(text: &str) -> Option<UnixMicros> {
    let shaped = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(byte, wanted)| match wanted {
                b'0' => byte.is_ascii_digit(),
                b'+' => byte == b'+' || byte == b'-',
                wanted => byte == wanted,
            })
    };
    let text = text.to_ascii_uppercase();
    let (date, rest) = text.split_once('T')?;
    let (clock, zone) = rest.split_at(rest.find(['Z', '+', '-'])?);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, "0"));
    let zoned = zone == "Z" || shaped(zone, "+00:00") && zone[1..3] < *"24" && zone[4..6] < *"60";
    let fractional = !fraction.is_empty() && fraction.bytes().all(|digit| digit.is_ascii_digit());
    if !shaped(date, "0000-00-00") || !shaped(clock, "00:00:00") || !zoned || !fractional {
        return None;
    }
    if clock[..2] > *"23" || clock[3..5] > *"59" || clock[6..] > *"59" {
        return None;
    }
    let local = NaiveDateTime::parse_from_str(&format!("{date} {clock}"), "%Y-%m-%d %H:%M:%S").ok()?;
    let minutes = match zone {
        "Z" => 0,
        zone => zone[1..3].parse::<i64>().unwrap() * 60 + zone[4..6].parse::<i64>().unwrap(),
    };
    let east = if zone.starts_with('-') { -minutes } else { minutes };
    let at = local - chrono::Duration::minutes(east);
    let micros: i64 = format!("{fraction:0<6}")[..6].parse().unwrap();
    (1..=9999).contains(&at.year()).then(|| at.and_utc().timestamp() * 1_000_000 + micros)
}

/// Valid JSON as it may be stored; the rule that it breaks where it may not.
pub(super) fn clean(text: &str, depth_max: usize) -> Result<String, &'static str> {
    let (mut out, mut depth, mut rest) = (String::new(), 0, text);
    while let Some(first) = rest.chars().next() {
        let token = match first {
            '"' => &rest[..string_end(rest)],
            '-' | '0'..='9' => {
                let end = rest.find(|c: char| !"0123456789+-.eE".contains(c));
                &rest[..end.unwrap_or(rest.len())]
            }
            _ => &rest[..first.len_utf8()],
        };
        match first {
            '"' => out.push_str(&clean_string(token)),
            '-' | '0'..='9' => {
                let (_, exponent) = token.split_once(['e', 'E']).unwrap_or((token, "0"));
                let exponent = exponent.trim_start_matches(['+', '-']).parse::<u64>();
                if token.len() > 100 || exponent.is_err() || exponent.is_ok_and(|size| size > 308) {
                    return Err("number.range");
                }
                out.push_str(token);
            }
            _ => {
                depth += usize::from("{[".contains(first));
                depth -= usize::from("}]".contains(first));
                if depth > depth_max {
                    return Err("depth.exceeded");
                }
                out.push_str(token);
            }
        }
        rest = &rest[token.len()..];
    }
    Ok(out)
}

fn string_end(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

fn clean_string(token: &str) -> String {
    let unit = |text: &str| {
        let hex = text.strip_prefix("\\u").and_then(|hex| hex.get(..4));
        hex.and_then(|hex| u32::from_str_radix(hex, 16).ok())
    };
    let (mut out, mut rest) = (String::new(), token);
    while let Some(first) = rest.chars().next() {
        let length = match (first, unit(rest)) {
            ('\\', Some(0xd800..=0xdbff)) if matches!(unit(&rest[6..]), Some(0xdc00..=0xdfff)) => 12,
            ('\\', Some(0 | 0xd800..=0xdfff)) => {
                out.push_str("\\ufffd");
                rest = &rest[6..];
                continue;
            }
            ('\\', Some(_)) => 6,
            ('\\', None) => 1 + rest[1..].chars().next().map_or(0, char::len_utf8),
            (other, _) => other.len_utf8(),
        };
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out
}
