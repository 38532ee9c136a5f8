//! Made-up events that look like real ones: each has a key of its own, its time is now.

use bytes::Bytes;
use serde_json::{Value, json};
use uuid::Uuid;

use super::Kind;
use crate::{clock::Clock, event::time::format_rfc3339};

const PAGES: [&str; 5] = ["/", "/pricing", "/courses/rust", "/checkout", "/account"];
const EVENTS: [&str; 5] = ["Order Completed", "Product Viewed", "Signed Up", "Video Played", "Search"];
const CHANNELS: [&str; 3] = ["DISPLAY", "VIDEO", "MOBILE_DISPLAY_IN_APP"];
const SIZES: [(u16, u16); 3] = [(300, 250), (728, 90), (320, 50)];
const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/141.0 Safari/537.36";

/// Events without end.
pub(super) fn events(kind: Kind) -> impl Iterator<Item = Bytes> {
    let mut random = fastrand::Rng::new();
    std::iter::from_fn(move || {
        let event = match kind {
            Kind::Segment => call(&mut random),
            Kind::Bof => opportunity(&mut random),
        };
        Some(event.to_string().into())
    })
}

fn one_of<T: Copy>(random: &mut fastrand::Rng, values: &[T], otherwise: T) -> T {
    random.choice(values).copied().unwrap_or(otherwise)
}

fn address(random: &mut fastrand::Rng) -> String {
    format!("198.51.100.{}", random.u8(1..))
}

/// A call as Segment makes it; it has what the dialect of edX wants as well.
fn call(random: &mut fastrand::Rng) -> Value {
    let now = format_rfc3339(Clock::default().now());
    let page = one_of(random, &PAGES, "/");
    let label = one_of(random, &EVENTS, "Search");
    let (kind, member) = match random.u8(0..10) {
        0..7 => ("track", "event"),
        7..9 => ("page", "name"),
        _ => ("screen", "name"),
    };
    let mut call = json!({
        "type": kind,
        "messageId": Uuid::now_v7().to_string(),
        "userId": random.u32(1..10_000).to_string(),
        "anonymousId": Uuid::now_v7().to_string(),
        "timestamp": now,
        "receivedAt": now,
        "channel": "server",
        "properties": {
            "event_type": label,
            "value": f64::from(random.u32(100..10_000)) / 100.0,
            "currency": "EUR",
        },
        "context": {
            "ip": address(random),
            "userAgent": AGENT,
            "page": { "path": page, "url": format!("https://shop.example{page}") },
        },
    });
    if let Some(members) = call.as_object_mut() {
        members.insert(member.into(), label.into());
    }
    call
}

/// A bid opportunity as MediaMath sends it.
fn opportunity(random: &mut fastrand::Rng) -> Value {
    let (width, height) = one_of(random, &SIZES, (300, 250));
    let domain = format!("news{}.example", random.u8(..));
    json!({
        "AuctionId": random.u64(1 << 62..1 << 63).to_string(),
        "ExchangeId": random.u8(1..100).to_string(),
        "ChannelType": one_of(random, &CHANNELS, "DISPLAY"),
        "MMUUID": Uuid::now_v7().to_string(),
        "Timestamp": format_rfc3339(Clock::default().now()),
        "Body": {
            "id": Uuid::now_v7().to_string(),
            "imp": [{ "id": "1", "banner": { "w": width, "h": height }, "bidfloor": 0.25, "secure": 1 }],
            "site": { "domain": domain, "page": format!("https://{domain}/{}", random.u32(..)) },
            "device": { "ua": AGENT, "ip": address(random), "language": "en" },
            "tmax": 120,
        },
    })
}
