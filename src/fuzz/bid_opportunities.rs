//! MediaMath's records, compared with the plain model.

use std::sync::LazyLock;

use bytes::Bytes;
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use super::{
    events::assert_storable,
    model::{self, Opportunity},
};
use crate::{
    event::record::Event,
    sources::bof::{
        Settings,
        arrival::Arrival,
        consumer::{ChannelType, Consumer, Filters, Sampling},
        metadata::Metadata,
        record::{Fate, fate},
    },
};

const NOW: i64 = 1_770_000_000_000_000;
const DEPTH: usize = 12;

static PLAIN: LazyLock<Settings> = LazyLock::new(Settings::default);

/// Wants little, and half of that, and keeps as little of it as it can.
static PICKY: LazyLock<Settings> = LazyLock::new(|| Settings {
    consumer: Consumer {
        filters: Filters {
            channel_types: Some(["DISPLAY", "VIDEO"].into_iter().filter_map(ChannelType::parse).collect()),
            exchange_ids: Some(["15".to_owned(), "42".to_owned()].into()),
            ..Filters::default()
        },
        sampling: Sampling::percent(50.0).unwrap(),
        drop_zero_uid: true,
        drop_exchange_uid: true,
        drop_body: true,
    },
    ..Settings::default()
});

/// A record meets the fate that the model foretells, with every column and all of its context; filters, samples and
/// what is to be dropped are applied to that very event.
pub(super) fn bof(data: &[u8]) {
    // Records come without the blanks around them.
    let sent = Bytes::copy_from_slice(data.trim_ascii());
    let want = model::opportunity(&sent, NOW, DEPTH);
    match (judged(&PLAIN, &sent), &want) {
        (Fate::Refused(breach), Opportunity::Refused(rule)) => {
            assert_eq!(breach.rule.id, *rule);
            assert!(breach.pointer.len() <= 530);
        }
        (Fate::Event(event), Opportunity::Event(want)) => compare(&event, want),
        other => panic!("{other:?}"),
    }
    picky(&judged(&PICKY, &sent), &want);
}

fn judged(settings: &Settings, sent: &Bytes) -> Fate {
    let metadata = Metadata::default();
    let arrival = Arrival {
        settings,
        source: "mm",
        data_center: None,
        metadata: &metadata,
        received_at: NOW,
        depth_max: DEPTH,
    };
    fate(&arrival, sent, &mut ())
}

fn compare(event: &Event, want: &model::Foretold) {
    assert_storable(event);
    assert_eq!(event.dedup_key.as_ref(), Some(&want.dedup_key));
    assert_eq!(event.event_source, want.channel_type);
    assert_eq!((&event.user_id, &event.anonymous_id), (&want.user_id, &want.anonymous_id));
    assert_eq!((event.time, event.received_at), (want.time, NOW));
    assert_eq!((&event.page, &event.host), (&want.page, &want.host));
    assert_eq!((&event.agent, &event.ip), (&want.agent, &want.ip));
    assert_eq!(event.sanitised, want.sanitised);
    let payload = std::str::from_utf8(&event.event).unwrap();
    if want.is_limited {
        limited(payload, &want.request);
    } else {
        assert_eq!(payload, want.request);
    }
    let mut context = model::members(std::str::from_utf8(&event.context).unwrap()).unwrap();
    let record = context.remove("record").unwrap_or_else(|| "{}".into());
    assert_eq!(model::members(&record).unwrap(), want.record);
    // Names come from lists that a test of their own reads.
    context.retain(|name, _| !matches!(name.as_str(), "exchange" | "geo"));
    let context: serde_json::Map<String, Json> =
        context.into_iter().map(|(name, value)| (name, serde_json::from_str(&value).unwrap())).collect();
    assert_eq!(context, want.context);
}

/// Of those who asked not to be tracked, nothing that tells them apart is kept, and everything else is.
fn limited(payload: &str, request: &str) {
    let (Ok(mut kept), Ok(mut sent)) =
        (serde_json::from_str::<Json>(payload), serde_json::from_str::<Json>(request))
    else {
        return;
    };
    if let Some(device) = kept.get("device").and_then(Json::as_object) {
        assert!(!device.contains_key("ifa"));
        for name in ["ip", "ipv6"] {
            let address = device.get(name).and_then(Json::as_str).filter(|address| !address.is_empty());
            assert!(address.is_none_or(|address| model::without_host(address).as_deref() == Some(address)));
        }
    }
    for value in [&mut kept, &mut sent] {
        if let Some(device) = value.get_mut("device").and_then(Json::as_object_mut) {
            device.retain(|name, _| !matches!(name.as_str(), "ip" | "ipv6" | "ifa"));
        }
    }
    assert_eq!(kept, sent);
}

fn picky(fate: &Fate, want: &Opportunity) {
    let Opportunity::Event(want) = want else {
        assert!(matches!(fate, Fate::Refused(_)));
        return;
    };
    let is_zero = want.user_id.as_deref().unwrap_or_default().chars().all(|c| c == '0' || c == '-');
    let is_wanted = ["display", "video"].contains(&want.channel_type.to_ascii_lowercase().as_str())
        && matches!(want.exchange_id.as_deref(), Some("15" | "42"))
        && !is_zero;
    let is_in_sample = Sha256::digest(&want.auction_id)[0] < 128;
    match fate {
        Fate::Filtered(_) => assert!(!is_wanted),
        Fate::SampledOut => assert!(is_wanted && !is_in_sample),
        Fate::Event(event) => {
            assert!(is_wanted && is_in_sample);
            assert_eq!((&*event.event, &event.anonymous_id), (&b"{}"[..], &None));
            let context = model::members(std::str::from_utf8(&event.context).unwrap()).unwrap();
            let record = context.get("record").and_then(|record| model::members(record)).unwrap_or_default();
            assert!(!record.contains_key("ExchangeUID") && !record.contains_key("exchange_uid"));
        }
        Fate::Refused(breach) => panic!("{breach:?}"),
    }
}
