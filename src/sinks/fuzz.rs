//! What must hold between a record's bytes in the spool and the row that is made of it.

use prost::Message;

use super::row;
use crate::event::{
    record::{Event, Refusal},
    time::format_rfc3339,
};

/// What can be decoded is the same after it was encoded again; a row has text and times that every sink can hold, or
/// is no row; and an event that lost to another is found whole in the refusal that keeps it.
pub(crate) fn row(data: &[u8]) {
    if let Ok(event) = Event::decode(data) {
        assert_eq!(Event::decode(&*event.encode_to_vec()), Ok(event.clone()));
        for at in [event.time, event.received_at] {
            if let Ok(time) = row::time(at) {
                assert_eq!(time.timestamp_micros(), at);
                assert_eq!(format_rfc3339(at).len(), "2021-03-04T05:06:07.089000Z".len());
            }
        }
        for bytes in [&event.event, &event.context] {
            assert_eq!(row::json(bytes).is_ok(), std::str::from_utf8(bytes).is_ok());
        }
        let kept = Refusal::conflict(&event);
        assert_eq!(kept.refusal_id(), event.event_id());
        assert_eq!(Event::decode(kept.body), Ok(event.clone()));
        assert_eq!(row::conflict(&event, &event.event_hash), None);
        assert_eq!(row::by_key(&[&event, &event]).len(), 2);
    }
    if let Ok(refusal) = Refusal::decode(data) {
        assert_eq!(Refusal::decode(&*refusal.encode_to_vec()), Ok(refusal));
    }
}
