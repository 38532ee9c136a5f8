//! A body becomes elements, and one element becomes its fate: an event, or the reason why it is none.

use std::borrow::Cow;

use super::{
    arrival::Arrival,
    canonical,
    check::{self, Stop},
    field::Fields,
};
use crate::{
    event::{
        json::{
            object::{self, Object, ObjectError},
            scan::storable,
        },
        record::Event,
    },
    sources::rule::{self, Breach},
};

/// What a body holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Elements<'a> {
    /// One event.
    Single(&'a str),
    /// A batch, possibly empty.
    Batch(Vec<&'a str>),
}

impl<'a> Elements<'a> {
    /// The elements, in order.
    pub fn as_slice(&self) -> &[&'a str] {
        match self {
            Self::Single(element) => std::slice::from_ref(element),
            Self::Batch(elements) => elements,
        }
    }
}

/// Why a body could not be taken apart.
#[derive(Debug, PartialEq, Eq)]
pub enum SplitError {
    /// One refusal of the whole body.
    Refused(Breach),
    /// A batch of more elements than the limit.
    TooMany,
}

/// A body taken apart as far as it goes.
#[derive(Debug, PartialEq, Eq)]
pub struct Split<'a> {
    /// What a signature covers: the body, or the first element of a batch, also of one that is broken further on.
    pub signed: &'a [u8],
    /// The elements, or why there are none.
    pub elements: Result<Elements<'a>, SplitError>,
}

/// Takes a decoded body apart. A single element is looked into later, by [`fate`].
pub fn split(body: &[u8], elements_max: usize) -> Split<'_> {
    let refused = |rule: rule::Rule| Split { signed: body, elements: Err(SplitError::Refused(rule.at(""))) };
    let Ok(text) = std::str::from_utf8(body) else { return refused(rule::BODY_UTF8) };
    let trimmed = text.trim_matches([' ', '\t', '\n', '\r']);
    match trimmed.as_bytes().first() {
        None => refused(rule::BODY_EMPTY),
        Some(b'[') => {
            let object::Elements { first, all } = object::elements(trimmed, elements_max);
            let elements = match all {
                Ok(Some(elements)) => Ok(Elements::Batch(elements)),
                Ok(None) => Err(SplitError::TooMany),
                Err(_) => Err(SplitError::Refused(rule::BODY_MALFORMED.at(""))),
            };
            Split { signed: first.map_or(body, str::as_bytes), elements }
        }
        Some(_) => Split { signed: body, elements: Ok(Elements::Single(trimmed)) },
    }
}

/// What becomes of an element.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It is an event; its id is not set yet.
    Event {
        /// The event.
        event: Box<Event>,
        /// Whether it carries a course id that could not be read.
        course_unparsed: bool,
    },
    /// Nobody wants it, and the sender did nothing wrong.
    Ignored(Breach),
    /// It is refused.
    Refused(Breach),
}

/// Judges one element: its text is parsed once, scanned once, checked, and made into an event.
pub fn fate(arrival: &Arrival<'_>, sent: &str) -> Fate {
    match judge(arrival, sent) {
        Ok(fate) => fate,
        Err(Stop::Ignored(breach)) => Fate::Ignored(breach),
        Err(Stop::Refused(breach)) => Fate::Refused(breach),
    }
}

fn judge(arrival: &Arrival<'_>, sent: &str) -> Result<Fate, Stop> {
    let root = parse(sent)?;
    match storable(sent, arrival.depth_max).map_err(|error| rule::unstorable(sent, error))? {
        Cow::Borrowed(_) => event(arrival, &root, sent, false),
        Cow::Owned(clean) => event(arrival, &parse(&clean)?, sent, true),
    }
}

fn event(arrival: &Arrival<'_>, root: &Object<'_>, sent: &str, sanitised: bool) -> Result<Fate, Stop> {
    let properties = check::object_or_empty(root.get("properties"), rule::PROPERTIES, "/properties")?;
    let fields = Fields { root, properties: &properties };
    let checked = check::check(arrival.settings, fields, arrival.users)?;
    let (event, course_unparsed) = canonical::event(arrival, checked, sent, sanitised);
    Ok(Fate::Event { event: Box::new(event), course_unparsed })
}

fn parse(text: &str) -> Result<Object<'_>, Breach> {
    Object::parse(text).map_err(|error| match error {
        ObjectError::Malformed { .. } => rule::BODY_MALFORMED.at(""),
        ObjectError::OtherType => rule::BODY_NOT_OBJECT.at(""),
    })
}
