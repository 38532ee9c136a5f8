//! The firehose on the wire: deliveries of a source of kind `bof`, what is answered, and what is stored of them.

mod accounts;
mod bodies;
mod doors;
mod forms;
mod limits;
mod loads;
mod overload;

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{
    client::{Answer, Request},
    server::{KEY, Metrics, Server, Site},
};

/// Fifty records, one a line, without channel types.
const BATCH: &str = include_str!("../../fixtures/bof/batch.jsonl");

/// Three hundred opportunities, one a line: a third with a body that is an object, a third with a string of one, a
/// third with base64 of one.
const OPPORTUNITIES: &[u8] = include_bytes!("../../fixtures/bof/opportunities.jsonl.gz");

/// Settings of a source of kind `bof` named `mm` that opens to [`KEY`] and asks for an auction id alone.
fn mm(more: &str) -> String {
    firehose("mm", &format!("required = [\"auction_id\"]\n{more}"))
}

/// A source of kind `bof` that opens to [`KEY`].
fn firehose(name: &str, more: &str) -> String {
    format!(
        "[[source]]\nname = \"{name}\"\nkind = \"bof\"\nsecrets = [{{ id = \"k\", value = \"{KEY}\" }}]\n{more}\n"
    )
}

/// A request to a source, ready for more headers.
fn delivery(source: &str, body: impl Into<Vec<u8>>) -> Request {
    Request::post(&format!("/v1/bof/{source}?key={KEY}"), body)
}

/// Delivers to `mm`.
#[track_caller]
fn deliver(server: &Server<'_>, body: impl Into<Vec<u8>>) -> Answer {
    server.send(&delivery("mm", body))
}

/// What the sender is told: committed, filtered, sampled out, duplicates, refused.
#[track_caller]
fn counts(answer: &Answer) -> [u64; 5] {
    let told = answer.json();
    ["committed", "filtered", "sampled_out", "duplicates", "refused"]
        .map(|name| told[name].as_u64().unwrap_or_else(|| panic!("no {name} in {told}")))
}

/// The metrics must tell what the answers told, under the same names and no other; shed ones come last.
#[track_caller]
fn assert_metrics_tell(metrics: &Metrics, source: &str, told: [u64; 6]) {
    let outcomes = ["committed", "filtered", "sampled_out", "duplicate", "refused", "shed"];
    let get = |series: &str| metrics.get(series).unwrap_or_else(|| panic!("no {series}"));
    let found = outcomes
        .map(|name| json!(get(&format!(r#"tidegate_events_total{{source="{source}",outcome="{name}"}}"#))));
    #[expect(clippy::cast_precision_loss, reason = "as metrics are")]
    let wanted = told.map(|count| json!(count as f64));
    assert_eq!(found, wanted, "{outcomes:?} of {source}");
    let received = get(&format!(r#"tidegate_events_received_total{{source="{source}"}}"#));
    #[expect(clippy::cast_precision_loss, reason = "as metrics are")]
    let sum = told.iter().sum::<u64>() as f64;
    assert_eq!(json!(received), json!(sum), "received by {source}");
}

/// The stored keys of a source; none may be there twice.
#[track_caller]
fn stored_keys(site: &Site, source: &str) -> BTreeSet<String> {
    let rows: Vec<(String,)> = site.rows(&format!("SELECT dedup_key FROM events WHERE source = '{source}'"));
    let keys: BTreeSet<String> = rows.iter().map(|(key,)| key.clone()).collect();
    assert_eq!(keys.len(), rows.len(), "stored twice");
    keys
}

/// The keys of the records of [`BATCH`].
fn batch_keys() -> BTreeSet<String> {
    let key = |line| {
        let record: Value = serde_json::from_str(line).unwrap();
        format!("{}:{}", record["ExchangeId"].as_str().unwrap(), record["AuctionId"].as_str().unwrap())
    };
    BATCH.lines().map(key).collect()
}

/// The lines of [`OPPORTUNITIES`].
fn opportunities() -> Vec<String> {
    let text = std::io::read_to_string(flate2::read::GzDecoder::new(OPPORTUNITIES)).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// A record without a body.
fn record(auction: &str) -> String {
    format!(r#"{{"AuctionId":"{auction}","ExchangeId":"15"}}"#)
}
