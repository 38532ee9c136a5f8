//! What a source of kind `bof` may say. This version checks such a source and does not serve it: one settings file can
//! already name every sender, and a start says plainly which of them have no endpoint yet.

use super::{secrets, section::Section, sources};
use crate::{clock::UnixMicros, sources::SourceName};

pub(super) fn read(section: &Section<'_, '_>, name: Option<&SourceName>, now: UnixMicros) {
    let label = name.map_or("?", SourceName::as_str);
    secrets::key_ring(section, label, now);
    section.boolean("enabled");
    section.parsed_texts("paths", sources::path);
    sources::networks(section);
    sources::priority(section);
    section.word("privacy", &[("truncate", ()), ("keep", ())]);
    section.parsed_texts("required", |text| match text {
        "auction_id" | "channel_type" => Ok(()),
        _ => Err("must be some of auction_id, channel_type".into()),
    });
    status(section, "success_status", &[200, 202, 204]);
    status(section, "overload_status", &[429, 503]);
    let limits = section.section("limits");
    for key in ["body", "decoded", "record"] {
        limits.bytes(key, 1..=u64::MAX);
    }
    limits.finish();
    let consumer = section.section("consumer");
    for key in ["DropZeroUID", "DropExchangeUID", "DropBody"] {
        consumer.boolean(key);
    }
    let filters = consumer.section("Filters");
    for key in ["X-Mm-Channel-Type", "X-Mm-Exch-Id", "X-Mm-Geo", "X-Mm-Deal-Id"] {
        filters.texts(key);
    }
    filters.finish();
    let sampling = consumer.section("SampleSettings");
    sampling.boolean("Disabled");
    sampling.integer("SampleRate", 0..=100);
    sampling.finish();
    consumer.finish();
    section
        .reading
        .warn(format!("source {label:?} is of kind bof, which this version checks but does not serve"));
}

fn status(section: &Section<'_, '_>, key: &'static str, known: &[u64]) {
    if section.integer(key, 200..=599).is_some_and(|status| !known.contains(&status)) {
        section.mistake(key, format!("must be one of {known:?}"));
    }
}
