//! What goes in: an event of 1 KiB, and the bid opportunities that the tests keep.

use std::{
    io::{Cursor, Read},
    sync::Arc,
};

use bytes::Bytes;
use tidegate::{
    clock::UnixMicros,
    codec::{
        Encoding,
        records::{Record, RecordLimits, Records},
        stream::{self, StreamLimits},
    },
    event::record::Event,
    ingest::body::{Content, DeliveryBody},
    secret::Secret,
    sources::{
        Kind, Limits, Priority, Source, SourceName,
        delivery::{AuthenticDelivery, RawDelivery},
        key::{Key, KeyRing},
        segment::{Allowlist, Preset, Settings, UserNames, arrival::Arrival, element},
    },
};

/// As many opportunities as the file holds.
pub(crate) const OPPORTUNITIES: usize = 300;
pub(crate) const RECEIVED_AT: UnixMicros = 1_772_323_200_000_000;
pub(crate) const PATH: &str = "/v1/segment/load";
pub(crate) const HOST: &str = "collector.example";
pub(crate) const QUERY: &str = "key=0f1e2d3c4b5a69788796a5b4c3d2e1f0";

/// Nobody: the settings measured here do not ask for users.
pub(crate) struct NoUsers;

impl UserNames for NoUsers {
    fn username(&self, _id: i64) -> Option<Arc<str>> {
        None
    }
}

/// One event of about 1 KiB, a different one for each number.
pub(crate) fn event(number: usize) -> String {
    with_members(number, "", "")
}

/// The same with what the preset `edx` asks for beside.
pub(crate) fn edx_event(number: usize) -> String {
    let property = r#","event_type":"acme.unit.viewed","event":{"page":7},"context":{"host":"learn.example","course_id":"course-v1:acme+rust101+2026"}"#;
    with_members(number, r#","receivedAt":"2026-03-01T00:00:01.000Z""#, property)
}

/// An event that holds others, about 64 KiB in all.
pub(crate) fn large_event() -> String {
    let items: Vec<String> = (0..63).map(event).collect();
    with_members(63, "", &format!(r#","items":[{}]"#, items.join(",")))
}

fn with_members(number: usize, root: &str, properties: &str) -> String {
    let (user, value, filler) = (number % 500, number % 100, "river stone lamp orbit ".repeat(26));
    format!(
        r#"{{"messageId":"r12345-0-{number}","type":"track","event":"unit.viewed","userId":{user},"anonymousId":"a-{number}","channel":"server","timestamp":"2026-03-01T00:00:00.123Z"{root},"context":{{"ip":"203.0.113.7","userAgent":"Mozilla/5.0 (X11; Linux x86_64)","locale":"en-GB","app":{{"name":"acme","version":"5.4.1"}}}},"properties":{{"name":"acme.unit.viewed","page":"screen/7","label":"{filler}","value":{value}.25{properties}}}}}"#
    )
}

/// The body that carries these events: one by itself, several as a batch.
pub(crate) fn body(events: usize) -> String {
    match events {
        1 => event(1),
        _ => format!("[{}]", (0..events).map(event).collect::<Vec<_>>().join(",")),
    }
}

/// The same as it reaches ingest.
pub(crate) fn delivery_body(events: usize) -> DeliveryBody {
    let bytes = Bytes::from(body(events));
    DeliveryBody { wire: bytes.clone(), content: Content::Decoded(Encoding::Identity, bytes) }
}

/// How a source reads events; `edx` with the lists that let ours in.
pub(crate) fn settings(preset: Preset) -> Settings {
    let mut settings = Settings::preset(preset);
    if preset == Preset::Edx {
        settings.allowed_channels = Some(Allowlist::new(["server".to_owned()]));
        settings.allowed_actions = Some(Allowlist::new(["track".to_owned()]));
    }
    settings
}

/// Two keys, of which the second opens: the rotation of a secret.
pub(crate) fn raw_delivery() -> RawDelivery {
    let key = |id: &str, secret: &str| Key::new(id.to_owned(), &Secret::new(secret.to_owned()), None);
    let secret = QUERY.strip_prefix("key=").unwrap();
    let source = Source {
        name: SourceName::new("load").unwrap(),
        enabled: true,
        paths: Vec::new(),
        keys: KeyRing::new(vec![key("old", "00112233445566778899aabbccddeeff"), key("new", secret)]),
        signing_secret: None,
        allowed_networks: Vec::new(),
        priority: Priority::Normal,
        limits: Limits::default(),
        kind: Kind::Segment(Arc::new(settings(Preset::Segment))),
    };
    RawDelivery {
        source: Arc::new(source),
        method: "POST".to_owned(),
        path: PATH.to_owned(),
        host: HOST.to_owned(),
        content_type: "application/json".to_owned(),
        signature: None,
        received_at: RECEIVED_AT,
    }
}

/// A delivery that passed the key check.
pub(crate) fn delivery() -> AuthenticDelivery {
    raw_delivery().authenticate(Some(QUERY)).unwrap()
}

/// Everything but its text that decides what becomes of an event.
pub(crate) fn arrival<'d>(settings: &'d Settings, body: &'d Bytes) -> Arrival<'d> {
    Arrival {
        settings,
        source: "load",
        path: PATH,
        host: HOST,
        received_at: RECEIVED_AT,
        depth_max: Limits::default().depth,
        users: &NoUsers,
        body,
    }
}

/// Canonical events, as ingest encodes them and sinks get them.
pub(crate) fn events(count: usize) -> Vec<Event> {
    let settings = settings(Preset::Segment);
    let canonical = |number| {
        let body = Bytes::from(event(number));
        let text = std::str::from_utf8(&body).unwrap();
        match element::fate(&arrival(&settings, &body), element::Element::Unparsed(text), &mut ()) {
            element::Fate::Event { event, .. } => Event { event_id_low: number as u64, ..*event },
            other => unreachable!("the event is no event: {other:?}"),
        }
    };
    (0..count).map(canonical).collect()
}

/// The opportunities as they are after decompression.
pub(crate) fn opportunities() -> Vec<u8> {
    let packed = include_bytes!("../../tests/fixtures/bof/opportunities.jsonl.gz");
    let limits = StreamLimits { decoded_bytes: 1 << 20, ratio: 1000, block_bytes: 1 << 20 };
    let mut plain = Vec::new();
    stream::open(Cursor::new(packed), limits).unwrap().read_to_end(&mut plain).unwrap();
    plain
}

/// The records of opportunities, one after the other.
pub(crate) fn records(opportunities: &[u8]) -> impl Iterator<Item = Bytes> {
    let limits = RecordLimits { record_bytes: Limits::streamed().record_bytes };
    Records::new(opportunities, limits).map(|record| match record {
        Ok(Record::Whole(bytes)) => bytes,
        other => unreachable!("the opportunity is no record: {other:?}"),
    })
}
