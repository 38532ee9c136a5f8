//! From a checked element to the canonical event: which column is made of what.

use std::borrow::Cow;

use bytes::Bytes;

use super::{
    KIND, Preset, Settings,
    arrival::Arrival,
    check::{Checked, call_label},
    context::{Merge, merge},
    field::Fields,
};
use crate::{
    event::{
        json::{
            value::{Value, ValueKind, share},
            writer::ObjectWriter,
        },
        record::{Event, content_hash},
    },
    sources::dedup,
};

/// The event, still without its id, and whether its course id could not be read.
pub(super) fn event(
    arrival: &Arrival<'_>,
    checked: Checked<'_, '_>,
    sent: &str,
    sanitised: bool,
) -> (Event, bool) {
    let settings = arrival.settings;
    let fields = checked.fields;
    let keep = |value: Value<'_>| share(arrival.body, value.text());
    let (context, course_unparsed) = match settings.preset {
        Preset::Edx => {
            let (context, unparsed) = edx_context(arrival, &checked);
            (Bytes::from(context), unparsed)
        }
        Preset::Segment => {
            let context = checked.context.as_ref().map(|(value, _)| *value);
            (context.map_or(Bytes::from_static(b"{}"), keep), false)
        }
    };
    let payload = match settings.preset {
        Preset::Edx => fields.properties.get("event").map_or(Bytes::from_static(b"{}"), keep),
        Preset::Segment => all_but_context(fields, sent.len()),
    };
    let event = Event {
        source: arrival.source.to_owned(),
        kind: KIND.into(),
        dedup_key: dedup_key(settings, fields),
        name: name(settings, fields, &checked.action),
        event_source: checked.channel.clone().into_owned(),
        event_type: checked.event_type.clone().into_owned(),
        time: checked.time.unwrap_or(arrival.received_at),
        received_at: arrival.received_at,
        anonymous_id: fields.root.get("anonymousId").filter(|value| !value.is_blank()).map(owned_column),
        page: column(fields.properties.get("page")),
        host: host(arrival, &checked),
        agent: from_context(&checked, "userAgent").unwrap_or_default(),
        ip: ip(settings, &checked),
        username: checked.user.as_ref().and_then(|user| user.username.as_deref()).map(str::to_owned),
        action: checked.action,
        user_id: checked.user.map(|user| user.id),
        event: payload,
        context,
        event_hash: content_hash(sent.as_bytes()),
        sanitised,
        ..Event::default()
    };
    (event, course_unparsed)
}

fn owned_column(value: Value<'_>) -> String {
    value.as_column().into_owned()
}

/// A text column: null is none, a value of another type is kept as its JSON text.
fn column(value: Option<Value<'_>>) -> Option<String> {
    value.filter(|value| value.kind() != ValueKind::Null).map(owned_column)
}

fn from_context(checked: &Checked<'_, '_>, name: &str) -> Option<String> {
    column(checked.context.as_ref().and_then(|(_, context)| context.get(name)))
}

fn name(settings: &Settings, fields: Fields<'_, '_>, action: &str) -> String {
    let value = match settings.preset {
        Preset::Edx => fields.properties.get("name"),
        Preset::Segment => call_label(fields, action),
    };
    column(value).unwrap_or_default()
}

fn ip(settings: &Settings, checked: &Checked<'_, '_>) -> String {
    let sent = column(checked.fields.properties.get("ip"));
    match settings.preset {
        Preset::Edx => sent.unwrap_or_default(),
        Preset::Segment => sent.or_else(|| from_context(checked, "ip")).unwrap_or_default(),
    }
}

fn host(arrival: &Arrival<'_>, checked: &Checked<'_, '_>) -> String {
    let sent = match arrival.settings.preset {
        Preset::Edx => column(checked.properties_context.get("host")),
        Preset::Segment => from_context(checked, "host"),
    };
    sent.filter(|host| !host.is_empty()).unwrap_or_else(|| arrival.host.to_owned())
}

fn edx_context(arrival: &Arrival<'_>, checked: &Checked<'_, '_>) -> (Vec<u8>, bool) {
    let client = checked.context.as_ref().filter(|(_, object)| !object.is_empty());
    let user_id = checked.user.as_ref().map(|user| match user.is_integer {
        true => Cow::Borrowed(user.id.as_str()),
        false => Cow::Owned(serde_json::Value::from(user.id.as_str()).to_string()),
    });
    merge(&Merge {
        path: arrival.path,
        client: client.map(|(value, _)| *value),
        properties: &checked.properties_context,
        user_id: user_id.as_deref(),
        received_at: checked.received_at,
    })
}

/// Every root member but `context`, each value as sent; that is no longer than all that was sent.
fn all_but_context(fields: Fields<'_, '_>, sent_bytes: usize) -> Bytes {
    let mut members = ObjectWriter::with_capacity(sent_bytes);
    for member in fields.root.iter().filter(|member| !member.is_named("context")) {
        members.raw(member.key.text(), member.value.text());
    }
    Bytes::from(members.finish())
}

fn dedup_key(settings: &Settings, fields: Fields<'_, '_>) -> Option<String> {
    let (value, _) = fields.first(&settings.dedup_from)?;
    let key = match value.kind() {
        ValueKind::String | ValueKind::Number => value.as_column(),
        _ => return None,
    };
    Some(dedup::bounded(key.into_owned()))
}
