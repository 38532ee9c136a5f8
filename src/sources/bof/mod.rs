//! MediaMath's bid opportunities: what its firehose delivers to a consumer's web endpoint.
//!
//! Nothing about the format of a record is published, so a field is looked for under every name it may have, and hardly
//! anything is a reason to refuse a record. The way of one record: `record` (its text, once) → `body` (the bid request
//! in it) → `identity` (the fields of the record) → `consumer` (whether anybody wants it) → `bid_request` (what it says)
//! → `canonical` and `context` (the event), with `redaction` taking out what must not be kept.

pub mod aliases;
pub mod arrival;
mod bid_request;
mod body;
mod canonical;
pub mod consumer;
mod context;
mod identity;
pub mod metadata;
mod names;
mod privacy;
pub mod record;
mod redaction;
mod scalar;

use self::{aliases::Aliases, consumer::Consumer};
use crate::sources::rule::{self, Rule};

/// The word in paths, settings and the column `kind`.
pub const KIND: &str = "bof";

/// The rules of a source of this kind, in the order in which they are checked: of the delivery, of the record, of what
/// the consumer wants.
pub const RULES: &[Rule] = &[
    rule::ENCODING_CORRUPT,
    rule::DELIVERY_MALFORMED,
    rule::RECORD_TOO_LARGE,
    rule::RECORD_UTF8,
    rule::RECORD_MALFORMED,
    rule::RECORD_NOT_OBJECT,
    rule::DEPTH,
    rule::NUMBER_RANGE,
    rule::BID_REQUEST,
    rule::AUCTION_ID_INVALID,
    rule::AUCTION_ID_MISSING,
    rule::CHANNEL_TYPE_MISSING,
    rule::FILTER_CHANNEL_TYPE,
    rule::FILTER_EXCHANGE,
    rule::FILTER_GEO,
    rule::FILTER_ZERO_UID,
    rule::FILTER_DEAL,
    rule::SAMPLING,
];

/// How a source of this kind reads records, and how it answers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Where the fields of a record stand.
    pub aliases: Aliases,
    /// What a record must have.
    pub required: Required,
    /// What the consumer wants to have.
    pub consumer: Consumer,
    /// What is kept of those who asked not to be tracked.
    pub privacy: Privacy,
    /// How a delivery that was taken is answered.
    pub success: SuccessStatus,
    /// How a delivery is answered for which there is no room.
    pub overload: OverloadStatus,
}

/// What a record must have; one that lacks it is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Required {
    /// An auction id.
    pub auction_id: bool,
    /// A channel type.
    pub channel_type: bool,
}

impl Default for Required {
    fn default() -> Self {
        Self { auction_id: true, channel_type: true }
    }
}

/// What is kept of a person with `coppa`, `lmt` or `dnt` set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Privacy {
    /// The address without its last part, and no advertising id.
    #[default]
    Truncate,
    /// Everything.
    Keep,
}

/// How a delivery that was taken is answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SuccessStatus {
    /// 200
    #[default]
    Ok,
    /// 202
    Accepted,
    /// 204, without the counts.
    NoContent,
}

/// How a delivery is answered for which there is no room.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverloadStatus {
    /// 503
    #[default]
    Unavailable,
    /// 429
    TooManyRequests,
}

impl SuccessStatus {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Ok, Self::Accepted, Self::NoContent];

    /// The status code.
    pub fn code(self) -> u16 {
        match self {
            Self::Ok => 200,
            Self::Accepted => 202,
            Self::NoContent => 204,
        }
    }
}

impl OverloadStatus {
    /// All of them.
    pub const ALL: &[Self] = &[Self::Unavailable, Self::TooManyRequests];

    /// The status code.
    pub fn code(self) -> u16 {
        match self {
            Self::Unavailable => 503,
            Self::TooManyRequests => 429,
        }
    }
}

#[cfg(test)]
mod proptests;
#[cfg(test)]
mod tests;
