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
    sources::{
        rule::{self, Breach, Rule},
        witness::Witness,
    },
};

/// What becomes of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It is an event; its id is not set yet.
    Event(Box<Event>),
    /// It is refused.
    Refused(Breach),
    /// The consumer does not want it, for this reason.
    Filtered(Rule),
    /// The consumer wants fewer.
    SampledOut,
}

/// Judges one record, sent without blanks around it: its text is parsed once, scanned once, checked, and made into an
/// event.
///
/// It is refused, else filtered, else sampled out, in this order, so that a mistake of the sender always shows.
pub fn fate(arrival: &Arrival<'_>, sent: &Bytes, witness: &mut impl Witness) -> Fate {
    judge(arrival, sent, witness).unwrap_or_else(Fate::Refused)
}

fn judge(arrival: &Arrival<'_>, sent: &Bytes, witness: &mut impl Witness) -> Result<Fate, Breach> {
    let text = std::str::from_utf8(sent).map_err(|_| rule::RECORD_UTF8.at(""));
    let text = witness.heard(rule::RECORD_UTF8, text)?;
    let record = parse(text, witness)?;
    let clean = storable(text, arrival.depth_max).map_err(|error| rule::unstorable(text, error))?;
    // Text within the record can break both all the same.
    witness.passed(rule::DEPTH);
    witness.passed(rule::NUMBER_RANGE);
    match clean {
        Cow::Borrowed(_) => weigh(arrival, sent, (text, &record, false), witness),
        Cow::Owned(clean) => weigh(arrival, sent, (&clean, &parse(&clean, &mut ())?, true), witness),
    }
}

fn parse<'a>(text: &'a str, witness: &mut impl Witness) -> Result<Object<'a>, Breach> {
    let parsed = Object::parse(text);
    if !matches!(parsed, Err(ObjectError::Malformed { .. })) {
        witness.passed(rule::RECORD_MALFORMED);
    }
    let object = parsed.map_err(|error| match error {
        ObjectError::Malformed { .. } => rule::RECORD_MALFORMED.at(""),
        ObjectError::OtherType => rule::RECORD_NOT_OBJECT.at(""),
    });
    witness.heard(rule::RECORD_NOT_OBJECT, object)
}

fn weigh(
    arrival: &Arrival<'_>,
    sent: &Bytes,
    (text, record, sanitised): (&str, &Object<'_>, bool),
    witness: &mut impl Witness,
) -> Result<Fate, Breach> {
    let settings = arrival.settings;
    let body = body::find(record, &settings.aliases.body, arrival.depth_max)?;
    witness.passed(rule::BID_REQUEST);
    let (request_text, sanitised_body) = match &body {
        Body::Record => (text, false),
        Body::Member(value) => (value.text(), false),
        Body::Decoded { text, sanitised } => (text.as_str(), *sanitised),
    };
    let bid_request = Value::new(request_text.trim_matches([' ', '\t', '\n', '\r']));
    let fields = Fields { record, bid_request, metadata: arrival.metadata };
    let identity = identity::identify(settings, &fields, witness)?;
    let deals = || fields.deals(&settings.aliases.deals, &BidRequest::read(bid_request));
    if let Err(breach) = settings.consumer.wants(&identity, deals, witness) {
        return Ok(Fate::Filtered(breach.rule));
    }
    let sampled_by = identity.auction_id.as_deref().map_or(sent.as_ref(), str::as_bytes);
    let sampling = settings.consumer.sampling;
    if witness.check(rule::SAMPLING, !sampling.is_off(), "", || sampling.keeps(sampled_by)).is_err() {
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
