//! Making refusals: what is kept of bytes that were not accepted, within the share that refusals have of the spool.

use bytes::Bytes;
use prost::Message;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::{
    event::record::Refusal,
    sources::{delivery::RawDelivery, rule::Breach},
};

/// A refusal keeps at most this much of a body.
pub(super) const REFUSED_BODY_BYTES_MAX: usize = 1 << 20;

/// Stands in the content type of a refused body before its encoding, if it was encoded.
pub(super) const ENCODED_AS: &str = "; content-encoding=";

/// Makes the refusals of one delivery.
pub(super) struct Refuser<'r> {
    pub(super) head: &'r RawDelivery,
    pub(super) config_version: &'r str,
    /// What the delivery's headers say of its records, as JSON; empty for nothing.
    pub(super) metadata: Bytes,
    /// How many bytes of refusals may still be kept; asked only where there is one.
    pub(super) room: &'r dyn Fn() -> u64,
}

/// Bytes that were refused.
pub(super) struct Rejected<'b> {
    /// What was sent, or as much of it as we have.
    pub(super) bytes: &'b [u8],
    /// Whether more was sent than we have.
    pub(super) is_cut: bool,
    pub(super) content_type: String,
    /// Which element of a batch.
    pub(super) element: Option<usize>,
}

impl Refuser<'_> {
    /// The refusal of these bytes, and how many bytes of the share it takes beside the `spent` ones of this delivery.
    pub(super) fn refuse(
        &self,
        id: Uuid,
        rejected: Rejected<'_>,
        breach: &Breach,
        spent: u64,
    ) -> (Refusal, u64) {
        let Rejected { bytes, is_cut, content_type, element } = rejected;
        let kept = bytes.get(..bytes.len().min(REFUSED_BODY_BYTES_MAX)).unwrap_or_default();
        let kept = if kept.len() as u64 > (self.room)().saturating_sub(spent) { &[][..] } else { kept };
        let mut refusal = Refusal {
            source: self.head.source.name.as_str().to_owned(),
            received_at: self.head.received_at,
            rule: breach.rule.id.to_owned(),
            pointer: breach.pointer.clone(),
            message: breach.rule.message.to_owned(),
            element: element.and_then(|index| u32::try_from(index).ok()),
            method: self.head.method.clone(),
            path: self.head.path.clone(),
            content_type,
            config_version: self.config_version.to_owned(),
            body: Bytes::copy_from_slice(kept),
            truncated: is_cut || kept.len() < bytes.len(),
            body_hash: Bytes::copy_from_slice(&Sha256::digest(bytes)),
            host: self.head.host.clone(),
            metadata: self.metadata.clone(),
            ..Refusal::default()
        };
        refusal.set_refusal_id(id);
        let taken = refusal.encoded_len() as u64;
        (refusal, taken)
    }
}

/// Appends a record's bytes.
pub(super) fn encode(message: &impl Message, out: &mut Vec<u8>) {
    message.encode(out).expect("a Vec grows to whatever a message needs");
}
