//! The checks, in their order; the first that fails answers. What passes is everything the event is made of.

use std::{borrow::Cow, sync::Arc};

use super::{
    Allowlist, EventTypeFrom, Preset, Required, Settings, UserNames, Users,
    field::{FieldPath, Fields},
    user,
};
use crate::{
    clock::UnixMicros,
    event::{
        json::{
            object::Object,
            value::{Value, ValueKind},
        },
        time::parse_rfc3339,
    },
    sources::{
        rule::{self, Breach, Rule},
        witness::Witness,
    },
};

/// An element that passed every check.
pub(super) struct Checked<'o, 'a> {
    pub fields: Fields<'o, 'a>,
    /// Root `context`, if there is one.
    pub context: Option<(Value<'a>, Object<'a>)>,
    /// `properties.context`; empty if there is none.
    pub properties_context: Object<'a>,
    pub channel: Cow<'a, str>,
    pub action: String,
    pub event_type: Cow<'a, str>,
    pub user: Option<User>,
    pub time: Option<UnixMicros>,
    pub received_at: Option<UnixMicros>,
}

/// Who did it.
pub(super) struct User {
    pub id: String,
    pub is_integer: bool,
    pub username: Option<Arc<str>>,
}

/// Why an element is no event.
#[derive(Debug)]
pub(super) enum Stop {
    /// Not wanted: the sender did nothing wrong.
    Ignored(Breach),
    /// Wrong: kept as a refusal.
    Refused(Breach),
}

impl From<Breach> for Stop {
    fn from(breach: Breach) -> Self {
        Self::Refused(breach)
    }
}

/// Checks 5 to 14 of the source's contract; `fields.properties` has passed check 4 already.
pub(super) fn check<'o, 'a>(
    settings: &Settings,
    fields: Fields<'o, 'a>,
    users: &dyn UserNames,
    witness: &mut impl Witness,
) -> Result<Checked<'o, 'a>, Stop> {
    let allowed = settings.allowed_channels.as_ref();
    let channel =
        admitted(fields, &settings.channel_from, allowed, [rule::CHANNEL, rule::CHANNEL_IGNORED], witness)?;
    let allowed = settings.allowed_actions.as_ref();
    let action =
        admitted(fields, &settings.action_from, allowed, [rule::ACTION, rule::ACTION_IGNORED], witness)?
            .to_lowercase();
    let sent_context = fields.root.get("context");
    let context = witness.heard(rule::CONTEXT, object_or_none(sent_context, rule::CONTEXT, "/context"))?;
    let properties_context =
        object_or_empty(fields.properties.get("context"), rule::PROPERTIES_CONTEXT, "/properties/context");
    let properties_context = witness.heard(rule::PROPERTIES_CONTEXT, properties_context)?;
    let user = user(settings, fields, users, witness)?;
    let time = timestamp(
        fields.root.get("timestamp"),
        Presence::of(settings.requires(Required::Timestamp)),
        "/timestamp",
        [rule::TIMESTAMP_MISSING, rule::TIMESTAMP_INVALID],
        witness,
    )?;
    let received_at = timestamp(
        fields.root.get("receivedAt"),
        match settings.preset {
            // Only the edX context has a place for it; elsewhere it is one of the members that pass through as sent.
            Preset::Segment if !settings.requires(Required::ReceivedAt) => Presence::Ignored,
            _ => Presence::of(settings.requires(Required::ReceivedAt)),
        },
        "/receivedAt",
        [rule::RECEIVED_AT_MISSING, rule::RECEIVED_AT_INVALID],
        witness,
    )?;
    let event_type = event_type(settings, fields, &action, witness)?;
    let context = sent_context.zip(context);
    Ok(Checked { fields, context, properties_context, channel, action, event_type, user, time, received_at })
}

/// An object; absent and null are an empty one.
pub(super) fn object_or_empty<'a>(
    value: Option<Value<'a>>,
    rule: Rule,
    pointer: &str,
) -> Result<Object<'a>, Breach> {
    Ok(object_or_none(value, rule, pointer)?.unwrap_or_else(Object::empty))
}

fn object_or_none<'a>(
    value: Option<Value<'a>>,
    rule: Rule,
    pointer: &str,
) -> Result<Option<Object<'a>>, Breach> {
    match value.filter(|value| value.kind() != ValueKind::Null) {
        None => Ok(None),
        Some(value) => Object::of(value).map(Some).ok_or_else(|| rule.at(pointer)),
    }
}

