//! What a record brings along on its way: the delivery it came in, and what was found in it.

use bytes::Bytes;

use super::{
    Settings,
    bid_request::BidRequest,
    identity::{Fields, Identity},
    metadata::Metadata,
};
use crate::clock::UnixMicros;

/// Everything about a delivery that its events are made of.
#[derive(Debug)]
pub struct Arrival<'d> {
    /// How the source reads records.
    pub settings: &'d Settings,
    /// The source's name.
    pub source: &'d str,
    /// The data center that the path names.
    pub data_center: Option<&'d str>,
    /// What the headers say.
    pub metadata: &'d Metadata,
    /// When it arrived.
    pub received_at: UnixMicros,
    /// Nesting of one record.
    pub depth_max: usize,
}

/// A record that is wanted, with everything that its event is made of.
pub(super) struct Wanted<'o, 'a> {
    /// The record's bytes, which the event shares instead of copying them.
    pub(super) sent: &'o Bytes,
    /// Whether something had to be replaced that no database can hold.
    pub(super) sanitised: bool,
    pub(super) fields: Fields<'o, 'a>,
    pub(super) identity: Identity<'a>,
    pub(super) request: BidRequest<'a>,
    /// The text of the bid request, blanks around it included.
    pub(super) request_text: &'a str,
    /// Whether the record itself is the bid request.
    pub(super) is_record: bool,
}
