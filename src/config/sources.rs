//! The senders of the settings: `[[source]]`.

use std::collections::BTreeSet;

use ipnet::IpNet;

use super::{bof, secrets, section::Section, segment};
use crate::{
    clock::UnixMicros,
    ingest::delivery_id::ELEMENTS_MAX,
    secret::Secret,
    sources::{Limits, Priority, Source, SourceName},
};

#[derive(Clone, Copy)]
enum KindWord {
    Segment,
    Bof,
}

/// All sources that this version serves.
pub(super) fn read(root: &Section<'_, '_>, body_memory: usize, now: UnixMicros) -> Vec<Source> {
    let mut names = BTreeSet::new();
    let mut paths = BTreeSet::new();
    let mut sources = Vec::new();
    for section in root.sections("source", "name") {
        let name = section.parsed("name", |text| {
            SourceName::new(text).ok_or_else(|| "must be 1 to 64 of a-z, 0-9, _ and -".into())
        });
        match &name {
            Some(name) if !names.insert(name.clone()) => {
                section.mistake("name", "two sources have this name");
            }
            None if !section.has("name") => section.mistake("name", "is missing"),
            _ => {}
        }
        let kind = section.word("kind", &[("segment", KindWord::Segment), ("bof", KindWord::Bof)]);
        if kind.is_none() && !section.has("kind") {
            section.mistake("kind", "is missing; known are segment, bof");
        }
        match kind {
            Some(kind) => sources.extend(source(&section, kind, name, body_memory, now, &mut paths)),
            // Without a kind nobody can say which keys it may have.
            None => continue,
        }
        section.finish();
    }
    if names.is_empty() {
        root.reading.warn("no source is configured: nothing can be delivered".into());
    }
    sources
}

fn source(
    section: &Section<'_, '_>,
    kind: KindWord,
    name: Option<SourceName>,
    body_memory: usize,
    now: UnixMicros,
    taken: &mut BTreeSet<String>,
) -> Option<Source> {
    let label = name.as_ref().map_or("?", SourceName::as_str).to_owned();
    let own_paths = section.parsed_texts("paths", path).unwrap_or_default();
    for path in &own_paths {
        if !taken.insert(path.clone()) {
            section.mistake("paths", "a path can lead to one source only");
        }
    }
    let keys = secrets::key_ring(section, &label, now);
    let limits = limits(section.section("limits"), kind, body_memory);
    let (kind, signing_secret) = match kind {
        KindWord::Segment => (segment::read(section), signing_secret(section, &label, now)),
        KindWord::Bof => (bof::read(section), None),
    };
    Some(Source {
        enabled: section.boolean("enabled").unwrap_or(true),
        paths: own_paths,
        keys,
        signing_secret,
        allowed_networks: networks(section),
        priority: priority(section),
        limits,
        kind,
        name: name?,
    })
}

fn signing_secret(section: &Section<'_, '_>, source: &str, now: UnixMicros) -> Option<Secret> {
    if !section.has("signing_secret") {
        return None;
    }
    let named = section.section("signing_secret");
    let what = format!("signing_secret of source {source:?}");
    let secret = secrets::secret(&named, &what);
    if let Some(secret) = &secret {
        secrets::warn_if_weak(&named, &what, secret, None, now);
    }
    named.finish();
    secret
}

fn networks(section: &Section<'_, '_>) -> Vec<IpNet> {
    let parse = |text: &str| text.parse().map_err(|_| "must be networks such as 192.0.2.0/24".to_owned());
    section.parsed_texts("allowed_networks", parse).unwrap_or_default()
}

fn priority(section: &Section<'_, '_>) -> Priority {
    section.word("priority", &[("normal", Priority::Normal), ("low", Priority::Low)]).unwrap_or_default()
}

fn limits(section: Section<'_, '_>, kind: KindWord, body_memory: usize) -> Limits {
    let defaults = match kind {
        KindWord::Segment => Limits::default(),
        KindWord::Bof => Limits::streamed(),
    };
    let number = |key, max: u64| section.integer(key, 1..=max);
    let count = |key, max: u64| number(key, max).and_then(|count| usize::try_from(count).ok());
    let common = Limits {
        body_bytes: section.bytes_in_memory("body", 1..=u64::MAX).unwrap_or(defaults.body_bytes),
        decoded_bytes: section.bytes_in_memory("decoded", 1..=u64::MAX).unwrap_or(defaults.decoded_bytes),
        depth: count("depth", 10_000).unwrap_or(defaults.depth),
        events_per_second: number("events_per_second", u64::from(u32::MAX))
            .and_then(|events| u32::try_from(events).ok()),
        ..defaults
    };
    let limits = match kind {
        KindWord::Segment => Limits {
            batch_events: count("batch", ELEMENTS_MAX as u64).unwrap_or(defaults.batch_events),
            ..common
        },
        KindWord::Bof => Limits {
            record_bytes: section.bytes_in_memory("record", 1..=u64::MAX).unwrap_or(defaults.record_bytes),
            expansion_ratio: number("expansion_ratio", u64::MAX).unwrap_or(defaults.expansion_ratio),
            lzop_block_bytes: section
                .bytes("lzop_block", 1..=u64::from(u32::MAX))
                .map_or(defaults.lzop_block_bytes, |bytes| u32::try_from(bytes).unwrap_or(u32::MAX)),
            ..common
        },
    };
    if matches!(kind, KindWord::Segment) && limits.body_bytes > body_memory {
        section.mistake("body", "must not be more than collect.body_memory, where bodies are held");
    }
    section.finish();
    limits
}

/// An extra path: absolute, exact, and none of ours.
fn path(text: &str) -> Result<String, String> {
    let plain =
        text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'?' | b'#' | b'{' | b'}'));
    let ours = text.starts_with("/v1/") || matches!(text, "/livez" | "/readyz" | "/metrics");
    if text.starts_with('/') && text.len() > 1 && plain && !ours {
        Ok(text.to_owned())
    } else {
        Err("must be absolute paths, without query, and none of /v1/…, /livez, /readyz".into())
    }
}