/// The channel or the action. Without an allowlist an absent one passes as empty text.
fn admitted<'a>(
    fields: Fields<'_, 'a>,
    paths: &[FieldPath],
    allowed: Option<&Allowlist>,
    [invalid, ignored]: [Rule; 2],
    witness: &mut impl Witness,
) -> Result<Cow<'a, str>, Stop> {
    let found = fields.first(paths);
    let place = found.map(|(_, path)| path).or(paths.first());
    let pointer = place.map(FieldPath::pointer).unwrap_or_default();
    let text = match found {
        None => Some(None),
        Some((value, _)) => value.string().map(Some),
    };
    let text = witness.heard(invalid, text.ok_or_else(|| invalid.at(pointer)))?;
    let admits = |list: &Allowlist| text.as_deref().is_some_and(|text| list.admits(text));
    witness
        .check(ignored, allowed.is_some(), pointer, || allowed.is_none_or(admits))
        .map_err(Stop::Ignored)?;
    Ok(text.unwrap_or_default())
}

fn user(
    settings: &Settings,
    fields: Fields<'_, '_>,
    users: &dyn UserNames,
    witness: &mut impl Witness,
) -> Result<Option<User>, Breach> {
    let present = |name| fields.root.get(name).filter(|value| !value.is_blank());
    let value = present("userId");
    let or_anonymous = settings.requires(Required::UserOrAnonymous) && !settings.requires(Required::User);
    let is_asked = or_anonymous || settings.requires(Required::User);
    witness.check(rule::USER_MISSING, is_asked, "/userId", || {
        value.is_some() || or_anonymous && present("anonymousId").is_some()
    })?;
    let (is_any, in_directory) = (settings.users == Users::Any, settings.users == Users::Directory);
    let is_scalar = |value: Value<'_>| matches!(value.kind(), ValueKind::String | ValueKind::Number);
    witness.check(rule::USER_INVALID, is_any, "/userId", || value.is_none_or(is_scalar))?;
    let id = value.map(|value| match is_any {
        true => Some(value.as_column().into_owned()),
        false => user::integer(value),
    });
    witness.check(rule::USER_NOT_INTEGER, !is_any, "/userId", || !matches!(id, Some(None)))?;
    let id = id.flatten();
    let number = id.as_ref().filter(|_| in_directory).map(|id| id.parse().ok());
    let username = number.map(|number| number.and_then(|number| users.username(number)));
    witness.check(rule::USER_UNKNOWN, in_directory, "/userId", || !matches!(username, Some(None)))?;
    let username = username.flatten();
    Ok(id.map(|id| User { id, is_integer: !is_any, username }))
}

/// Whether a field must be there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Presence {
    /// It must: it is there as soon as its key is.
    Required,
    /// It may be left out or blank.
    Optional,
    /// Nobody reads it.
    Ignored,
}

impl Presence {
    fn of(is_required: bool) -> Self {
        if is_required { Self::Required } else { Self::Optional }
    }
}

fn timestamp(
    value: Option<Value<'_>>,
    presence: Presence,
    pointer: &str,
    [missing, invalid]: [Rule; 2],
    witness: &mut impl Witness,
) -> Result<Option<UnixMicros>, Breach> {
    let value = value.filter(|value| match presence {
        Presence::Required => true,
        Presence::Optional => !value.is_blank(),
        Presence::Ignored => false,
    });
    witness.check(missing, presence == Presence::Required, pointer, || value.is_some())?;
    let read = value.map(|value| value.string().as_deref().and_then(parse_rfc3339));
    witness.check(invalid, presence != Presence::Ignored, pointer, || !matches!(read, Some(None)))?;
    Ok(read.flatten())
}

fn event_type<'a>(
    settings: &Settings,
    fields: Fields<'_, 'a>,
    action: &str,
    witness: &mut impl Witness,
) -> Result<Cow<'a, str>, Breach> {
    let is_required = settings.requires(Required::EventType);
    let text = match &settings.event_type_from {
        EventTypeFrom::Call => {
            let label = call_label(fields, action).and_then(Value::string).filter(|label| !label.is_empty());
            witness.check(rule::EVENT_TYPE_MISSING, is_required, "/event", || label.is_some())?;
            witness.off(rule::EVENT_TYPE_INVALID);
            label
        }
        EventTypeFrom::Fields(paths) => {
            let first = paths.first().map(FieldPath::pointer).unwrap_or_default();
            let found = fields.first(paths);
            let text = found.and_then(|(value, _)| value.string());
            let pointer = found.map_or(first, |(_, path)| path.pointer());
            // A required one that is there and blank is another mistake than none.
            let is_there = || paths.iter().any(|path| fields.get(path).is_some());
            witness.check(rule::EVENT_TYPE_MISSING, is_required, first, is_there)?;
            witness.check(rule::EVENT_TYPE_INVALID, is_required, pointer, || text.is_some())?;
            text
        }
    };
    Ok(text.unwrap_or_else(|| Cow::Owned(action.to_owned())))
}

/// What Segment calls the event: `event` of a track call, `name` of a page or screen call.
pub(super) fn call_label<'a>(fields: Fields<'_, 'a>, action: &str) -> Option<Value<'a>> {
    match action {
        "track" => fields.root.get("event"),
        "page" | "screen" => fields.root.get("name"),
        _ => None,
    }
}
