//! Records in every form, and what becomes of them.

use std::{collections::BTreeSet, io::Read as _};

use bytes::Bytes;

use super::{
    Privacy, Settings,
    aliases::Alias,
    arrival::Arrival,
    consumer::{ChannelType, Sampling},
    metadata::Metadata,
    record::{Fate, fate},
};
use crate::{
    event::{record::Event, time::format_rfc3339},
    sources::rule,
};

const RECEIVED_AT: i64 = 1_772_323_200_000_000;

fn judged(settings: &Settings, headers: &[(&str, &str)], record: &str) -> Fate {
    let metadata = Metadata::new(headers.iter().map(|(name, value)| (*name, value.as_bytes())));
    let arrival = Arrival {
        settings,
        source: "mm",
        data_center: Some("ewr"),
        metadata: &metadata,
        received_at: RECEIVED_AT,
        depth_max: 8,
    };
    fate(&arrival, &Bytes::copy_from_slice(record.as_bytes()), &mut ())
}

fn event_of(settings: &Settings, record: &str) -> Event {
    match judged(settings, &[], record) {
        Fate::Event(event) => *event,
        other => panic!("{other:?} of {record}"),
    }
}

/// Nothing is required, so that a test can say no more than it means.
fn undemanding() -> Settings {
    let mut settings = Settings::default();
    settings.required.auction_id = false;
    settings.required.channel_type = false;
    settings
}

fn text(bytes: &Bytes) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn context(event: &Event) -> serde_json::Value {
    serde_json::from_slice(&event.context).unwrap()
}

fn encoded(body: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    STANDARD.encode(body)
}

const BODY: &str = r#"{"id":"r1", "at":"2","tmax":120.0,"test":"1","imp":[{"id":"1","banner":{},"bidfloor":5E-1,"pmp":{"deals":[{"id":"D1"},{"id":7}]}},{"video":null,"native":{},"pmp":{"deals":[{"id":"D1"}]}}],"site":{"domain":"news.example","page":"https://news.example/a","publisher":{"id":"p1"}},"device":{"ua":"Mozilla/5.0","ip":"198.51.100.7","ifa":"i","os":"iOS","make":"acme","model":"m","devicetype":"4","lmt":0,"geo":{"country":"USA"}},"user":{"id":"x1","buyeruid":"b"},"regs":{"coppa":0,"us_privacy":"","ext":{"gdpr":true,"us_privacy":"1YNN","gpp":"G"}}}"#;

#[test]
fn every_column_has_its_content() {
    let record = format!(
        r#"{{"AuctionId":18446744073709551615,"MMUUID":"u1","X-Mm-Exch-Id":15,"X-Mm-Geo":"60231","X-Mm-Channel-Type":"display","Timestamp":1772323200123,"DealIds":["D2",3],"ExchangeUID":"x1","Body":{BODY}}}"#
    );
    let event = event_of(&Settings::default(), &record);
    let context = std::mem::take(&mut event.clone().context);
    let want = Event {
        source: "mm".into(),
        kind: "bof".into(),
        dedup_key: Some("15:18446744073709551615".into()),
        action: "opportunity".into(),
        event_type: "bof.opportunity".into(),
        event_source: "display".into(),
        time: RECEIVED_AT + 123_000,
        received_at: RECEIVED_AT,
        user_id: Some("u1".into()),
        anonymous_id: Some("x1".into()),
        page: Some("https://news.example/a".into()),
        host: "news.example".into(),
        agent: "Mozilla/5.0".into(),
        ip: "198.51.100.7".into(),
        event: Bytes::copy_from_slice(BODY.as_bytes()),
        context: context.clone(),
        ..Event::default()
    };
    assert_eq!(event, want);
    assert_eq!(
        text(&context),
        r#"{"auction_id":"18446744073709551615","exchange_id":"15","exchange":"Index Exchange","geo_id":"60231","geo":"United States","deal_ids":["D2","3","D1","7"],"channel_type":"display","data_center":"ewr","media_types":["banner","native"],"imp_count":2,"floor_cpm":"0.5","currency":"USD","auction_type":2,"tmax_ms":120,"property":{"kind":"site","domain":"news.example","publisher_id":"p1"},"device":{"type":4,"os":"iOS","make":"acme","model":"m","country":"USA"},"privacy":{"gdpr":true,"us_privacy":"1YNN","gpp":"G","coppa":false,"lmt":false},"test":true,"record":{"AuctionId":18446744073709551615,"MMUUID":"u1","X-Mm-Exch-Id":15,"X-Mm-Geo":"60231","X-Mm-Channel-Type":"display","Timestamp":1772323200123,"DealIds":["D2",3],"ExchangeUID":"x1"}}"#
    );
}

