//! Sizes and durations as people write them: `64MiB`, `10GB`, `5s`, `100ms`.

use std::time::Duration;

const SIZES: &[(&str, u64)] = &[
    ("", 1),
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
];

const DURATIONS_MS: &[(&str, u64)] =
    &[("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

/// Reads a size in bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    scaled(text, SIZES).ok_or_else(|| "must be a size such as 64MiB".into())
}

/// Reads a duration.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    scaled(text, DURATIONS_MS)
        .map(Duration::from_millis)
        .ok_or_else(|| "must be a duration such as 5s or 100ms".into())
}

fn scaled(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit.trim_start())?;
    number.parse::<u64>().ok()?.checked_mul(*factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_durations_are_read() {
        for (text, want) in
            [("0", 0), ("512", 512), ("64MiB", 64 << 20), ("10 GiB", 10 << 30), ("2MB", 2_000_000)]
        {
            assert_eq!(size(text), Ok(want), "{text}");
        }
        for (text, want) in [("0s", 0), ("5s", 5_000), ("100ms", 100), ("2m", 120_000), ("1d", 86_400_000)] {
            assert_eq!(duration(text), Ok(Duration::from_millis(want)), "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for text in ["", "MiB", "1.5MiB", "-1", "64mib", "64 Mi B", "99999999999TiB", "5s"] {
            assert!(size(text).is_err(), "{text}");
        }
        for text in ["", "5", "s", "1.5s", "5 seconds", "99999999999999999d"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
