//! The checks, in their order; the first that fails answers. What passes is everything the event is made of.

use std::{borrow::Cow, sync::Arc};

use super::{
    Allowlist, EventTypeFrom, Required, Settings, UserNames, Users,
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
    sources::rule::{self, Breach, Rule},
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

/// Checks 4 to 14 of the source's contract; `fields.properties` has passed check 4 already.
pub(super) fn check<'o, 'a>(
    settings: &Settings,
    fields: Fields<'o, 'a>,
    users: &dyn UserNames,
) -> Result<Checked<'o, 'a>, Stop> {
    let channel = admitted(
        fields,
        &settings.channel_from,
        settings.allowed_channels.as_ref(),
        rule::CHANNEL,
        rule::CHANNEL_IGNORED,
    )?;
    let action = admitted(
        fields,
        &settings.action_from,
        settings.allowed_actions.as_ref(),
        rule::ACTION,
        rule::ACTION_IGNORED,
    )?
    .to_lowercase();
    let context = match object_or_none(fields.root.get("context"), rule::CONTEXT, "/context")? {
        None => None,
        Some(object) => fields.root.get("context").map(|value| (value, object)),
    };
    let properties_context =
        object_or_empty(fields.properties.get("context"), rule::PROPERTIES_CONTEXT, "/properties/context")?;
    let user = user(settings, fields, users)?;
    let time = timestamp(
        fields.root.get("timestamp"),
        settings.requires(Required::Timestamp),
        "/timestamp",
        [rule::TIMESTAMP_MISSING, rule::TIMESTAMP_INVALID],
    )?;
    let received_at = match settings.preset {
        // Only the edX context has a place for it; elsewhere it is one of the members that pass through as sent.
        super::Preset::Segment if !settings.requires(Required::ReceivedAt) => None,
        _ => timestamp(
            fields.root.get("receivedAt"),
            settings.requires(Required::ReceivedAt),
            "/receivedAt",
            [rule::RECEIVED_AT_MISSING, rule::RECEIVED_AT_INVALID],
        )?,
    };
    let event_type = event_type(settings, fields, &action)?;
    Ok(Checked { fields, context, properties_context, channel, action, event_type, user, time, received_at })
}

/// An object; absent and null are an empty one.
pub(super) fn object_or_empty<'a>(
    value: Option<Value<'a>>,
    rule: Rule,
    pointer: &str,
) -> Result<Object<'a>, Breach> {
    match object_or_none(value, rule, pointer)? {
        Some(object) => Ok(object),
        None => Object::parse("{}").map_err(|_| rule.at(pointer)),
    }
}

fn object_or_none<'a>(
    value: Option<Value<'a>>,
    rule: Rule,
    pointer: &str,
) -> Result<Option<Object<'a>>, Breach> {
    match value.filter(|value| value.kind() != ValueKind::Null) {
        None => Ok(None),
        Some(value) => Object::parse(value.text()).map(Some).map_err(|_| rule.at(pointer)),
    }
}

/// The channel or the action. Without an allowlist an absent one passes as empty text.
fn admitted<'a>(
    fields: Fields<'_, 'a>,
    paths: &[FieldPath],
    allowed: Option<&Allowlist>,
    invalid: Rule,
    ignored: Rule,
) -> Result<Cow<'a, str>, Stop> {
    let Some((value, path)) = fields.first(paths) else {
        let pointer = paths.first().map(FieldPath::pointer).unwrap_or_default();
        return match allowed {
            None => Ok(Cow::Borrowed("")),
            Some(_) => Err(Stop::Ignored(ignored.at(pointer))),
        };
    };
    let text = value.string().ok_or_else(|| invalid.at(path.pointer()))?;
    match allowed {
        Some(list) if !list.admits(&text) => Err(Stop::Ignored(ignored.at(path.pointer()))),
        _ => Ok(text),
    }
}

fn user(settings: &Settings, fields: Fields<'_, '_>, users: &dyn UserNames) -> Result<Option<User>, Breach> {
    let present = |name| fields.root.get(name).filter(|value| !value.is_blank());
    let Some(value) = present("userId") else {
        let required = settings.requires(Required::User)
            || settings.requires(Required::UserOrAnonymous) && present("anonymousId").is_none();
        return if required { Err(rule::USER_MISSING.at("/userId")) } else { Ok(None) };
    };
    if settings.users == Users::Any {
        return match value.kind() {
            ValueKind::String | ValueKind::Number => {
                Ok(Some(User { id: value.as_column().into_owned(), is_integer: false, username: None }))
            }
            _ => Err(rule::USER_INVALID.at("/userId")),
        };
    }
    let id = user::integer(value).ok_or_else(|| rule::USER_NOT_INTEGER.at("/userId"))?;
    let username = match settings.users {
        Users::Directory => {
            let known = id.parse().ok().and_then(|id| users.username(id));
            Some(known.ok_or_else(|| rule::USER_UNKNOWN.at("/userId"))?)
        }
        _ => None,
    };
    Ok(Some(User { id, is_integer: true, username }))
}

fn timestamp(
    value: Option<Value<'_>>,
    required: bool,
    pointer: &str,
    [missing, invalid]: [Rule; 2],
) -> Result<Option<UnixMicros>, Breach> {
    // A required one is there as soon as its key is; an optional one may also be blank.
    match value.filter(|value| required || !value.is_blank()) {
        None if required => Err(missing.at(pointer)),
        None => Ok(None),
        Some(value) => match value.string().as_deref().and_then(parse_rfc3339) {
            Some(at) => Ok(Some(at)),
            None => Err(invalid.at(pointer)),
        },
    }
}

fn event_type<'a>(settings: &Settings, fields: Fields<'_, 'a>, action: &str) -> Result<Cow<'a, str>, Breach> {
    let paths = match &settings.event_type_from {
        EventTypeFrom::Call => {
            let label = call_label(fields, action).and_then(Value::string).filter(|label| !label.is_empty());
            return match label {
                None if settings.requires(Required::EventType) => Err(rule::EVENT_TYPE_MISSING.at("/event")),
                None => Ok(Cow::Owned(action.to_owned())),
                Some(label) => Ok(label),
            };
        }
        EventTypeFrom::Fields(paths) => paths,
    };
    let pointer = paths.first().map(FieldPath::pointer).unwrap_or_default();
    let required = settings.requires(Required::EventType);
    match fields.first(paths) {
        Some((value, path)) => match value.string() {
            Some(text) => Ok(text),
            None if required => Err(rule::EVENT_TYPE_INVALID.at(path.pointer())),
            None => Ok(Cow::Owned(action.to_owned())),
        },
        // A required one that is there and blank is another mistake than none.
        None if required && paths.iter().any(|path| fields.get(path).is_some()) => {
            Err(rule::EVENT_TYPE_INVALID.at(pointer))
        }
        None if required => Err(rule::EVENT_TYPE_MISSING.at(pointer)),
        None => Ok(Cow::Owned(action.to_owned())),
    }
}

/// What Segment calls the event: `event` of a track call, `name` of a page or screen call.
pub(super) fn call_label<'a>(fields: Fields<'_, 'a>, action: &str) -> Option<Value<'a>> {
    match action {
        "track" => fields.root.get("event"),
        "page" | "screen" => fields.root.get("name"),
        _ => None,
    }
}
