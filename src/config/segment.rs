//! What a source of kind `segment` may say: each row of its preset, overridden one by one.

use std::sync::Arc;

use super::section::Section;
use crate::sources::{
    Kind,
    segment::{Allowlist, EventTypeFrom, Preset, Required, Settings, Users, field::FieldPath},
};

/// The word for Segment's own place of an event's type.
const CALL: &str = "call";

pub(super) fn read(section: &Section<'_, '_>) -> Kind {
    let presets = [("edx", Preset::Edx), ("segment", Preset::Segment)];
    let mut settings = Settings::preset(section.word("preset", &presets).unwrap_or_default());
    for (key, fields) in [
        ("channel_from", &mut settings.channel_from),
        ("action_from", &mut settings.action_from),
        ("dedup_from", &mut settings.dedup_from),
    ] {
        if let Some(paths) = section.parsed_texts(key, field) {
            if paths.is_empty() {
                section.mistake(key, "must name at least one field");
            }
            *fields = paths;
        }
    }
    if let Some(words) = section.texts("event_type_from") {
        settings.event_type_from = if words == [CALL] {
            EventTypeFrom::Call
        } else {
            EventTypeFrom::Fields(section.parsed_texts("event_type_from", field).unwrap_or_default())
        };
    }
    let required = |text: &str| {
        Required::WORDS.iter().find(|(word, _)| *word == text).map(|(_, required)| *required).ok_or_else(
            || {
                let known: Vec<_> = Required::WORDS.iter().map(|(word, _)| *word).collect();
                format!("must be some of {}", known.join(", "))
            },
        )
    };
    if let Some(required) = section.parsed_texts("required", required) {
        settings.required = required;
    }
    let users = [("any", Users::Any), ("integer", Users::Integer), ("directory", Users::Directory)];
    if let Some(users) = section.word("users", &users) {
        settings.users = users;
    }
    if let Some(channels) = section.texts("allowed_channels") {
        settings.allowed_channels = Some(Allowlist::new(channels));
    }
    if let Some(actions) = section.texts("allowed_actions") {
        settings.allowed_actions = Some(Allowlist::new(actions));
    }
    Kind::Segment(Arc::new(settings))
}

fn field(text: &str) -> Result<FieldPath, String> {
    FieldPath::parse(text).ok_or_else(|| "must be fields such as channel or properties.event_source".into())
}
