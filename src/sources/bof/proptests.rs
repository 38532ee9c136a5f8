//! What must hold for any record, wherever its fields stand and whatever is taken out of it.

use std::collections::BTreeSet;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, Value as Json};

use super::{
    Settings,
    aliases::{Alias, Aliases},
    arrival::Arrival,
    consumer::Sampling,
    metadata::Metadata,
    record::{Fate, fate},
    redaction::{of_aliases, of_limited_tracking, redacted},
};

fn judged(settings: &Settings, record: &[u8]) -> Fate {
    let metadata = Metadata::default();
    let arrival = Arrival {
        settings,
        source: "mm",
        data_center: None,
        metadata: &metadata,
        received_at: 7,
        depth_max: 16,
    };
    fate(&arrival, &Bytes::copy_from_slice(record), &mut ())
}

/// A value, its text with blanks where they may stand, and its kind.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        any::<bool>().prop_map(|truth| truth.to_string()),
        any::<i64>().prop_map(|number| number.to_string()),
        Just("-1.50E+2".to_owned()),
        "\\PC{0,8}".prop_map(|text| Json::from(text).to_string()),
        Just(r#""\"},{\\""#.to_owned()),
        Just(r#""198.51.100.7""#.to_owned()),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let blank = "[ \n\t]{0,2}";
        prop_oneof![
            (proptest::collection::vec(inner.clone(), 0..4), blank)
                .prop_map(|(items, blank)| format!("[{blank}{}{blank}]", items.join(&format!("{blank},")))),
            object_of(inner, &["a", "ifa", "id", "ip", "device", "user"], blank),
        ]
    })
}

/// Members of these names, some of them twice.
fn object_of(
    values: impl Strategy<Value = String>,
    names: &'static [&'static str],
    blank: &'static str,
) -> impl Strategy<Value = String> {
    let member = (proptest::sample::select(names), values, blank)
        .prop_map(|(name, value, blank)| format!("{blank}\"{name}\"{blank}:{blank}{value}{blank}"));
    (proptest::collection::vec(member, 0..6), blank)
        .prop_map(|(members, blank)| format!("{{{}{blank}}}", members.join(",")))
}

fn bid_request() -> impl Strategy<Value = String> {
    object_of(json(), &["id", "device", "user", "imp", "regs", "x"], "[ \n\t]{0,2}")
}

/// The same change made to a parsed value.
fn without(value: &mut Json, path: &[&str]) {
    let (Some(object), [name, rest @ ..]) = (value.as_object_mut(), path) else { return };
    match rest {
        [] => drop(object.remove(*name)),
        rest => object.get_mut(*name).into_iter().for_each(|inner| without(inner, rest)),
    }
}

