//! What all sinks agree upon about one row: which values can be stored, in which order rows are written, and what a
//! row means that was not inserted.

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::{ErrorClass, SinkError};
use crate::{
    clock::UnixMicros,
    event::{
        record::{Event, Refusal},
        time::{EARLIEST, LATEST},
    },
};

/// The events in the order in which they are inserted: by key, so that two lanes that write the same keys wait for
/// each other instead of deadlocking. Stable: of two events with one key, the first in the spool wins.
pub(super) fn by_key<'a>(events: &[&'a Event]) -> Vec<&'a Event> {
    let mut sorted = events.to_vec();
    sorted.sort_by(|one, other| (&one.source, &one.dedup_key).cmp(&(&other.source, &other.dedup_key)));
    sorted
}

/// The same for refusals, whose key is their id.
pub(super) fn by_id<'a>(refusals: impl IntoIterator<Item = &'a Refusal>) -> Vec<&'a Refusal> {
    let mut sorted: Vec<_> = refusals.into_iter().collect();
    sorted.sort_by_key(|refusal| refusal.refusal_id());
    sorted
}

/// A time that every sink can hold: the years 1 to 9999, beyond which text no longer sorts by time.
pub(super) fn time(at: UnixMicros) -> Result<DateTime<Utc>, SinkError> {
    let within = (EARLIEST..=LATEST).contains(&at).then_some(at);
    within
        .and_then(DateTime::from_timestamp_micros)
        .ok_or_else(|| poison("time_range", "outside the years 1 to 9999"))
}

/// JSON as the text that databases take.
pub(super) fn json(bytes: &Bytes) -> Result<&str, SinkError> {
    std::str::from_utf8(bytes).map_err(|_| poison("invalid_utf8", "JSON that is not UTF-8"))
}

/// The delivery's metadata as it is stored: an object, empty where there is none.
pub(super) fn metadata(refusal: &Refusal) -> Result<&str, SinkError> {
    if refusal.metadata.is_empty() { Ok("{}") } else { json(&refusal.metadata) }
}

/// The hash as it is stored: null where the source does not compare duplicates.
pub(super) fn hash(event: &Event) -> Option<&[u8]> {
    (!event.event_hash.is_empty()).then_some(&*event.event_hash)
}

/// What becomes of an event whose key is taken by another with this hash: `None` if it is a mere duplicate.
pub(super) fn conflict(event: &Event, owner_hash: &[u8]) -> Option<Refusal> {
    let comparable = !event.event_hash.is_empty() && !owner_hash.is_empty();
    (comparable && event.event_hash != owner_hash).then(|| Refusal::conflict(event))
}

/// The number as databases store it.
pub(super) fn signed(number: u64) -> Result<i64, SinkError> {
    i64::try_from(number).map_err(|_| {
        SinkError::new(ErrorClass::Configuration, "number_range", "a sequence or total beyond 2^63")
    })
}

/// The number as it was stored.
pub(super) fn unsigned(number: i64) -> Result<u64, SinkError> {
    u64::try_from(number).map_err(|_| {
        SinkError::new(ErrorClass::Configuration, "number_range", "a negative sequence in cursors")
    })
}

/// The cursor is not where the lane left it.
pub(super) fn cursor_moved() -> SinkError {
    SinkError::new(
        ErrorClass::CursorMoved,
        "cursor_moved",
        "the cursor does not stand where the batch begins",
    )
}

/// An event was not inserted though neither its id nor its key is there. Counting it as anything would be a lie.
pub(super) fn unexplained() -> SinkError {
    poison("not_inserted", "not inserted, though its id and key are free: a constraint that is not ours")
}

fn poison(code: &str, message: &str) -> SinkError {
    SinkError::new(ErrorClass::PoisonRow, code, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_time_panics_and_only_four_digit_years_are_stored() {
        for at in [i64::MIN, EARLIEST - 1, LATEST + 1, i64::MAX] {
            assert_eq!(time(at).unwrap_err().class, ErrorClass::PoisonRow);
        }
        for at in [EARLIEST, -1, 0, 1, LATEST] {
            assert_eq!(time(at).unwrap().timestamp_micros(), at);
        }
    }

    #[test]
    fn equal_keys_stay_in_the_order_of_the_spool() {
        let event = |name: &str, key: Option<&str>| Event {
            source: "a".into(),
            dedup_key: key.map(Into::into),
            name: name.into(),
            ..Event::default()
        };
        let keys = [Some("k"), None, Some("b")];
        let events: Vec<_> =
            (0..300).map(|number| event(&format!("{number:03}"), keys[number % 3])).collect();
        let sorted = by_key(&events.iter().collect::<Vec<_>>());
        let order: Vec<_> = sorted.iter().map(|event| (&event.dedup_key, &event.name)).collect();
        assert!(order.is_sorted(), "{order:?}");
    }

    #[test]
    fn only_two_hashes_that_differ_make_a_conflict() {
        let event = |hash: &'static [u8]| Event { event_hash: Bytes::from_static(hash), ..Event::default() };
        assert!(conflict(&event(b"one"), b"two").is_some());
        assert!(conflict(&event(b"one"), b"one").is_none());
        assert!(conflict(&event(b""), b"two").is_none());
        assert!(conflict(&event(b"one"), b"").is_none());
    }
}
