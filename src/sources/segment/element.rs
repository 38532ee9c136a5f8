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
            elements::elements,
            object::{Object, ObjectError},
            scan::storable,
            value::Value,
        },
        record::Event,
    },
    sources::{
        rule::{self, Breach},
        witness::Witness,
    },
};

/// What a body holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Elements<'a> {
    /// One event.
    Single(&'a str),
    /// A batch, possibly empty.
    Batch(Vec<Value<'a>>),
}

impl<'a> Elements<'a> {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::Single(_) => 1,
            Self::Batch(elements) => elements.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The elements, in order.
    pub fn iter(&self) -> impl Iterator<Item = Element<'a>> {
        let (single, batch) = match self {
            Self::Single(text) => (Some(Element::Unparsed(text)), &[][..]),
            Self::Batch(elements) => (None, elements.as_slice()),
        };
        single.into_iter().chain(batch.iter().copied().map(Element::Json))
    }
}

/// An element, as sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Element<'a> {
    /// A text that nobody has looked into, without blanks around it.
    Unparsed(&'a str),
    /// A part of a batch, which was parsed when the batch was taken apart.
    Json(Value<'a>),
}

impl<'a> Element<'a> {
    /// What was sent.
    pub fn text(self) -> &'a str {
        match self {
            Self::Unparsed(text) => text,
            Self::Json(value) => value.text(),
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
pub fn split<'b>(body: &'b [u8], elements_max: usize, witness: &mut impl Witness) -> Split<'b> {
    let refused = |breach: Breach| Split { signed: body, elements: Err(SplitError::Refused(breach)) };
    let text = std::str::from_utf8(body).map_err(|_| rule::BODY_UTF8.at(""));
    let text = match witness.heard(rule::BODY_UTF8, text) {
        Ok(text) => text.trim_matches([' ', '\t', '\n', '\r']),
        Err(breach) => return refused(breach),
    };
    if let Err(breach) = witness.check(rule::BODY_EMPTY, true, "", || !text.is_empty()) {
        return refused(breach);
    }
    match text.as_bytes().first() {
        Some(b'[') => {
            let array = elements(text, elements_max);
            let elements = match array.all {
                Ok(Some(elements)) => Ok(Elements::Batch(elements)),
                Ok(None) => Err(SplitError::TooMany),
                Err(_) => Err(SplitError::Refused(rule::BODY_MALFORMED.at(""))),
            };
            Split { signed: array.first.map_or(body, str::as_bytes), elements }
        }
        _ => Split { signed: body, elements: Ok(Elements::Single(text)) },
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
pub fn fate(arrival: &Arrival<'_>, sent: Element<'_>, witness: &mut impl Witness) -> Fate {
    match judge(arrival, sent, witness) {
        Ok(fate) => fate,
        Err(Stop::Ignored(breach)) => Fate::Ignored(breach),
        Err(Stop::Refused(breach)) => Fate::Refused(breach),
    }
}

fn judge(arrival: &Arrival<'_>, element: Element<'_>, witness: &mut impl Witness) -> Result<Fate, Stop> {
    let root = parse(element, witness)?;
    let sent = element.text();
    let text = storable(sent, arrival.depth_max).map_err(|error| rule::unstorable(sent, error))?;
    witness.passed(rule::DEPTH);
    witness.passed(rule::NUMBER_RANGE);
    match text {
        Cow::Borrowed(_) => event(arrival, &root, (sent, false), witness),
        // What was replaced is as valid as it was before.
        Cow::Owned(clean) => {
            let root = parse(Element::Json(Value::new(&clean)), &mut ())?;
            event(arrival, &root, (sent, true), witness)
        }
    }
}

fn event(
    arrival: &Arrival<'_>,
    root: &Object<'_>,
    (sent, sanitised): (&str, bool),
    witness: &mut impl Witness,
) -> Result<Fate, Stop> {
    let properties = check::object_or_empty(root.get("properties"), rule::PROPERTIES, "/properties");
    let properties = witness.heard(rule::PROPERTIES, properties)?;
    let fields = Fields { root, properties: &properties };
    let checked = check::check(arrival.settings, fields, arrival.users, witness)?;
    let (event, course_unparsed) = canonical::event(arrival, checked, sent, sanitised);
    Ok(Fate::Event { event: Box::new(event), course_unparsed })
}

fn parse<'a>(element: Element<'a>, witness: &mut impl Witness) -> Result<Object<'a>, Breach> {
    let parsed = match element {
        Element::Unparsed(text) => Object::parse(text),
        Element::Json(value) => Object::of(value).ok_or(ObjectError::OtherType),
    };
    if !matches!(parsed, Err(ObjectError::Malformed { .. })) {
        witness.passed(rule::BODY_MALFORMED);
    }
    let object = parsed.map_err(|error| match error {
        ObjectError::Malformed { .. } => rule::BODY_MALFORMED.at(""),
        ObjectError::OtherType => rule::BODY_NOT_OBJECT.at(""),
    });
    witness.heard(rule::BODY_NOT_OBJECT, object)
}
