//! Segment's bodies: splitting, and what becomes of each element, compared with the plain model.

use std::{sync::Arc, sync::LazyLock};

use bytes::Bytes;
use serde_json::value::RawValue;

use super::model::{self, Verdict};
use crate::{
    event::{json::object::Object, record::Event},
    sources::segment::{
        Allowlist, Preset, Required, Settings, UserNames, Users,
        arrival::Arrival,
        element::{Element, Elements, Fate, SplitError, fate, split},
    },
};

const NOW: i64 = 1_770_000_000_000_000;
const DEPTH: usize = 12;
const ELEMENTS: usize = 50;

/// The presets, and one source that differs from both wherever it can.
static SETTINGS: LazyLock<[Settings; 3]> = LazyLock::new(|| {
    let list = |values: &[&str]| Some(Allowlist::new(values.iter().map(|value| (*value).to_owned())));
    [
        Settings {
            users: Users::Directory,
            allowed_channels: list(&["server", "Browser"]),
            allowed_actions: list(&["track", "Page"]),
            ..Settings::preset(Preset::Edx)
        },
        Settings::preset(Preset::Segment),
        Settings {
            users: Users::Integer,
            required: vec![Required::EventType],
            allowed_actions: list(&["track", "screen", ""]),
            ..Settings::preset(Preset::Segment)
        },
    ]
});

struct Directory;

impl UserNames for Directory {
    fn username(&self, id: i64) -> Option<Arc<str>> {
        (1..=99).contains(&id).then(|| format!("learner{id}").into())
    }
}

/// A body is split as a JSON library splits it, and every element of it meets the fate that the model foretells, with
/// every column and every value as foretold.
pub(super) fn segment(data: &[u8]) {
    let body = Bytes::copy_from_slice(data);
    let found = split(&body, ELEMENTS, &mut ());
    let text = std::str::from_utf8(&body).ok().map(|text| text.trim_matches([' ', '\t', '\n', '\r']));
    match &found.elements {
        Ok(Elements::Batch(elements)) => {
            let plain: Vec<&RawValue> = serde_json::from_str(text.unwrap()).unwrap();
            assert!(
                plain.iter().map(|element| element.get()).eq(elements.iter().map(|element| element.text()))
            );
            assert!(elements.len() <= ELEMENTS);
        }
        Ok(Elements::Single(element)) => assert_eq!(text, Some(*element)),
        Err(SplitError::TooMany) => assert!(text.unwrap().starts_with('[')),
        Err(SplitError::Refused(breach)) => match breach.rule.id {
            "body.utf8" => assert_eq!(text, None),
            "body.empty" => assert_eq!(text, Some("")),
            _ => assert!(text.unwrap().starts_with('[') && !model::is_json(text.unwrap())),
        },
    }
    for element in found.elements.iter().flat_map(Elements::iter) {
        for settings in SETTINGS.iter() {
            judged(settings, &body, element);
        }
    }
}

fn judged(settings: &Settings, body: &Bytes, element: Element<'_>) {
    let arrival = Arrival {
        settings,
        source: "web",
        path: "/p",
        host: "h",
        received_at: NOW,
        depth_max: DEPTH,
        users: &Directory,
        body,
    };
    let got = match fate(&arrival, element, &mut ()) {
        Fate::Event { event, .. } => {
            assert_storable(&event);
            Verdict::Event(Box::new(columns(*event)))
        }
        Fate::Ignored(breach) => Verdict::Ignored(breach.rule.id),
        Fate::Refused(breach) => Verdict::Refused(breach.rule.id),
    };
    assert_eq!(got, model::event(settings, element.text(), NOW, DEPTH), "{element:?}");
}

fn columns(event: Event) -> model::Columns {
    let json = |bytes: &Bytes| std::str::from_utf8(bytes).unwrap().to_owned();
    assert_eq!((event.source.as_str(), event.received_at), ("web", NOW));
    let payload = json(&event.event);
    model::Columns {
        texts: [
            event.kind,
            event.action,
            event.event_type,
            event.name,
            event.event_source,
            event.host,
            event.agent,
            event.ip,
        ],
        optional: [event.dedup_key, event.user_id, event.anonymous_id, event.username, event.page],
        time: event.time,
        event: model::members(&payload).ok_or(payload),
        context: model::members(&json(&event.context)).unwrap(),
        sanitised: event.sanitised,
        hash: event.event_hash.to_vec(),
    }
}

/// No database refuses a row for what stands in it.
pub(super) fn assert_storable(event: &Event) {
    let texts = [
        &event.source,
        &event.kind,
        &event.action,
        &event.event_type,
        &event.name,
        &event.event_source,
        &event.host,
        &event.agent,
        &event.ip,
    ];
    let optional = [&event.dedup_key, &event.user_id, &event.anonymous_id, &event.username, &event.page];
    for text in texts.into_iter().chain(optional.into_iter().flatten()) {
        assert!(!text.contains('\0'));
    }
    assert!(event.dedup_key.as_ref().is_none_or(|key| key.len() <= 200));
    for json in [&event.event, &event.context] {
        let text = std::str::from_utf8(json).unwrap();
        assert!(model::is_json(text));
        assert_eq!(model::clean(text, usize::MAX).as_deref(), Ok(text));
    }
    assert!(Object::parse(std::str::from_utf8(&event.context).unwrap()).is_ok());
}
