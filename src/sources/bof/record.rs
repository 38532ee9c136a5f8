//! One record becomes its fate: an event, or the reason why it is none.

use std::borrow::Cow;

use bytes::Bytes;

use super::{
    arrival::{Arrival, Wanted},
    bid_request::BidRequest,
    body::{self, Body},
    canonical,
    identity::{self, Fields},
};
use crate::{
    event::{
        json::{
            object::{Object, ObjectError},
            scan::storable,
            value::Value,
        },
        record::Event,
    },
    sources::rule::{self, Breach},
};

/// What becomes of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It is an event; its id is not set yet.
    Event(Box<Event>),
    /// It is refused.
    Refused(Breach),
    /// The consumer does not want it.
    Filtered,
    /// The consumer wants fewer.
    SampledOut,
}

/// Judges one record, sent without blanks around it: its text is parsed once, scanned once, checked, and made into an
/// event.
///
/// It is refused, else filtered, else sampled out, in this order, so that a mistake of the sender always shows.
pub fn fate(arrival: &Arrival<'_>, sent: &Bytes) -> Fate {
    judge(arrival, sent).unwrap_or_else(Fate::Refused)
}

fn judge(arrival: &Arrival<'_>, sent: &Bytes) -> Result<Fate, Breach> {
    let text = std::str::from_utf8(sent).map_err(|_| rule::RECORD_UTF8.at(""))?;
    let record = parse(text)?;
    match storable(text, arrival.depth_max).map_err(|error| rule::unstorable(text, error))? {
        Cow::Borrowed(_) => weigh(arrival, sent, text, &record, false),
        Cow::Owned(clean) => weigh(arrival, sent, &clean, &parse(&clean)?, true),
    }
}

fn parse(text: &str) -> Result<Object<'_>, Breach> {
    Object::parse(text).map_err(|error| match error {
        ObjectError::Malformed { .. } => rule::RECORD_MALFORMED.at(""),
        ObjectError::OtherType => rule::RECORD_NOT_OBJECT.at(""),
    })
}

fn weigh(
    arrival: &Arrival<'_>,
    sent: &Bytes,
    text: &str,
    record: &Object<'_>,
    sanitised: bool,
) -> Result<Fate, Breach> {
    let settings = arrival.settings;
    let body = body::find(record, &settings.aliases.body, arrival.depth_max)?;
    let (request_text, sanitised_body) = match &body {
        Body::Record => (text, false),
        Body::Member(value) => (value.text(), false),
        Body::Decoded { text, sanitised } => (text.as_str(), *sanitised),
    };
    let bid_request = Value::new(request_text.trim_matches([' ', '\t', '\n', '\r']));
    let fields = Fields { record, bid_request, metadata: arrival.metadata };
    let identity = identity::identify(settings, &fields)?;
    let deals = || fields.deals(&settings.aliases.deals, &BidRequest::read(bid_request));
    if !settings.consumer.wants(&identity, deals) {
        return Ok(Fate::Filtered);
    }
    let sampled_by = identity.auction_id.as_deref().map_or(sent.as_ref(), str::as_bytes);
    if !settings.consumer.sampling.keeps(sampled_by) {
        return Ok(Fate::SampledOut);
    }
    let wanted = Wanted {
        sent,
        sanitised: sanitised || sanitised_body,
        fields,
        identity,
        request: BidRequest::read(bid_request),
        request_text,
        is_record: body == Body::Record,
    };
    Ok(Fate::Event(Box::new(canonical::event(arrival, &wanted))))
}
