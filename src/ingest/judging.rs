//! Judging what is not a delivery under way: a refusal that is looked at again, or a body that shall be explained.
//!
//! Nothing is counted, remembered or appended here. What becomes of an element is decided where it is for deliveries, in
//! `sources`; that both agree is held by `ingest/tests/again.rs`.

use std::io::{Cursor, Read};

use bytes::Bytes;

use super::stream::{Fault, record_limits, stream_limits};
use crate::{
    clock::UnixMicros,
    codec::{
        self, DecodeError, Encoding,
        records::{Record, Records, RecordsError},
        stream,
    },
    event::record::Event,
    sources::{
        Kind, Source,
        bof::{self, metadata::Metadata},
        rule::{self, Breach, Rule},
        segment::{
            self, UserNames,
            element::{Split, SplitError, split},
        },
        witness::Witness,
    },
};

/// What becomes of an element, whatever the kind of its source.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It is an event.
    Event(Box<Event>),
    /// Nobody wants it, and the sender did nothing wrong.
    Ignored(Breach),
    /// It is refused.
    Refused(Breach),
    /// The consumer's filters leave it out.
    Filtered(Rule),
    /// The consumer's sampling leaves it out.
    SampledOut,
}

/// An element, judged before a witness.
#[derive(Clone, Debug)]
pub struct Judged<W> {
    /// What becomes of it.
    pub fate: Fate,
    /// Who heard why.
    pub witness: W,
}

/// The body exceeds a limit; the word names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Exceeded(pub(super) &'static str);

/// More elements than are held at once.
const TOO_MANY: Exceeded = Exceeded("the number of elements that are judged at once");

/// Everything but its bytes that decides what becomes of a body.
pub(super) struct Judging<'j> {
    pub(super) source: &'j Source,
    pub(super) users: &'j dyn UserNames,
    pub(super) path: &'j str,
    pub(super) host: &'j str,
    pub(super) data_center: Option<&'j str>,
    pub(super) metadata: &'j Metadata,
    pub(super) received_at: UnixMicros,
    /// Beside the source's own limits, since here all elements are held at once.
    pub(super) elements_max: usize,
    pub(super) decoded_bytes_max: usize,
}

