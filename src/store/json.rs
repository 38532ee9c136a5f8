//! How ids, times and bytes are written in answers, for `#[serde(serialize_with = "…")]`.

use std::fmt::Write;

use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use uuid::Uuid;

use crate::{clock::UnixMicros, event::time::format_rfc3339};

/// An id: lower-case text.
pub fn id<S: Serializer>(id: &Uuid, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(id)
}

/// A time: RFC 3339 in UTC with six digits.
pub fn time<S: Serializer>(at: &UnixMicros, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format_rfc3339(*at))
}

/// A time that may be missing.
pub fn maybe_time<S: Serializer>(at: &Option<UnixMicros>, serializer: S) -> Result<S::Ok, S::Error> {
    at.map(format_rfc3339).serialize(serializer)
}

/// Bytes: lower-case hexadecimal digits.
pub fn hex<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    let digits = bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut digits, byte| {
        // Writing into a String cannot fail.
        let _ = write!(digits, "{byte:02x}");
        digits
    });
    serializer.serialize_str(&digits)
}

/// JSON that passes as it is. What is no JSON, which only a stranger can have written there, becomes a JSON string, so
/// that one such row does not hide the others.
pub(super) fn verbatim(text: &str) -> Box<RawValue> {
    let as_it_is = serde_json::from_str::<&RawValue>(text).map(ToOwned::to_owned);
    as_it_is.or_else(|_| to_raw_value(text)).unwrap_or_else(|_| RawValue::NULL.to_owned())
}
