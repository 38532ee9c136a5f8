//! Segment's webhooks, and the edX dialect of them: one implementation, two presets.
//!
//! A preset is nothing but a set of defaults for [`Settings`], and the choice of what the columns `name`, `ip`, `event`
//! and `context` are made of. The way of one element: `element` (its text, once) → `check` (the checks, in order) →
//! `canonical` (the event). The order of the checks is part of the product: the first that fails answers.

pub mod arrival;
mod canonical;
mod check;
mod context;
mod course;
pub mod element;
pub mod field;
pub mod signature;
mod user;

use std::{collections::HashSet, sync::Arc};

use field::FieldPath;

use crate::sources::rule::{self, Rule};

/// The word in paths, settings and the column `kind`.
pub const KIND: &str = "segment";

/// The rules of a source of this kind, in the order in which they are checked: of the body, of its JSON, of the event.
pub const RULES: &[Rule] = &[
    rule::ENCODING_UNSUPPORTED,
    rule::ENCODING_CORRUPT,
    rule::BODY_UTF8,
    rule::BODY_EMPTY,
    rule::BODY_MALFORMED,
    rule::BODY_NOT_OBJECT,
    rule::DEPTH,
    rule::NUMBER_RANGE,
    rule::PROPERTIES,
    rule::CHANNEL,
    rule::CHANNEL_IGNORED,
    rule::ACTION,
    rule::ACTION_IGNORED,
    rule::CONTEXT,
    rule::PROPERTIES_CONTEXT,
    rule::USER_MISSING,
    rule::USER_INVALID,
    rule::USER_NOT_INTEGER,
    rule::USER_UNKNOWN,
    rule::TIMESTAMP_MISSING,
    rule::TIMESTAMP_INVALID,
    rule::RECEIVED_AT_MISSING,
    rule::RECEIVED_AT_INVALID,
    rule::EVENT_TYPE_MISSING,
    rule::EVENT_TYPE_INVALID,
];

/// How a source of this kind reads events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Which columns are made of what.
    pub preset: Preset,
    /// Where the channel stands; the first that is not blank counts.
    pub channel_from: Vec<FieldPath>,
    /// Where the action stands.
    pub action_from: Vec<FieldPath>,
    /// Where the event's type stands; [`EventTypeFrom::Call`] for Segment's own place.
    pub event_type_from: EventTypeFrom,
    /// Where the dedup key stands.
    pub dedup_from: Vec<FieldPath>,
    /// What must be there.
    pub required: Vec<Required>,
    /// What a user id is.
    pub users: Users,
    /// Channels that are let in; `None` for all.
    pub allowed_channels: Option<Allowlist>,
    /// Actions that are let in; `None` for all.
    pub allowed_actions: Option<Allowlist>,
}

/// Named defaults.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Preset {
    /// The Open edX contract.
    Edx,
    /// Segment's own common fields.
    #[default]
    Segment,
}

/// Where the event's type is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventTypeFrom {
    /// `event` of a track call, `name` of a page or screen call.
    Call,
    /// The first of these fields that is present.
    Fields(Vec<FieldPath>),
}

/// What an event must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Required {
    /// `userId`
    User,
    /// `userId` or `anonymousId`
    UserOrAnonymous,
    /// `timestamp`
    Timestamp,
    /// `receivedAt`
    ReceivedAt,
    /// The event's type.
    EventType,
}

impl Required {
    /// The words of the settings.
    pub const WORDS: &[(&str, Self)] = &[
        ("userId", Self::User),
        ("userId|anonymousId", Self::UserOrAnonymous),
        ("timestamp", Self::Timestamp),
        ("receivedAt", Self::ReceivedAt),
        ("properties.event_type", Self::EventType),
    ];
}

/// What a user id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Users {
    /// Any non-empty string, or a number.
    Any,
    /// An integer, or a string of one.
    Integer,
    /// An integer that the users directory knows.
    Directory,
}

impl Settings {
    /// The defaults of a preset.
    pub fn preset(preset: Preset) -> Self {
        let (source, channel) = (FieldPath::properties("event_source"), FieldPath::root("channel"));
        let (action, call) = (FieldPath::root("action"), FieldPath::root("type"));
        let dedup_from = vec![FieldPath::root("messageId")];
        match preset {
            Preset::Edx => Self {
                preset,
                channel_from: vec![source, channel],
                action_from: vec![action, call],
                event_type_from: EventTypeFrom::Fields(vec![FieldPath::properties("event_type")]),
                dedup_from,
                required: vec![
                    Required::User,
                    Required::Timestamp,
                    Required::ReceivedAt,
                    Required::EventType,
                ],
                users: Users::Integer,
                allowed_channels: Some(Allowlist::default()),
                allowed_actions: Some(Allowlist::default()),
            },
            Preset::Segment => Self {
                preset,
                channel_from: vec![channel, source],
                action_from: vec![call, action],
                event_type_from: EventTypeFrom::Call,
                dedup_from,
                required: vec![Required::UserOrAnonymous, Required::Timestamp],
                users: Users::Any,
                allowed_channels: None,
                allowed_actions: None,
            },
        }
    }

    fn requires(&self, what: Required) -> bool {
        self.required.contains(&what)
    }
}

/// Whole values, compared without regard to case. Empty: lets nothing pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Allowlist(HashSet<String>);

impl Allowlist {
    /// A list of these values.
    pub fn new(values: impl IntoIterator<Item = String>) -> Self {
        Self(values.into_iter().map(|value| value.to_lowercase()).collect())
    }

    /// Whether a value stands on it.
    pub fn admits(&self, value: &str) -> bool {
        self.0.contains(&value.to_lowercase())
    }
}

/// Who knows the users; the directory, or a test.
pub trait UserNames {
    /// The name of a user, `None` for an unknown one.
    fn username(&self, id: i64) -> Option<Arc<str>>;
}