/// The texts of everything in a value that no redaction touches, in order.
fn untouched(text: &str, path: &str, out: &mut Vec<String>) {
    use crate::event::json::{parts::members, value::Value};
    for member in members(Value::new(text)) {
        let path = format!("{path}/{}", member.key.as_column());
        match path.as_str() {
            "/device/ifa" | "/device/ip" | "/device/ipv6" | "/user/id" => {}
            "/device" | "/user" if member.value.text().starts_with('{') => {
                out.push(member.key.text().to_owned());
                untouched(member.value.text(), &path, out);
            }
            _ => out.extend([member.key.text().to_owned(), member.value.text().to_owned()]),
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(record in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = judged(&Settings::default(), &record);
    }

    #[test]
    fn no_record_panics_and_every_event_is_json(record in bid_request(), body in bid_request(), drops: bool) {
        let mut settings = Settings::default();
        settings.required.auction_id = false;
        settings.required.channel_type = false;
        settings.consumer.drop_exchange_uid = drops;
        let quoted = Json::from(body.as_str()).to_string();
        for record in [record.clone(), format!("{{\"Body\":{body}}}"), format!("{{\"Body\":{quoted}}}"), format!("{{\"Body\":{record}, \"x\":1}}")] {
            let fate = judged(&settings, record.as_bytes());
            let Fate::Event(event) = fate else { panic!("{fate:?} of {record}") };
            prop_assert!(serde_json::from_slice::<Map<String, Json>>(&event.event).is_ok());
            prop_assert!(serde_json::from_slice::<Map<String, Json>>(&event.context).is_ok());
        }
    }

    #[test]
    fn only_what_must_go_goes_and_every_other_byte_stays(request in bid_request()) {
        let aliases = Aliases::default().exchange_user;
        let redactions: Vec<_> = of_limited_tracking().chain(of_aliases(&aliases, false)).collect();
        let after = redacted(&request, &redactions);
        let kept = after.as_deref().unwrap_or(&request);

        let mut texts = Vec::new();
        untouched(&request, "", &mut texts);
        let mut rest = kept;
        for text in &texts {
            let at = rest.find(text.as_str());
            prop_assert!(at.is_some(), "{text} of {request} is not in {kept}");
            rest = &rest[at.unwrap() + text.len()..];
        }
        let mut left = Vec::new();
        untouched(kept, "", &mut left);
        prop_assert_eq!(&left, &texts, "{} of {}", kept, request);

        let (mut want, mut got): (Json, Json) = (serde_json::from_str(&request).unwrap(), serde_json::from_str(kept).unwrap());
        for path in [["device", "ifa"], ["user", "id"]] {
            let before = got.clone();
            without(&mut got, &path);
            prop_assert_eq!(&got, &before, "{:?} is still in {}", path, kept);
            without(&mut want, &path);
        }
        for path in [["device", "ip"], ["device", "ipv6"]] {
            without(&mut want, &path);
            without(&mut got, &path);
        }
        prop_assert_eq!(got, want);
        prop_assert_eq!(redacted(kept, &redactions), None, "a second time nothing is left to do");
    }

    /// A field is found under each of its aliases, whatever blanks stand under the earlier ones.
    #[test]
    fn fields_are_found_wherever_they_stand(picks in proptest::array::uniform6(any::<prop::sample::Index>()), blanks in proptest::collection::vec(0usize..3, 40), id in any::<u64>(), in_string: bool) {
        let aliases = Aliases::default();
        let mut blanks = blanks.into_iter();
        let (mut record, mut body) = (Map::new(), Map::new());
        let mut place = |places: &[Alias], pick: prop::sample::Index, value: Json| {
            let chosen = pick.index(places.len());
            for (index, alias) in places.iter().enumerate() {
                let value = match (index == chosen, blanks.next()) {
                    (true, _) => value.clone(),
                    (false, Some(1)) => Json::Null,
                    (false, Some(2)) => Json::from(""),
                    // Behind the one that counts anything may stand.
                    (false, _) if index > chosen => Json::from("decoy"),
                    _ => continue,
                };
                match (alias.name(), alias.path()) {
                    (Some(name), _) => drop(record.insert(name.to_owned(), value)),
                    (None, [name]) => drop(body.insert(name.clone(), value)),
                    (None, path) => drop(body.insert(path[0].clone(), serde_json::json!({ path[1].as_str(): value }))),
                }
            }
        };
        let number = Json::from(id);
        place(&aliases.auction_id, picks[0], if in_string { Json::from(id.to_string()) } else { number.clone() });
        place(&aliases.user, picks[1], Json::from("user"));
        place(&aliases.exchange, picks[2], number);
        place(&aliases.channel_type, picks[3], Json::from("VIDEO"));
        place(&aliases.geo, picks[4], Json::from(60231));
        place(&aliases.exchange_user, picks[5], Json::from("theirs"));
        body.insert("x".into(), Json::from(1));
        let text = Json::from(body).to_string();
        record.insert("BidRequest".into(), if in_string { Json::from(text.as_str()) } else { serde_json::from_str(&text).unwrap() });

        let fate = judged(&Settings::default(), Json::from(record).to_string().as_bytes());
        let Fate::Event(event) = fate else { panic!("{fate:?}") };
        prop_assert_eq!(event.dedup_key, Some(format!("{id}:{id}")));
        prop_assert_eq!((event.user_id.as_deref(), event.anonymous_id.as_deref()), (Some("user"), Some("theirs")));
        prop_assert_eq!(event.event_source, "VIDEO");
        let context: Json = serde_json::from_slice(&event.context).unwrap();
        prop_assert_eq!(&context["geo"], &Json::from("United States"));
        prop_assert_eq!(std::str::from_utf8(&event.event).unwrap(), &text);
    }
}

#[test]
fn a_sample_is_as_large_as_it_should_be_and_always_the_same() {
    let mut settings = Settings::default();
    settings.consumer.sampling = Sampling::percent(25.0).unwrap();
    let kept = |turn: u32| -> BTreeSet<u64> {
        // Everything but the auction id may change between two deliveries of a record.
        let record = |id: u64| format!(r#"{{"AuctionId":{id},"ChannelType":"VIDEO","delivery":{turn}}}"#);
        (0..100_000)
            .filter(|id| matches!(judged(&settings, record(*id).as_bytes()), Fate::Event(_)))
            .collect()
    };
    let first = kept(1);
    assert!((24_000..26_000).contains(&first.len()), "{}", first.len());
    assert_eq!(kept(2), first);
}
