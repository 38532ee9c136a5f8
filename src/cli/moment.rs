//! Moments on the command line: a timestamp, or how long ago.

use crate::{
    clock::{Clock, UnixMicros},
    event::time::{format_rfc3339, parse_rfc3339},
};

/// What help says about them.
pub(super) const FORM: &str = "TIME";

const SECONDS: &[(&str, i64)] = &[("s", 1), ("m", 60), ("h", 3600), ("d", 86_400), ("w", 604_800)];

/// Reads a moment, and writes it as the server reads it.
pub(super) fn parse(text: &str) -> Result<String, String> {
    at(text, Clock::default().now())
        .map(format_rfc3339)
        .ok_or_else(|| "must be a time such as 2026-01-31T12:00:00Z, or an age such as 15m, 24h or 7d".into())
}

fn at(text: &str, now: UnixMicros) -> Option<UnixMicros> {
    if let Some(at) = parse_rfc3339(text) {
        return Some(at);
    }
    ago(text).and_then(|micros| now.checked_sub(micros))
}

/// An age in microseconds.
fn ago(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, seconds) = SECONDS.iter().find(|(name, _)| *name == unit)?;
    number.parse::<i64>().ok()?.checked_mul(*seconds)?.checked_mul(1_000_000)
}

/// Reads a length of time, such as `7d`, in microseconds.
pub(super) fn parse_length(text: &str) -> Result<UnixMicros, String> {
    ago(text).ok_or_else(|| "must be a length of time such as 15m, 24h or 7d".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_and_ages_are_read_and_nothing_else() {
        let now = parse_rfc3339("2026-02-01T00:00:00Z").unwrap();
        for (text, expected) in [
            ("2026-01-31T12:00:00+01:00", "2026-01-31T11:00:00.000000Z"),
            ("0s", "2026-02-01T00:00:00.000000Z"),
            ("90s", "2026-01-31T23:58:30.000000Z"),
            ("15m", "2026-01-31T23:45:00.000000Z"),
            ("24h", "2026-01-31T00:00:00.000000Z"),
            ("7d", "2026-01-25T00:00:00.000000Z"),
            ("2w", "2026-01-18T00:00:00.000000Z"),
        ] {
            assert_eq!(at(text, now).map(format_rfc3339).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "m", "15", "15 m", "-15m", "1.5h", "15min", "2026-01-31", "99999999999999d"] {
            assert_eq!(at(text, now), None, "{text}");
        }
    }
}
