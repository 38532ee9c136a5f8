//! The bid request as it is stored: byte for byte, but for what had to be removed.

use std::collections::BTreeMap;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use super::{OPPORTUNITIES, counts, deliver, delivery, firehose, opportunities};
use crate::{json::Json, server::Site};

#[derive(Deserialize)]
struct Sent<'r> {
    #[serde(rename = "AuctionId")]
    auction: u64,
    #[serde(rename = "X-Mm-Exch-Id")]
    exchange: &'r str,
    #[serde(rename = "ExchangeUID")]
    user: &'r str,
    #[serde(borrow, rename = "Body")]
    body: &'r RawValue,
}

/// The bid request of each opportunity by its key, with the exchange's user.
fn bid_requests() -> BTreeMap<String, (String, String)> {
    let lines = opportunities();
    let read = |line: &String| {
        let sent: Sent<'_> = serde_json::from_str(line).unwrap();
        let body = match serde_json::from_str::<String>(sent.body.get()) {
            Err(_) => sent.body.get().to_owned(),
            Ok(text) if text.starts_with('{') => text,
            Ok(text) => String::from_utf8(BASE64_STANDARD.decode(text).unwrap()).unwrap(),
        };
        (format!("{}:{}", sent.exchange, sent.auction), (body, sent.user.to_owned()))
    };
    lines.iter().map(read).collect()
}

fn stored(site: &Site, source: &str) -> BTreeMap<String, (String, Option<String>)> {
    let sql = format!("SELECT dedup_key, event, anonymous_id FROM events WHERE source = '{source}'");
    let rows: Vec<(String, String, Option<String>)> = site.rows(&sql);
    rows.into_iter().map(|(key, event, user)| (key, (event, user))).collect()
}

#[test]
fn bid_requests_are_stored_byte_for_byte() {
    let site = Site::new(&firehose("mm", "privacy = \"keep\""));
    let server = site.start();
    assert_eq!(counts(&deliver(&server, OPPORTUNITIES).expect(200)), [300, 0, 0, 0, 0]);
    // Spellings that no serialiser would choose.
    let odd = r#"{ "id" : "\u0061\/b" ,"imp":[ ],"n":[1.0,1E2,-0,12345678901234567890.10], "é":"é" }"#;
    let records = [
        format!(r#"{{"AuctionId":"object","ExchangeId":7,"ChannelType":"VIDEO","Body": {odd} }}"#),
        format!(r#"{{"AuctionId":"text","ExchangeId":7,"ChannelType":"VIDEO","Body":{}}}"#, json!(odd)),
        format!(
            r#"{{"AuctionId":"base64","ExchangeId":7,"ChannelType":"VIDEO","Body":"{}"}}"#,
            BASE64_STANDARD.encode(odd)
        ),
    ];
    assert_eq!(counts(&deliver(&server, records.join("\n")).expect(200)), [3, 0, 0, 0, 0]);
    // A record with impressions and no body is the bid request itself.
    let itself = r#"{"id":"itself" , "ExchangeId":7,"ChannelType":"VIDEO","imp":[{"id":"1" }]}"#;
    assert_eq!(counts(&deliver(&server, itself).expect(200)), [1, 0, 0, 0, 0]);
    server.stop();

    let stored = stored(&site, "mm");
    assert_eq!(stored.len(), 304);
    for (key, (sent, user)) in bid_requests() {
        assert_eq!(stored[&key], (sent, Some(user)), "{key}");
    }
    for key in ["object", "text", "base64"] {
        assert_eq!(stored[&format!("7:{key}")].0, odd);
    }
    assert_eq!(stored["7:itself"].0, itself);
}

#[test]
fn only_what_is_to_be_dropped_is_missing() {
    let consumer = |name: &str, dropped: &str| {
        firehose(name, &format!("privacy = \"keep\"\n[source.consumer]\n{dropped} = true"))
    };
    let site = Site::new(&[consumer("user", "DropExchangeUID"), consumer("body", "DropBody")].concat());
    let server = site.start();
    for source in ["user", "body"] {
        let answer = server.send(&delivery(source, OPPORTUNITIES)).expect(200);
        assert_eq!(counts(&answer), [300, 0, 0, 0, 0]);
    }
    server.stop();

    let (without_user, without_body) = (stored(&site, "user"), stored(&site, "body"));
    for (key, (sent, user)) in bid_requests() {
        let (event, anonymous_id) = &without_user[&key];
        assert_eq!(*anonymous_id, None);
        // Texts of records are spaced, objects are not.
        let member = [format!(r#""id":"{user}","#), format!(r#""id": "{user}", "#)];
        assert_eq!(
            *event,
            member.iter().fold(sent.clone(), |text, member| text.replace(member, "")),
            "{key}"
        );
        let [sent, found] = [&sent, event].map(|text| Json::parse(text).unwrap());
        assert!(found.is_part_of(&sent) && found != sent && found.at("user.id").is_none(), "{key}");
        assert_eq!(without_body[&key].0, "{}");
    }
    let contexts: Vec<(String, String)> =
        site.rows("SELECT context, dedup_key FROM events WHERE source = 'user'");
    let sent = bid_requests();
    for (context, key) in &contexts {
        assert!(!context.contains(&sent[key].1), "{context}");
    }
    let contexts: Vec<(String,)> = site.rows("SELECT context FROM events WHERE source = 'body'");
    for (context,) in contexts {
        let context: Value = serde_json::from_str(&context).unwrap();
        assert!(context["imp_count"].as_u64().unwrap() > 0, "the context has what the body said: {context}");
    }
}
