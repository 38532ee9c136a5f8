//! What becomes of every record: the answer, the metrics and the database tell the same.

use std::collections::BTreeSet;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{
    BATCH, OPPORTUNITIES, assert_metrics_tell, batch_keys, counts, deliver, delivery, firehose, mm,
    opportunities, record, stored_keys,
};
use crate::{
    encodings::gzip,
    server::{Site, assert_has},
};

#[test]
fn a_delivery_that_comes_again_is_stored_once() {
    let site = Site::new(&firehose("mm", ""));
    let server = site.start();
    assert_eq!(counts(&deliver(&server, OPPORTUNITIES).expect(200)), [300, 0, 0, 0, 0]);
    assert_eq!(counts(&deliver(&server, OPPORTUNITIES).expect(200)), [0, 0, 0, 300, 0]);
    assert_metrics_tell(&server.metrics(), "mm", [300, 0, 0, 300, 0, 0]);
    server.stop();
    // After a start nothing is remembered, and the database itself must tell what it has.
    let server = site.start();
    deliver(&server, OPPORTUNITIES).expect(200);
    server.stop();
    let keys = include_str!("../../fixtures/bof/opportunities.keys").lines().map(str::to_owned);
    assert_eq!(stored_keys(&site, "mm"), keys.collect());
}

/// A record of [`OPPORTUNITIES`] as the consumer sees it.
struct Opportunity {
    key: String,
    auction: String,
    channel_type: String,
    geo: String,
}

impl Opportunity {
    fn read(line: &str) -> Self {
        let record: Value = serde_json::from_str(line).unwrap();
        let text = |name: &str| record[name].as_str().unwrap().to_owned();
        let auction = record["AuctionId"].to_string();
        let key = format!("{}:{auction}", text("X-Mm-Exch-Id"));
        Self { key, auction, channel_type: text("X-Mm-Channel-Type"), geo: text("X-Mm-Geo") }
    }

    /// Whether a sample of so many percent has it.
    fn is_sampled(&self, percent: u128) -> bool {
        let digest = Sha256::digest(&self.auction);
        let place = u64::from_be_bytes(digest[..8].try_into().unwrap());
        u128::from(place) * 100 < percent << 64
    }
}

