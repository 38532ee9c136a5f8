//! The column `context` of an opportunity: what is worth asking for, in one form whatever the sender's was.
//!
//! What is not known is left out, but for lists and counts, which are then empty.

use super::{
    aliases::Alias,
    arrival::{Arrival, Wanted},
    bid_request::{Device, PrivacySignals, Property, Signal},
    names, scalar,
};
use crate::event::json::{
    object::Object,
    value::{Value, ValueKind},
    writer::ObjectWriter,
};

/// OpenRTB's own default.
const CURRENCY: &str = "USD";

/// About as long as a context usually is.
const CONTEXT_BYTES: usize = 1024;

pub(super) fn context(arrival: &Arrival<'_>, wanted: &Wanted<'_, '_>) -> Vec<u8> {
    let (identity, request) = (&wanted.identity, &wanted.request);
    let aliases = &arrival.settings.aliases;
    let hidden: &[Alias] = match arrival.settings.consumer.drop_exchange_uid {
        true => &aliases.exchange_user,
        false => &[],
    };
    let mut out = ObjectWriter::with_capacity(CONTEXT_BYTES);
    known(&mut out, "auction_id", identity.auction_id.as_deref());
    known(&mut out, "exchange_id", identity.exchange_id.as_deref());
    known(&mut out, "exchange", identity.exchange_id.as_deref().and_then(names::exchange));
    known(&mut out, "geo_id", identity.geo_id.as_deref());
    known(&mut out, "geo", identity.geo_id.as_deref().and_then(names::geo));
    out.texts("deal_ids", wanted.fields.deals(&aliases.deals, request));
    known(&mut out, "channel_type", identity.channel_type.as_deref());
    // The only text here that has not been looked through: it comes from the path.
    let data_center = arrival.data_center.map(|name| name.replace('\0', "\u{fffd}"));
    known(&mut out, "data_center", data_center.as_deref());
    let media = request.impressions.media.iter().filter(|(_, offered)| *offered);
    out.texts("media_types", media.map(|(name, _)| name));
    out.named("imp_count", &request.impressions.count.to_string());
    if let Some(floor) = &request.impressions.floor {
        out.text("floor_cpm", &floor.cpm);
        known(&mut out, "currency", floor.currency.and_then(scalar::text).as_deref().or(Some(CURRENCY)));
    }
    number(&mut out, "auction_type", request.auction_type);
    number(&mut out, "tmax_ms", request.tmax_ms);
    out.object("property", |out| request.property.iter().for_each(|read| property(out, read)));
    out.object("device", |out| device(out, &request.device));
    out.object("privacy", |out| privacy(out, &request.privacy));
    out.named("test", flag(request.is_test));
    if !wanted.is_record {
        out.object("record", |out| around_body(out, wanted.fields.record, &aliases.body, hidden));
    }
    out.object("delivery", |out| arrival.metadata.write(out, hidden));
    out.finish()
}

fn property(out: &mut ObjectWriter, property: &Property<'_>) {
    out.text("kind", property.kind);
    one(out, "domain", property.domain);
    one(out, "bundle", property.bundle);
    one(out, "publisher_id", property.publisher_id);
}

fn device(out: &mut ObjectWriter, device: &Device<'_>) {
    number(out, "type", device.kind);
    one(out, "os", device.os);
    one(out, "make", device.make);
    one(out, "model", device.model);
    one(out, "country", device.country);
}

fn privacy(out: &mut ObjectWriter, signals: &PrivacySignals<'_>) {
    signal(out, "gdpr", &signals.gdpr);
    one(out, "us_privacy", signals.us_privacy.text());
    one(out, "gpp", signals.gpp.text());
    signal(out, "coppa", &signals.coppa);
    signal(out, "lmt", &signals.lmt);
    signal(out, "dnt", &signals.dnt);
}

fn signal(out: &mut ObjectWriter, key: &str, signal: &Signal<'_>) {
    if let Some(flagged) = signal.flag() {
        out.named(key, flag(flagged));
    }
}

/// The members of the record but its body, each as it was sent. A second body under another name is left out: what was
/// taken out of the one must not stay in the other.
fn around_body(out: &mut ObjectWriter, record: &Object<'_>, body: &[Alias], hidden: &[Alias]) {
    for member in record.iter() {
        let mut left_out = body.iter().chain(hidden).filter_map(Alias::name);
        if !left_out.any(|name| member.is_named(name)) {
            out.raw(member.key.text(), member.value.text());
        }
    }
}

fn known(out: &mut ObjectWriter, key: &str, text: Option<&str>) {
    if let Some(text) = text {
        out.text(key, text);
    }
}

/// A scalar, as text.
fn one(out: &mut ObjectWriter, key: &str, value: Option<Value<'_>>) {
    match value {
        Some(value) if value.kind() == ValueKind::String && !value.is_blank() => out.named(key, value.text()),
        value => known(out, key, value.and_then(scalar::text).as_deref()),
    }
}

fn number(out: &mut ObjectWriter, key: &str, number: Option<i64>) {
    if let Some(number) = number {
        out.named(key, &number.to_string());
    }
}

fn flag(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}
