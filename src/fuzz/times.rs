//! Timestamps, compared with chrono where chrono and the contract agree.

use super::model;
use crate::event::time::{EARLIEST, LATEST, format_rfc3339, parse_rfc3339};

/// A text is a time for us exactly if it is one by plain reading, and the same one; what is written is read back.
pub(super) fn times(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let read = parse_rfc3339(text);
    assert_eq!(read, model::time(text), "{text:?}");
    if let Some(at) = read {
        assert!((EARLIEST..=LATEST).contains(&at));
        assert_eq!(parse_rfc3339(&format_rfc3339(at)), Some(at));
    }
}