impl Judging<'_> {
    /// Judges a body as it is on the wire.
    pub(super) fn body<W: Witness + Clone + Default>(
        &self,
        content_encoding: Option<&[u8]>,
        wire: &Bytes,
    ) -> Result<Vec<Judged<W>>, Exceeded> {
        match &self.source.kind {
            Kind::Segment(settings) => self.batch(settings, content_encoding, wire),
            Kind::Bof(settings) => {
                let mut limits = stream_limits(&self.source.limits);
                limits.decoded_bytes = limits.decoded_bytes.min(self.decoded_bytes_max as u64);
                match stream::open(Cursor::new(wire), limits) {
                    Ok(plain) => self.records(settings, plain),
                    Err(error) => Ok(vec![unreadable(&Fault::of(error))?]),
                }
            }
        }
    }

    /// Judges what remained of a stream where it broke; its compression is off already.
    pub(super) fn rest<W: Witness + Clone + Default>(
        &self,
        plain: &Bytes,
    ) -> Result<Vec<Judged<W>>, Exceeded> {
        match &self.source.kind {
            Kind::Segment(settings) => self.batch(settings, None, plain),
            Kind::Bof(settings) => self.records(settings, Cursor::new(plain)),
        }
    }

    /// Judges one element.
    pub(super) fn element<W: Witness + Default>(&self, sent: &Bytes) -> Judged<W> {
        match &self.source.kind {
            Kind::Segment(settings) => match std::str::from_utf8(sent) {
                Ok(text) => {
                    self.event(settings, segment::element::Element::Unparsed(text), sent, W::default())
                }
                Err(_) => refused(rule::BODY_UTF8, W::default()),
            },
            Kind::Bof(settings) => self.record(settings, sent, W::default()),
        }
    }

    fn batch<W: Witness + Clone + Default>(
        &self,
        settings: &segment::Settings,
        content_encoding: Option<&[u8]>,
        wire: &Bytes,
    ) -> Result<Vec<Judged<W>>, Exceeded> {
        let mut witness = W::default();
        let Ok(encoding) = Encoding::from_header(content_encoding) else {
            return Ok(vec![refused(rule::ENCODING_UNSUPPORTED, witness)]);
        };
        witness.passed(rule::ENCODING_UNSUPPORTED);
        let limits = &self.source.limits;
        let decoded_bytes = limits.decoded_bytes.min(self.decoded_bytes_max);
        let plain = match codec::decode(encoding, wire.clone(), codec::Limits { decoded_bytes }) {
            Ok(plain) => plain,
            Err(DecodeError::TooLarge { .. }) => return Err(Exceeded("limits.decoded")),
            Err(_) => return Ok(vec![refused(rule::ENCODING_CORRUPT, witness)]),
        };
        witness.passed(rule::ENCODING_CORRUPT);
        let elements_max = limits.batch_events.min(self.elements_max);
        let Split { elements, .. } = split(&plain, elements_max, &mut witness);
        match elements {
            Ok(elements) => {
                let event = |element| self.event(settings, element, &plain, witness.clone());
                Ok(elements.iter().map(event).collect())
            }
            Err(SplitError::TooMany) if elements_max < limits.batch_events => Err(TOO_MANY),
            Err(SplitError::TooMany) => Err(Exceeded("limits.batch")),
            Err(SplitError::Refused(breach)) => Ok(vec![Judged { fate: Fate::Refused(breach), witness }]),
        }
    }

    fn event<W: Witness>(
        &self,
        settings: &segment::Settings,
        element: segment::element::Element<'_>,
        body: &Bytes,
        mut witness: W,
    ) -> Judged<W> {
        let arrival = segment::arrival::Arrival {
            settings,
            source: self.source.name.as_str(),
            path: self.path,
            host: self.host,
            received_at: self.received_at,
            depth_max: self.source.limits.depth,
            users: self.users,
            body,
        };
        let fate = match segment::element::fate(&arrival, element, &mut witness) {
            segment::element::Fate::Event { event, .. } => Fate::Event(event),
            segment::element::Fate::Ignored(breach) => Fate::Ignored(breach),
            segment::element::Fate::Refused(breach) => Fate::Refused(breach),
        };
        Judged { fate, witness }
    }

    fn records<W: Witness + Clone + Default>(
        &self,
        settings: &bof::Settings,
        plain: impl Read,
    ) -> Result<Vec<Judged<W>>, Exceeded> {
        let mut split = W::default();
        split.passed(rule::ENCODING_CORRUPT);
        let mut judged = Vec::new();
        for record in Records::new(plain, record_limits(&self.source.limits)) {
            if judged.len() == self.elements_max {
                return Err(TOO_MANY);
            }
            let mut witness = split.clone();
            judged.push(match record {
                Ok(Record::Whole(sent)) => {
                    witness.passed(rule::DELIVERY_MALFORMED);
                    self.record(settings, &sent, witness)
                }
                Ok(Record::Oversized { .. }) => {
                    witness.passed(rule::DELIVERY_MALFORMED);
                    refused(rule::RECORD_TOO_LARGE, witness)
                }
                Err(RecordsError::Broken(_)) => refused(rule::DELIVERY_MALFORMED, witness),
                Err(RecordsError::Read(error)) => unreadable(&Fault::of(error))?,
            });
        }
        Ok(judged)
    }

    fn record<W: Witness>(&self, settings: &bof::Settings, sent: &Bytes, mut witness: W) -> Judged<W> {
        let limit = self.source.limits.record_bytes;
        if let Err(breach) = witness.check(rule::RECORD_TOO_LARGE, true, "", || sent.len() <= limit) {
            return Judged { fate: Fate::Refused(breach), witness };
        }
        let arrival = bof::arrival::Arrival {
            settings,
            source: self.source.name.as_str(),
            data_center: self.data_center,
            metadata: self.metadata,
            received_at: self.received_at,
            depth_max: self.source.limits.depth,
        };
        let fate = match bof::record::fate(&arrival, sent, &mut witness) {
            bof::record::Fate::Event(event) => Fate::Event(event),
            bof::record::Fate::Refused(breach) => Fate::Refused(breach),
            bof::record::Fate::Filtered(rule) => Fate::Filtered(rule),
            bof::record::Fate::SampledOut => Fate::SampledOut,
        };
        Judged { fate, witness }
    }
}

fn refused<W>(rule: Rule, witness: W) -> Judged<W> {
    Judged { fate: Fate::Refused(rule.at("")), witness }
}

fn unreadable<W: Default>(fault: &Fault) -> Result<Judged<W>, Exceeded> {
    match *fault {
        Fault::TooLarge(limit) => Err(Exceeded(limit)),
        // Reading from memory fails by what is read only.
        Fault::Corrupt | Fault::Input(_) => Ok(refused(rule::ENCODING_CORRUPT, W::default())),
    }
}
