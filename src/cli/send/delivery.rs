//! Packing records into deliveries, as a sender of each kind does.

use std::fmt::Write as _;

use bytes::{BufMut as _, Bytes, BytesMut};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha1::Sha1;

use super::Kind;
use crate::secret::Secret;

/// One delivery.
pub(super) struct Delivery {
    pub(super) body: Bytes,
    /// How many records it holds.
    pub(super) records: u64,
    /// What Segment signs: all of a single event, or the first of several.
    first: Bytes,
}

impl Delivery {
    /// Packs records that are JSON. Segment sends one event as it is and several as an array, a firehose sends lines.
    pub(super) fn pack(kind: Kind, records: &[Bytes]) -> Self {
        let (open, between, close) = match kind {
            Kind::Segment if records.len() > 1 => ("[", ",", "]"),
            Kind::Segment => ("", "", ""),
            Kind::Bof => ("", "\n", "\n"),
        };
        let mut body = BytesMut::new();
        body.put_slice(open.as_bytes());
        for (index, record) in records.iter().enumerate() {
            if index > 0 {
                body.put_slice(between.as_bytes());
            }
            body.put_slice(record);
        }
        body.put_slice(close.as_bytes());
        let first = records.first().cloned().unwrap_or_default();
        Self { body: body.freeze(), records: records.len() as u64, first }
    }

    /// The value of `X-Signature`; `None` where the secret can sign nothing.
    pub(super) fn signature(&self, secret: &Secret) -> Option<String> {
        let mut mac = Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes()).ok()?;
        mac.update(&self.first);
        let mut text = String::with_capacity(40);
        for byte in mac.finalize().into_bytes() {
            let _ = write!(text, "{byte:02x}");
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::segment::signature;

    #[test]
    fn each_kind_packs_its_own_way_and_the_receiver_accepts_the_signature() {
        let records = [Bytes::from_static(b"{\"a\":1}"), Bytes::from_static(b"{\"b\":2}")];
        let secret = Secret::new("s".repeat(32));
        for (kind, count, expected) in [
            (Kind::Segment, 1, "{\"a\":1}"),
            (Kind::Segment, 2, "[{\"a\":1},{\"b\":2}]"),
            (Kind::Bof, 1, "{\"a\":1}\n"),
            (Kind::Bof, 2, "{\"a\":1}\n{\"b\":2}\n"),
        ] {
            let delivery = Delivery::pack(kind, &records[..count]);
            assert_eq!((&delivery.body[..], delivery.records), (expected.as_bytes(), count as u64));
            let offered = delivery.signature(&secret).unwrap();
            assert!(signature::is_valid(&secret, &records[0], Some(offered.as_bytes())));
        }
    }
}