#[test]
fn the_form_of_the_body_changes_nothing_but_the_record() {
    let quoted = serde_json::Value::from(BODY).to_string();
    let base64 = format!("\"{}\"", encoded(BODY));
    for body in [BODY, &quoted, &base64] {
        let event = event_of(&undemanding(), &format!(r#"{{"exch_id":"3","UUID":"u","Body":{body}}}"#));
        assert_eq!(text(&event.event), BODY);
        assert_eq!((event.dedup_key.as_deref(), event.user_id.as_deref()), (Some("3:r1"), Some("u")));
        assert_eq!(context(&event)["record"], serde_json::json!({"exch_id": "3", "UUID": "u"}));
    }
    let event = event_of(&undemanding(), BODY);
    assert_eq!((text(&event.event), context(&event).get("record")), (BODY, None));
    let bare = r#"{"AuctionID":"a","Geo":60231,"user":{"id":"x"}}"#;
    let event = event_of(&undemanding(), bare);
    assert_eq!(
        (text(&event.event), context(&event).get("record")),
        (bare, None),
        "without a body the record is it"
    );
    assert_eq!(event.anonymous_id.as_deref(), Some("x"));
}

#[test]
fn an_event_shares_the_bytes_of_its_record() {
    let record = Bytes::from(format!(r#"{{"id":"a","Body":{BODY}}}"#));
    let (settings, metadata) = (undemanding(), Metadata::default());
    let arrival = Arrival {
        settings: &settings,
        source: "mm",
        data_center: None,
        metadata: &metadata,
        received_at: 0,
        depth_max: 64,
    };
    let Fate::Event(event) = fate(&arrival, &record, &mut ()) else { panic!("no event") };
    assert!(record.as_ptr_range().contains(&event.event.as_ptr()));
}

#[test]
fn what_makes_a_record_no_event_has_its_rule() {
    let settings = Settings::default();
    let deep = format!(r#"{{"x":{}{}}}"#, "[".repeat(8), "]".repeat(8));
    for (record, rule, pointer) in [
        ("7", rule::RECORD_NOT_OBJECT, ""),
        ("[{}]", rule::RECORD_NOT_OBJECT, ""),
        ("null", rule::RECORD_NOT_OBJECT, ""),
        ("{\"a\":1,}", rule::RECORD_MALFORMED, ""),
        ("{\"a\":1} {}", rule::RECORD_MALFORMED, ""),
        ("", rule::RECORD_MALFORMED, ""),
        (&deep, rule::DEPTH, "/x/0/0/0/0/0/0/0"),
        (r#"{"x":1e999}"#, rule::NUMBER_RANGE, "/x"),
        (r#"{"id":1,"ChannelType":"VIDEO","body":7}"#, rule::BID_REQUEST, "/body"),
        (r#"{"id":1,"ChannelType":"VIDEO","Body":"{\"x\":1e999}"}"#, rule::NUMBER_RANGE, "/Body/x"),
        (r#"{"ChannelType":"VIDEO"}"#, rule::AUCTION_ID_MISSING, "/AuctionId"),
        (
            r#"{"ChannelType":"VIDEO","id":"","AuctionId":null,"Body":{}}"#,
            rule::AUCTION_ID_MISSING,
            "/AuctionId",
        ),
        (r#"{"ChannelType":"VIDEO","AuctionId":1.5}"#, rule::AUCTION_ID_INVALID, "/AuctionId"),
        (
            r#"{"ChannelType":"VIDEO","AuctionId":18446744073709551616,"id":1}"#,
            rule::AUCTION_ID_INVALID,
            "/AuctionId",
        ),
        (r#"{"id":1}"#, rule::CHANNEL_TYPE_MISSING, "/X-Mm-Channel-Type"),
        (r#"{"id":1,"channel_type":{}}"#, rule::CHANNEL_TYPE_MISSING, "/X-Mm-Channel-Type"),
    ] {
        assert_eq!(judged(&settings, &[], record), Fate::Refused(rule.at(pointer)), "{record}");
    }
    let (metadata, record) = (Metadata::default(), Bytes::from_static(b"{\"id\":\"\xff\"}"));
    let arrival = Arrival {
        settings: &settings,
        source: "mm",
        data_center: None,
        metadata: &metadata,
        received_at: 0,
        depth_max: 8,
    };
    assert_eq!(fate(&arrival, &record, &mut ()), Fate::Refused(rule::RECORD_UTF8.at("")));
}

#[test]
fn what_no_database_can_hold_is_replaced() {
    for record in [
        r#"{"id":"a\u0000","Body":{"x":"y"}}"#,
        r#"{"id":"a\ud800","Body":{"x":"y"}}"#,
        r#"{"id":"a\ufffd","Body":{"x":"\u0000"}}"#,
        r#"{"id":"a\ufffd","Body":"{\"x\":\"\\u0000\"}"}"#,
    ] {
        let event = event_of(&undemanding(), record);
        assert!(event.sanitised, "{record}");
        assert!(matches!(text(&event.event), r#"{"x":"y"}"# | r#"{"x":"\ufffd"}"#), "{record}");
        assert_eq!(context(&event)["auction_id"], "a\u{fffd}", "{record}");
    }
}

#[test]
fn a_path_may_say_anything_of_its_data_center() {
    let (settings, metadata) = (undemanding(), Metadata::default());
    let arrival = Arrival {
        settings: &settings,
        source: "mm",
        data_center: Some("e\0\"w"),
        metadata: &metadata,
        received_at: 0,
        depth_max: 8,
    };
    let Fate::Event(event) = fate(&arrival, &Bytes::from_static(b"{}"), &mut ()) else { panic!("no event") };
    assert_eq!(context(&event)["data_center"], "e\u{fffd}\"w");
}

#[test]
fn headers_stand_in_for_what_a_record_lacks() {
    let headers = [
        ("X-Mm-Exch-Id", "42"),
        ("x-mm-channel-type", "VIDEO"),
        ("X-MM-GEO", "60040"),
        ("X-Mm-Deal-Id", "D1, D2"),
        ("X-Mm-Batch", "7"),
        ("Content-Type", "application/json"),
    ];
    let fate = judged(&Settings::default(), &headers, r#"{"id":9007199254740993,"ExchangeId":""}"#);
    let Fate::Event(event) = fate else { panic!("{fate:?}") };
    assert_eq!(
        (event.event_source.as_str(), event.dedup_key.as_deref()),
        ("VIDEO", Some("42:9007199254740993"))
    );
    let said = context(&event);
    assert_eq!((&said["geo_id"], &said["exchange"]), (&"60040".into(), &"Sonobi".into()));
    assert_eq!(said["deal_ids"], serde_json::json!(["D1", "D2"]));
    let sent: serde_json::Map<_, _> =
        headers[..5].iter().map(|(name, value)| (name.to_lowercase(), (*value).into())).collect();
    assert_eq!(said["delivery"], serde_json::Value::Object(sent));

    let own = r#"{"id":1,"exch_id":3,"channel_type":"SEARCH","geo_id":1,"deal_ids":"D9"}"#;
    let fate = judged(&Settings::default(), &headers, own);
    let Fate::Event(event) = fate else { panic!("{fate:?}") };
    assert_eq!((event.event_source.as_str(), event.dedup_key.as_deref()), ("SEARCH", Some("3:1")));
    assert_eq!(context(&event)["deal_ids"], serde_json::json!(["D9"]));
}

#[test]
fn a_record_that_no_number_identifies_identifies_itself() {
    let record = r#"{"id":"a"}"#;
    let key = event_of(&undemanding(), record).dedup_key.unwrap();
    assert_eq!(key, "sha256:8489a5deb454a360345c7868bca8672de92b446caf3d3b014af6a56e3d549d30".to_owned());
    assert_ne!(event_of(&undemanding(), r#"{"exch_id":"a"}"#).dedup_key.unwrap(), key);
    let long = format!(r#"{{"exch_id":1,"id":"{}"}}"#, "a".repeat(500));
    assert_eq!(event_of(&undemanding(), &long).dedup_key.unwrap().len(), "sha256:".len() + 64);
}

#[test]
fn time_falls_back_to_the_receipt() {
    for (member, want) in [
        (r#""Timestamp":"2026-03-01T01:02:03.456Z""#, "2026-03-01T01:02:03.456000Z"),
        (r#""timestamp":1772326923"#, "2026-03-01T01:02:03.000000Z"),
        (r#""BidTimestamp":"1772326923456""#, "2026-03-01T01:02:03.456000Z"),
        (r#""Timestamp":"soon","timestamp":1772326923"#, "2026-03-01T00:00:00.000000Z"),
        (r#""Timestamp":null,"timestamp":1772326923"#, "2026-03-01T01:02:03.000000Z"),
        (r#""x":1"#, "2026-03-01T00:00:00.000000Z"),
    ] {
        let event = event_of(&undemanding(), &format!("{{{member}}}"));
        assert_eq!(format_rfc3339(event.time), want, "{member}");
    }
}

#[test]
fn an_app_is_a_property_too() {
    let event = event_of(
        &undemanding(),
        r#"{"imp":[{"video":{}}],"site":null,"app":{"bundle":"com.acme","domain":"acme.example","publisher":{"id":5}},"device":{"ip":"","ipv6":"2001:db8::1"}}"#,
    );
    assert_eq!(
        (event.page.as_deref(), event.host.as_str(), event.ip.as_str()),
        (Some("com.acme"), "", "2001:db8::1")
    );
    assert_eq!(
        context(&event)["property"],
        serde_json::json!({"kind": "app", "domain": "acme.example", "bundle": "com.acme", "publisher_id": "5"})
    );
}

#[test]
fn odd_types_refuse_nothing() {
    let odd = r#"{"id":1,"imp":{"a":1},"site":7,"app":[],"device":"x","regs":[1],"user":null,"at":{},"tmax":"x","test":[],"cur":0}"#;
    let event = event_of(
        &undemanding(),
        &format!(
            r#"{{"MMUUID":{{}},"Geo":[],"exch_id":1.5,"DealIds":{{"a":1}},"Timestamp":[],"Body":{odd}}}"#
        ),
    );
    assert_eq!(text(&event.event), odd);
    let said = context(&event);
    for absent in
        ["exchange_id", "geo_id", "property", "device", "privacy", "auction_type", "tmax_ms", "floor_cpm"]
    {
        assert_eq!(said.get(absent), None, "{absent}");
    }
    assert_eq!(
        (&said["imp_count"], &said["test"], &said["deal_ids"]),
        (&0.into(), &false.into(), &serde_json::json!([]))
    );
    let odd = r#"{"imp":[7,null,{"bidfloor":"x","pmp":[],"banner":1},{"bidfloor":"2.50","bidfloorcur":"EUR","pmp":{"deals":{"id":"D"}}}],"device":{"ua":5,"os":true,"make":{},"geo":7,"ext":[]},"regs":{"gdpr":"maybe","ext":7}}"#;
    let said = context(&event_of(&undemanding(), odd));
    assert_eq!(
        (&said["imp_count"], &said["floor_cpm"], &said["currency"]),
        (&4.into(), &"2.50".into(), &"EUR".into())
    );
    assert_eq!(
        (&said["media_types"], &said["device"]),
        (&serde_json::json!(["banner"]), &serde_json::json!({"os": "true"}))
    );
}

#[test]
fn of_equal_keys_the_last_one_counts() {
    let event = event_of(
        &undemanding(),
        r#"{"id":"a","id":"b","exch_id":1,"Body":{"x":1},"Body":{"imp":[{}],"imp":[],"device":{"ua":"A","os":"x"},"device":{"ua":"B"}}}"#,
    );
    assert_eq!((event.dedup_key.as_deref(), event.agent.as_str()), (Some("1:b"), "B"));
    let said = context(&event);
    assert_eq!((&said["imp_count"], said.get("device")), (&0.into(), None));
    assert_eq!(said["record"], serde_json::json!({"id": "b", "exch_id": 1}));
}

#[test]
fn filters_are_conditions_and_their_values_alternatives() {
    let set = |values: &[&str]| Some(values.iter().map(|value| (*value).to_owned()).collect());
    let mut settings = undemanding();
    settings.consumer.filters.channel_types =
        Some(["DISPLAY", "video"].iter().filter_map(|name| ChannelType::parse(name)).collect());
    settings.consumer.filters.exchange_ids = set(&["15", "42"]);
    settings.consumer.filters.geo_ids = set(&["60231"]);
    settings.consumer.filters.deal_ids = set(&["D1", "7"]);
    let record = |channel: &str, exchange: &str, geo: &str, deal: &str| {
        format!(
            r#"{{"id":1,"ChannelType":{channel},"exch_id":{exchange},"Geo":{geo},"Body":{{"imp":[{{"pmp":{{"deals":[{{"id":"D0"}},{{"id":{deal}}}]}}}}]}}}}"#
        )
    };
    for (record, passes) in [
        (record(r#""Display""#, "15", "60231", r#""D1""#), true),
        (record(r#""VIDEO""#, r#""42""#, r#""60231""#, "7"), true),
        (record(r#""EMAIL""#, "15", "60231", r#""D1""#), false),
        (record(r#""UNHEARD_OF""#, "15", "60231", r#""D1""#), false),
        (record("null", "15", "60231", r#""D1""#), false),
        (record(r#""VIDEO""#, "16", "60231", r#""D1""#), false),
        (record(r#""VIDEO""#, r#""015""#, "60231", r#""D1""#), false),
        (record(r#""VIDEO""#, "null", "60231", r#""D1""#), false),
        (record(r#""VIDEO""#, "15", "null", r#""D1""#), false),
        (record(r#""VIDEO""#, "15", "60231", r#""d1""#), false),
        (record(r#""VIDEO""#, "15", "60231", "null"), false),
    ] {
        let fate = judged(&settings, &[], &record);
        assert_eq!(matches!(fate, Fate::Event(_)), passes, "{record}");
        assert_eq!(matches!(fate, Fate::Filtered(_)), !passes, "{record}");
    }
    let unfiltered = r#"{"id":1,"Geo":60231,"exch_id":15,"ChannelType":"VIDEO"}"#;
    assert!(matches!(judged(&settings, &[("x-mm-deal-id", "D9,D1")], unfiltered), Fate::Event(_)));
}

#[test]
fn users_of_nobody_are_left_out_on_demand() {
    let mut settings = undemanding();
    for (user, is_nobody) in [
        (r#""00000000-0000-0000-0000-000000000000""#, true),
        ("0", true),
        (r#""""#, true),
        ("null", true),
        ("{}", true),
        (r#""00000000-0000-4000-8000-000000000000""#, false),
    ] {
        let record = format!(r#"{{"MMUUID":{user}}}"#);
        settings.consumer.drop_zero_uid = true;
        assert_eq!(
            judged(&settings, &[], &record) == Fate::Filtered(rule::FILTER_ZERO_UID),
            is_nobody,
            "{user}"
        );
        settings.consumer.drop_zero_uid = false;
        assert!(matches!(judged(&settings, &[], &record), Fate::Event(_)), "{user}");
    }
}

#[test]
fn refused_comes_before_filtered_and_filtered_before_sampled_out() {
    let mut settings = Settings::default();
    settings.consumer.drop_zero_uid = true;
    settings.consumer.sampling = Sampling::percent(0.0).unwrap();
    for (record, want) in [
        (r#"{"MMUUID":0}"#, Fate::Refused(rule::AUCTION_ID_MISSING.at("/AuctionId"))),
        (
            r#"{"id":1,"ChannelType":"VIDEO","MMUUID":0,"Body":1}"#,
            Fate::Refused(rule::BID_REQUEST.at("/Body")),
        ),
        (r#"{"id":1,"ChannelType":"VIDEO","MMUUID":0}"#, Fate::Filtered(rule::FILTER_ZERO_UID)),
        (r#"{"id":1,"ChannelType":"VIDEO","MMUUID":1}"#, Fate::SampledOut),
    ] {
        assert_eq!(judged(&settings, &[], record), want, "{record}");
    }
}

#[test]
fn the_user_of_the_exchange_is_nowhere_when_dropped() {
    let mut settings = undemanding();
    settings.consumer.drop_exchange_uid = true;
    settings.aliases.exchange_user.push(Alias::parse("X-Mm-Uid").unwrap());
    let body = r#"{"id":"r", "user" : { "id" : "secret" , "buyeruid" : "b" }, "z":1}"#;
    let without = r#"{"id":"r", "user" : { "buyeruid" : "b" }, "z":1}"#;
    for body in [body.to_owned(), serde_json::Value::from(body).to_string(), format!("\"{}\"", encoded(body))]
    {
        let record = format!(
            r#"{{"ExchangeUID":"secret","exchange_uid":"secret","Body":{body},"BidRequest":{{"user":{{"id":"secret"}}}},"a":1}}"#
        );
        let fate = judged(&settings, &[("X-Mm-Uid", "secret"), ("X-Mm-Geo", "1")], &record);
        let Fate::Event(event) = fate else { panic!("{fate:?}") };
        assert_eq!((text(&event.event), &event.anonymous_id), (without, &None));
        let said = context(&event);
        assert_eq!(
            (&said["record"], &said["delivery"]),
            (&serde_json::json!({"a": 1}), &serde_json::json!({"x-mm-geo": "1"}))
        );
        assert!(!format!("{event:?}").contains("secret"));
    }
    let own = event_of(&settings, r#"{"imp":[],"exchange_uid":"secret","user":{"id":"secret"}}"#);
    assert_eq!(text(&own.event), r#"{"imp":[],"user":{}}"#);
}

#[test]
fn without_its_body_a_record_keeps_what_was_read_from_it() {
    let mut settings = undemanding();
    let record = format!(r#"{{"id":"a","Body":{BODY}}}"#);
    let whole = event_of(&settings, &record);
    settings.consumer.drop_body = true;
    let dropped = event_of(&settings, &record);
    assert_eq!(text(&dropped.event), "{}");
    assert_eq!(Event { event: whole.event.clone(), ..dropped }, whole);
    assert_eq!(text(&event_of(&settings, r#"{"id":"a","imp":[]}"#).event), "{}");
}

#[test]
fn who_asked_not_to_be_tracked_is_not() {
    let body = |signal: &str| {
        format!(r#"{{"device":{{"ip":"198.51.100.7","ipv6":"2001:db8:1:2::3","ifa":"i",{signal}}}}}"#)
    };
    let limited =
        |signal: &str| format!(r#"{{"device":{{"ip":"198.51.100.0","ipv6":"2001:db8:1::",{signal}}}}}"#);
    let mut settings = undemanding();
    for signal in [
        r#""lmt":1"#,
        r#""lmt":"1""#,
        r#""dnt":true"#,
        r#""ext":{"lmt":1}"#,
        r#""lmt":0,"ext":{"lmt":"true"}"#,
        r#""x":1},"regs":{"coppa":1"#,
        r#""x":1},"regs":{"ext":{"coppa":true}"#,
    ] {
        settings.privacy = Privacy::Truncate;
        let event = event_of(&settings, &format!(r#"{{"Body":{}}}"#, body(signal)));
        assert_eq!((text(&event.event), event.ip.as_str()), (limited(signal).as_str(), "198.51.100.0"));
        let event = event_of(&settings, &body(signal));
        assert_eq!(text(&event.event), limited(signal), "the record itself");
        settings.privacy = Privacy::Keep;
        let event = event_of(&settings, &format!(r#"{{"Body":{}}}"#, body(signal)));
        assert_eq!((text(&event.event), event.ip.as_str()), (body(signal).as_str(), "198.51.100.7"));
    }
    settings.privacy = Privacy::Truncate;
    for signal in [r#""lmt":0"#, r#""dnt":"0","lmt":false"#, r#""lmt":"maybe""#, r#""x":1},"regs":{"gdpr":1"#]
    {
        let event = event_of(&settings, &format!(r#"{{"Body":{}}}"#, body(signal)));
        assert_eq!((text(&event.event), event.ip.as_str()), (body(signal).as_str(), "198.51.100.7"));
    }
    let unreadable = event_of(&settings, r#"{"device":{"ip":"10.0.0.1:80","dnt":1}}"#);
    assert_eq!((text(&unreadable.event), unreadable.ip.as_str()), (r#"{"device":{"dnt":1}}"#, ""));
}

#[test]
fn aliases_come_from_the_settings() {
    let mut settings = Settings::default();
    let places = |names: &[&str]| names.iter().filter_map(|name| Alias::parse(name)).collect();
    settings.aliases.auction_id = places(&["auction", "body.ext.auction"]);
    settings.aliases.channel_type = places(&["channel"]);
    settings.aliases.body = places(&["request"]);
    let event = event_of(
        &settings,
        r#"{"channel":"VIDEO","AuctionId":"no","request":{"id":"no","ext":{"auction":"yes"}}}"#,
    );
    assert_eq!(context(&event)["auction_id"], "yes");
}

/// The published fixture: fifty records without a channel type.
#[test]
fn the_fixture_becomes_fifty_events() {
    let mut settings = Settings::default();
    settings.required.channel_type = false;
    let records: Vec<_> = include_str!("../../../tests/fixtures/bof/batch.jsonl").lines().collect();
    assert_eq!(records.len(), 50);
    for (index, record) in records.into_iter().enumerate() {
        let event = event_of(&settings, record);
        let body = format!(
            r#"{{"id": "r{index}", "imp": [{{"id": "1", "banner": {{"w": 300, "h": 250}}, "bidfloor": 0.5}}], "site": {{"domain": "news.example"}}, "device": {{"ip": "198.51.100.{index}", "ua": "Mozilla/5.0"}}}}"#
        );
        let user = format!("00000000-0000-4000-8000-{index:012}");
        let auction = format!("90000000000000000{index:02}");
        let context = format!(
            r#"{{"auction_id":"{auction}","exchange_id":"15","exchange":"Index Exchange","deal_ids":[],"data_center":"ewr","media_types":["banner"],"imp_count":1,"floor_cpm":"0.5","currency":"USD","property":{{"kind":"site","domain":"news.example"}},"test":false,"record":{{"AuctionId":"{auction}","MMUUID":"{user}","ExchangeId":"15"}}}}"#
        );
        let want = Event {
            source: "mm".into(),
            kind: "bof".into(),
            dedup_key: Some(format!("15:{auction}")),
            action: "opportunity".into(),
            event_type: "bof.opportunity".into(),
            time: RECEIVED_AT,
            received_at: RECEIVED_AT,
            user_id: Some(user),
            host: "news.example".into(),
            agent: "Mozilla/5.0".into(),
            ip: format!("198.51.100.{index}"),
            event: body.into(),
            context: context.into(),
            ..Event::default()
        };
        assert_eq!(event, want, "record {index}");
    }
}

/// Generated traffic with bodies in three forms, and the keys that must be stored of it.
#[test]
fn generated_traffic_is_all_accounted_for() {
    let mut packed = flate2::read::GzDecoder::new(
        &include_bytes!("../../../tests/fixtures/bof/opportunities.jsonl.gz")[..],
    );
    let mut records = String::new();
    packed.read_to_string(&mut records).unwrap();
    let truth: BTreeSet<_> =
        include_str!("../../../tests/fixtures/bof/opportunities.keys").lines().map(str::to_owned).collect();

    let keys = |settings: &Settings| -> BTreeSet<String> {
        let stored = |record| match judged(settings, &[], record) {
            Fate::Event(event) => event.dedup_key,
            Fate::Filtered(_) => None,
            other => panic!("{other:?}"),
        };
        records.lines().filter_map(stored).collect()
    };
    assert_eq!(keys(&Settings::default()), truth);

    let mut settings = Settings::default();
    settings.consumer.drop_zero_uid = true;
    settings.consumer.filters.geo_ids = Some(["60231".to_owned(), "60040".to_owned()].into());
    let wanted = |record: &&str| {
        !record.contains("00000000-0000-0000-0000-000000000000")
            && ["60231", "60040"].iter().any(|geo| record.contains(&format!("\"X-Mm-Geo\":\"{geo}\"")))
    };
    let count = records.lines().filter(wanted).count();
    let kept = keys(&settings);
    assert!(kept.len() == count && count > 30 && kept.is_subset(&truth), "{} of {count}", kept.len());
}