#[test]
fn filters_and_samples_keep_what_they_say_and_every_record_is_accounted_for() {
    let consumer = concat!(
        "[source.consumer]\n",
        "filters = { \"X-Mm-Channel-Type\" = [\"search\", \"NEWSFEED\", \"Social\", \"DISPLAY\"], ",
        "\"x-mm-geo\" = [72280, \"60188\", \"60073\", \"60000\"] }\n",
        "samplesettings = { samplerate = 40 }\n",
    );
    let site = Site::new(&firehose("mm", consumer));
    let server = site.start();
    let lines = opportunities();
    // Some come twice in one delivery, and some cannot be read.
    let bad = [r#"{"X-Mm-Channel-Type":"VIDEO"}"#, r#"{"AuctionId":7}"#, r#"{"AuctionId":8,"Body":[]}"#];
    let repeated = 100;
    let sent: Vec<&str> = lines.iter().chain(&lines[..repeated]).map(String::as_str).chain(bad).collect();

    let mut expected = [0; 5];
    let mut keys = BTreeSet::new();
    for opportunity in lines.iter().chain(&lines[..repeated]).map(|line| Opportunity::read(line)) {
        let channel_types = ["SEARCH", "NEWSFEED", "SOCIAL", "DISPLAY"];
        let is_wanted = channel_types.contains(&opportunity.channel_type.as_str())
            && ["72280", "60188", "60073", "60000"].contains(&opportunity.geo.as_str());
        let fate = match (is_wanted, opportunity.is_sampled(40)) {
            (false, _) => 1,
            (true, false) => 2,
            (true, true) if keys.insert(opportunity.key) => 0,
            (true, true) => 3,
        };
        expected[fate] += 1;
    }
    expected[4] = bad.len() as u64;
    assert!(expected.iter().all(|count| *count > 0), "the fixture has one of each: {expected:?}");
    assert_eq!(expected.iter().sum::<u64>(), sent.len() as u64);

    let answer = deliver(&server, gzip(sent.join("\n").as_bytes())).expect(200);
    assert_eq!(counts(&answer), expected);
    let [committed, filtered, sampled_out, duplicates, refused] = expected;
    assert_metrics_tell(&server.metrics(), "mm", [committed, filtered, sampled_out, duplicates, refused, 0]);
    server.stop();
    assert_eq!(stored_keys(&site, "mm"), keys);
    assert_eq!(site.count("refusals"), 3);
}

#[test]
fn what_stands_before_the_break_is_taken_and_the_rest_is_kept_as_one_refusal() {
    let twenty: String = BATCH.lines().take(20).flat_map(|line| [line, "\n"]).collect();
    let rests =
        [r#"]{"AuctionId":"x"}"#, r#"{"AuctionId":"x","#, "\u{feff}{}", "nonsense\n{\"AuctionId\":\"x\"}"];
    let names = ["closed", "open", "marked", "worded"];
    let site = Site::new(&names.map(|name| firehose(name, "required = [\"auction_id\"]")).concat());
    let server = site.start();
    for (name, rest) in names.iter().zip(rests) {
        let answer = server.send(&delivery(name, format!("{twenty}{rest}"))).expect(400);
        assert_eq!(counts(&answer), [20, 0, 0, 0, 1], "{rest}");
        assert_has(&answer, &json!({"rule": "delivery.malformed"}));
        assert_metrics_tell(&server.metrics(), name, [20, 0, 0, 0, 1, 0]);
    }
    server.stop();
    let first: BTreeSet<String> = twenty
        .lines()
        .map(|line| line.split('"').nth(3).map(|auction| format!("15:{auction}")).unwrap())
        .collect();
    assert!(first.is_subset(&batch_keys()));
    for (name, rest) in names.iter().zip(rests) {
        assert_eq!(stored_keys(&site, name), first, "{name}");
        let (rule, body, truncated): (String, Vec<u8>, bool) =
            site.row(&format!("SELECT rule, body, truncated FROM refusals WHERE source = '{name}'"));
        assert_eq!((rule.as_str(), truncated), ("delivery.malformed", false), "{name}");
        let body = String::from_utf8(body).unwrap();
        assert!(
            rest.ends_with(&body) && body.len() + 20 > rest.len() && !body.is_empty(),
            "{rest}: {body:?} kept"
        );
    }
}

#[test]
fn a_broken_compression_keeps_what_was_read_before_it() {
    let site = Site::new(&mm(""));
    let server = site.start();
    let whole = gzip(BATCH.as_bytes());
    let second = gzip(record("second").as_bytes());
    let broken = [&whole[..], &second[..second.len() - 1]].concat();
    let answer = deliver(&server, broken).expect(400);
    let [committed, .., refused] = counts(&answer);
    assert!((50..=51).contains(&committed) && refused == 1, "{}", answer.text());
    assert_has(&answer, &json!({"rule": "encoding.corrupt"}));
    server.stop();
    assert!(batch_keys().is_subset(&stored_keys(&site, "mm")));
}

#[test]
fn a_record_that_is_wrong_is_refused_alone() {
    let site = Site::new(&mm("limits = { record = 1000, depth = 8 }"));
    let server = site.start();
    let of = |auction: &str, bytes: usize| {
        let bare = record(auction).replace('}', r#","pad":""}"#);
        bare.replace(r#""pad":""#, &format!(r#""pad":"{}"#, "p".repeat(bytes - bare.len())))
    };
    let deep = format!(r#"{{"AuctionId":"d","deep":{}{}}}"#, "[".repeat(8), "]".repeat(8));
    let rows = [
        (of("exact", 1000), None),
        (of("long", 1001), Some("record.too_large")),
        (of("longer", 300_000), Some("record.too_large")),
        (record("between"), None),
        (r#"{"AuctionId":}"#.into(), Some("record.malformed")),
        // As many are closed as were opened: only this record is lost.
        (r#"{"AuctionId":["x"}}"#.into(), Some("record.malformed")),
        ("{}".into(), Some("auction_id.missing")),
        (r#"{"AuctionId":"b","Body":7}"#.into(), Some("bid_request.unreadable")),
        (deep, Some("depth.exceeded")),
        (record("last"), None),
    ];
    let rules: Vec<(String,)> = rows.iter().filter_map(|(_, rule)| Some(((*rule)?.to_owned(),))).collect();
    let texts: Vec<&str> = rows.iter().map(|(text, _)| text.as_str()).collect();
    assert_eq!(counts(&deliver(&server, texts.join("\n")).expect(200)), [3, 0, 0, 0, 7]);
    let metrics = server.metrics();
    for (rule,) in &rules {
        let series = format!(r#"tidegate_refusals_total{{source="mm",rule="{rule}"}}"#);
        let refused =
            if ["record.too_large", "record.malformed"].contains(&rule.as_str()) { 2.0 } else { 1.0 };
        assert_eq!(metrics.get(&series), Some(refused), "{rule}");
    }
    server.stop();
    assert_eq!(site.rows::<(String,)>("SELECT rule FROM refusals ORDER BY element"), rules);
    let elements: Vec<(i64,)> = site.rows("SELECT element FROM refusals ORDER BY element");
    assert_eq!(elements, [(1,), (2,), (4,), (5,), (6,), (7,), (8,)]);
    let keys = ["15:exact", "15:between", "15:last"].map(str::to_owned);
    assert_eq!(stored_keys(&site, "mm"), keys.into());
}
