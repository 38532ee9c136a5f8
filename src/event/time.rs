//! Timestamps: RFC 3339 in, one canonical form out (`2021-03-04T05:06:07.089000Z`).
//!
//! Read by hand, because no library agrees with the rules: a fraction of any length is truncated to microseconds, `T`
//! and `Z` may be small, offsets reach ±23:59, and `:60`, a blank for `T`, hour 24 and years outside 1–9999 (in UTC)
//! are refused. Time crates accept some of these, shift others, and refuse nanoseconds.

use chrono::{DateTime, Datelike, NaiveDate, Timelike, Utc};

use crate::clock::UnixMicros;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// 0001-01-01T00:00:00Z.
pub const EARLIEST: UnixMicros = -62_135_596_800 * MICROS_PER_SECOND;
/// The last microsecond of the year 9999.
pub const LATEST: UnixMicros = 253_402_300_800 * MICROS_PER_SECOND - 1;

/// Reads an RFC 3339 timestamp, `None` if it is none.
pub fn parse_rfc3339(text: &str) -> Option<UnixMicros> {
    let mut rest = text.as_bytes();
    let year = digits(&mut rest, 4)?;
    literal(&mut rest, b"-")?;
    let month = digits(&mut rest, 2)?;
    literal(&mut rest, b"-")?;
    let day = digits(&mut rest, 2)?;
    literal(&mut rest, b"Tt")?;
    let hour = digits(&mut rest, 2)?;
    literal(&mut rest, b":")?;
    let minute = digits(&mut rest, 2)?;
    literal(&mut rest, b":")?;
    let second = digits(&mut rest, 2)?;
    let micros = match rest.strip_prefix(b".") {
        Some(after) => {
            rest = after;
            fraction_micros(&mut rest)?
        }
        None => 0,
    };
    let offset_seconds = offset(&mut rest)?;
    if !rest.is_empty() {
        return None;
    }
    let local = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?
        .and_hms_opt(hour, minute, second)?
        .and_utc()
        .timestamp();
    let at = (local - offset_seconds) * MICROS_PER_SECOND + micros;
    (EARLIEST..=LATEST).contains(&at).then_some(at)
}

/// Writes the canonical form: UTC, six digits, `Z`. A time that no calendar reaches is written as the epoch.
///
/// Written by hand as well: two of them stand in every row, and chrono reads its pattern anew for each.
pub fn format_rfc3339(at: UnixMicros) -> String {
    let time = DateTime::<Utc>::from_timestamp_micros(at).unwrap_or_default();
    let Ok(year @ 0..=9999) = u32::try_from(time.year()) else {
        return time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    };
    let mut text = "0000-00-00T00:00:00.000000Z".to_owned().into_bytes();
    let (date, clock) = ([year, time.month(), time.day()], [time.hour(), time.minute(), time.second()]);
    let numbers = date.into_iter().chain(clock).chain([time.timestamp_subsec_micros()]);
    for (mut number, place) in numbers.zip([0..4, 5..7, 8..10, 11..13, 14..16, 17..19, 20..26]) {
        for digit in text.get_mut(place).into_iter().flatten().rev() {
            *digit += u8::try_from(number % 10).unwrap_or_default();
            number /= 10;
        }
    }
    String::from_utf8(text).expect("nothing but digits was added to zeros")
}

fn literal(rest: &mut &[u8], any_of: &[u8]) -> Option<u8> {
    let (first, after) = rest.split_first()?;
    *rest = after;
    any_of.contains(first).then_some(*first)
}

fn digits(rest: &mut &[u8], count: usize) -> Option<u32> {
    let (number, after) = rest.split_at_checked(count)?;
    *rest = after;
    number
        .iter()
        .try_fold(0, |value, digit| digit.is_ascii_digit().then(|| value * 10 + u32::from(digit - b'0')))
}

/// At least one digit; what is finer than a microsecond is cut off, not rounded.
fn fraction_micros(rest: &mut &[u8]) -> Option<i64> {
    let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (fraction, after) = rest.split_at_checked(length)?;
    *rest = after;
    (length > 0).then(|| {
        let padded = fraction.iter().copied().chain(std::iter::repeat(b'0'));
        padded.take(6).fold(0, |value, digit| value * 10 + i64::from(digit - b'0'))
    })
}

fn offset(rest: &mut &[u8]) -> Option<i64> {
    let sign = match literal(rest, b"Zz+-")? {
        b'+' => 1,
        b'-' => -1,
        _ => return Some(0),
    };
    let hours = digits(rest, 2)?;
    literal(rest, b":")?;
    let minutes = digits(rest, 2)?;
    (hours < 24 && minutes < 60).then(|| sign * i64::from(hours * 3600 + minutes * 60))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(text: &str) -> Option<String> {
        parse_rfc3339(text).map(format_rfc3339)
    }

    #[test]
    fn every_accepted_form_has_one_canonical_form() {
        for (text, want) in [
            ("2021-03-04T05:06:07Z", "2021-03-04T05:06:07.000000Z"),
            ("2021-03-04t05:06:07.1z", "2021-03-04T05:06:07.100000Z"),
            ("2021-03-04T05:06:07.123456789123Z", "2021-03-04T05:06:07.123456Z"),
            ("2021-03-04T05:06:07.9999999Z", "2021-03-04T05:06:07.999999Z"),
            ("2021-03-04T05:06:07+00:00", "2021-03-04T05:06:07.000000Z"),
            ("2021-03-04T05:06:07-23:59", "2021-03-05T05:05:07.000000Z"),
            ("2020-02-29T00:00:00+05:30", "2020-02-28T18:30:00.000000Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000000Z"),
            ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
            ("0000-12-31T23:00:00-01:00", "0001-01-01T00:00:00.000000Z"),
        ] {
            assert_eq!(canonical(text).as_deref(), Some(want), "{text}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "2021",
            "2021-03-04",
            "2021-03-04T05:06:07",
            "2021-03-04 05:06:07Z",
            "2021-03-04T05:06:07.Z",
            "2021-03-04T05:06:60Z",
            "2021-03-04T24:00:00Z",
            "2021-13-04T05:06:07Z",
            "2021-02-29T05:06:07Z",
            "2021-03-04T05:06:07+24:00",
            "2021-03-04T05:06:07+05:60",
            "2021-03-04T05:06:07+0530",
            "2021-03-04T05:06:07Zx",
            " 2021-03-04T05:06:07Z",
            "0000-12-31T23:59:59Z",
            "9999-12-31T23:59:59-00:01",
            "10000-01-01T00:00:00Z",
            "+2021-03-04T05:06:07Z",
            "2021-03-04T05:06:07.1 Z",
            "２021-03-04T05:06:07Z",
            "now",
            "infinity",
        ] {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(at in EARLIEST..=LATEST) {
            prop_assert_eq!(parse_rfc3339(&format_rfc3339(at)), Some(at));
        }

        #[test]
        fn it_is_written_as_chrono_writes_it(at in any::<UnixMicros>(), near in -100_000_000_000_i64..100_000_000_000_i64) {
            for at in [at, near * 1_000_000 + at % 1_000_000] {
                let time = DateTime::<Utc>::from_timestamp_micros(at).unwrap_or_default();
                prop_assert_eq!(format_rfc3339(at), time.format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string());
            }
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            let _ = parse_rfc3339(&text);
        }
    }
}
