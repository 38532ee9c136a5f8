//! From a record that is wanted to the canonical event: which column is made of what.

use std::borrow::Cow;

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{
    KIND, Privacy,
    arrival::{Arrival, Wanted},
    context, privacy,
    redaction::{of_aliases, of_limited_tracking, redacted},
    scalar,
};
use crate::{
    event::{
        json::value::{Value, share},
        record::Event,
    },
    sources::dedup,
};

const ACTION: &str = "opportunity";
const EVENT_TYPE: &str = "bof.opportunity";

/// The event, still without its id.
pub(super) fn event(arrival: &Arrival<'_>, wanted: &Wanted<'_, '_>) -> Event {
    let settings = arrival.settings;
    let (identity, request) = (&wanted.identity, &wanted.request);
    let column = |value: Option<Value<'_>>| value.and_then(scalar::text).map(Cow::into_owned);
    let property = request.property.as_ref();
    let site = property.filter(|property| property.kind == "site");
    let is_limited = settings.privacy == Privacy::Truncate && request.privacy.is_limited();
    Event {
        source: arrival.source.to_owned(),
        kind: KIND.into(),
        dedup_key: Some(dedup_key(wanted)),
        action: ACTION.into(),
        event_type: EVENT_TYPE.into(),
        event_source: identity.channel_type.as_deref().unwrap_or_default().to_owned(),
        time: wanted.fields.time(&settings.aliases.time).unwrap_or(arrival.received_at),
        received_at: arrival.received_at,
        user_id: identity.user.as_deref().map(str::to_owned),
        anonymous_id: exchange_user(arrival, wanted),
        page: property.and_then(|property| column(property.page).or_else(|| column(property.bundle))),
        host: column(site.and_then(|site| site.domain)).unwrap_or_default(),
        agent: column(request.device.agent).unwrap_or_default(),
        ip: address(wanted, is_limited).unwrap_or_default(),
        event: payload(arrival, wanted, is_limited),
        context: context::context(arrival, wanted).into(),
        sanitised: wanted.sanitised,
        ..Event::default()
    }
}

/// Auctions are numbered by each exchange. Without either number the record identifies itself.
fn dedup_key(wanted: &Wanted<'_, '_>) -> String {
    match (&wanted.identity.exchange_id, &wanted.identity.auction_id) {
        (Some(exchange), Some(auction)) => dedup::bounded(format!("{exchange}:{auction}")),
        _ => dedup::of_digest(&Sha256::digest(wanted.sent)),
    }
}

fn exchange_user(arrival: &Arrival<'_>, wanted: &Wanted<'_, '_>) -> Option<String> {
    let settings = arrival.settings;
    let user = || wanted.fields.id(&settings.aliases.exchange_user).map(Cow::into_owned);
    if settings.consumer.drop_exchange_uid { None } else { user() }
}

fn address(wanted: &Wanted<'_, '_>, is_limited: bool) -> Option<String> {
    let device = &wanted.request.device;
    let sent = [device.ip, device.ipv6].into_iter().flatten().find_map(scalar::text)?;
    if is_limited { privacy::truncated(&sent) } else { Some(sent.into_owned()) }
}

/// The bid request as it was sent, without what must go.
fn payload(arrival: &Arrival<'_>, wanted: &Wanted<'_, '_>, is_limited: bool) -> Bytes {
    let (consumer, aliases) = (&arrival.settings.consumer, &arrival.settings.aliases);
    if consumer.drop_body {
        return Bytes::from_static(b"{}");
    }
    let mut redactions = Vec::new();
    if is_limited {
        redactions.extend(of_limited_tracking());
    }
    if consumer.drop_exchange_uid {
        redactions.extend(of_aliases(&aliases.exchange_user, wanted.is_record));
    }
    match redacted(wanted.request_text, &redactions) {
        Some(text) => text.into(),
        None => share(wanted.sent, wanted.request_text),
    }
}
