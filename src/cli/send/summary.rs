//! How sending went: what was answered, what became of the events, and how long the answers took.

use std::{collections::BTreeMap, time::Duration};

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::delivery::Delivery;
use crate::cli::{
    client::AskError,
    output::{Output, bytes, count, printable},
};

/// The longest latency that is told from longer ones, in microseconds.
const LATENCY_MAX: u64 = 60_000_000;

/// What an answer can say of events.
const OUTCOMES: [&str; 6] = ["committed", "duplicates", "ignored", "refused", "filtered", "sampled_out"];

/// How sending went.
pub(super) struct Summary {
    pub(super) elapsed: Duration,
    deliveries: u64,
    events: u64,
    bytes: u64,
    statuses: BTreeMap<u16, u64>,
    unanswered: u64,
    /// Events by outcome, as the answers say.
    outcomes: BTreeMap<&'static str, u64>,
    /// Events of deliveries that were not taken at all.
    not_taken: u64,
    rules: BTreeMap<String, u64>,
    latency: Histogram<u64>,
}

impl Default for Summary {
    fn default() -> Self {
        Self {
            elapsed: Duration::ZERO,
            deliveries: 0,
            events: 0,
            bytes: 0,
            statuses: BTreeMap::new(),
            unanswered: 0,
            outcomes: BTreeMap::new(),
            not_taken: 0,
            rules: BTreeMap::new(),
            latency: Histogram::new_with_bounds(1, LATENCY_MAX, 3).expect("these bounds are sound"),
        }
    }
}

impl Summary {
    /// Counts a delivery and its answer.
    pub(super) fn answered(&mut self, delivery: &Delivery, status: u16, body: &[u8], latency: Duration) {
        self.sent(delivery);
        *self.statuses.entry(status).or_default() += 1;
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency.saturating_record(micros.max(1));
        let said: Value = serde_json::from_slice(body).unwrap_or_default();
        if !self.outcomes_of(&said, status) {
            self.not_taken += delivery.records;
        }
    }

    /// Counts a delivery that nobody answered. It may have been taken all the same.
    pub(super) fn unanswered(&mut self, delivery: &Delivery) {
        self.sent(delivery);
        self.unanswered += 1;
        self.not_taken += delivery.records;
    }

    /// Whether there was no answer yet.
    pub(super) fn is_empty(&self) -> bool {
        self.statuses.is_empty()
    }

    /// Whether every answer was a success.
    pub(super) fn all_taken(&self) -> bool {
        self.unanswered == 0 && self.statuses.keys().all(|status| (200..300).contains(status))
    }

    fn sent(&mut self, delivery: &Delivery) {
        self.deliveries += 1;
        self.events += delivery.records;
        self.bytes += delivery.body.len() as u64;
    }

    /// Adds what an answer says of its events; `false` where it says nothing.
    fn outcomes_of(&mut self, said: &Value, status: u16) -> bool {
        match said.get("committed") {
            Some(Value::Number(_)) => {
                for outcome in OUTCOMES {
                    let number = said.get(outcome).and_then(Value::as_u64).unwrap_or_default();
                    self.add_outcome(outcome, number);
                }
                for result in said.get("results").and_then(Value::as_array).into_iter().flatten() {
                    self.add_rule(result);
                }
                true
            }
            Some(Value::Bool(true)) => {
                self.add_outcome("committed", 1);
                self.add_outcome("duplicates", u64::from(said.get("duplicate") == Some(&Value::Bool(true))));
                true
            }
            // Without a rule it was turned away as a whole.
            Some(Value::Bool(false)) if said.get("rule").is_some() => {
                self.add_outcome(if status < 300 { "ignored" } else { "refused" }, 1);
                self.add_rule(said);
                true
            }
            _ => false,
        }
    }

    fn add_outcome(&mut self, outcome: &'static str, number: u64) {
        if number > 0 {
            *self.outcomes.entry(outcome).or_default() += number;
        }
    }

    fn add_rule(&mut self, said: &Value) {
        if let Some(rule) = said.get("rule").and_then(Value::as_str) {
            *self.rules.entry(rule.to_owned()).or_default() += 1;
        }
    }

    /// Adds what somebody else sent.
    pub(super) fn add(&mut self, other: &Self) {
        self.deliveries += other.deliveries;
        self.events += other.events;
        self.bytes += other.bytes;
        self.unanswered += other.unanswered;
        self.not_taken += other.not_taken;
        sum(&mut self.statuses, &other.statuses);
        sum(&mut self.outcomes, &other.outcomes);
        sum(&mut self.rules, &other.rules);
        // Both have the same bounds.
        let _ = self.latency.add(&other.latency);
    }

    fn events_per_second(&self) -> f64 {
        let seconds = self.elapsed.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let events = self.events as f64;
        if seconds > 0.0 { (events / seconds).round() } else { 0.0 }
    }

    fn latencies_ms(&self) -> [(&'static str, f64); 4] {
        #[expect(clippy::cast_precision_loss, reason = "at most a minute of microseconds")]
        let millis = |micros: u64| micros as f64 / 1000.0;
        let at = |quantile| millis(self.latency.value_at_quantile(quantile));
        [("p50", at(0.5)), ("p90", at(0.9)), ("p99", at(0.99)), ("max", millis(self.latency.max()))]
    }

    pub(super) fn tell(&self, out: &mut Output) -> Result<(), AskError> {
        if out.is_json() {
            return Ok(out.json(&self.as_json().to_string())?);
        }
        let (events, deliveries) = (count(self.events), count(self.deliveries));
        let (sent, seconds) = (bytes(self.bytes), self.elapsed.as_secs_f64());
        let rate = self.events_per_second();
        out.line(&format!(
            "sent      {events} events in {deliveries} deliveries, {sent}, in {seconds:.1} s: {rate} events/s"
        ))?;
        let mut answers = listed(self.statuses.iter().map(|(status, number)| (status.to_string(), *number)));
        if self.unanswered > 0 {
            answers.push(format!("none {}", count(self.unanswered)));
        }
        let mut outcomes = listed(self.outcomes.iter().map(|(outcome, number)| ((*outcome).into(), *number)));
        if self.not_taken > 0 {
            outcomes.push(format!("not taken {}", count(self.not_taken)));
        }
        let rules = listed(self.rules.iter().map(|(rule, number)| (printable(rule).into_owned(), *number)));
        let latencies = self.latencies_ms().map(|(name, millis)| format!("{name} {millis:.1} ms"));
        let is_timed = !self.latency.is_empty();
        for (title, words) in [
            ("answers", answers),
            ("events", outcomes),
            ("rules", rules),
            ("latency", if is_timed { latencies.to_vec() } else { Vec::new() }),
        ] {
            if !words.is_empty() {
                out.line(&format!("{title:8}  {}", words.join(", ")))?;
            }
        }
        Ok(())
    }

    fn as_json(&self) -> Value {
        json!({
            "deliveries": self.deliveries,
            "events": self.events,
            "bytes": self.bytes,
            "seconds": self.elapsed.as_secs_f64(),
            "events_per_second": self.events_per_second(),
            "statuses": self.statuses,
            "unanswered": self.unanswered,
            "outcomes": self.outcomes,
            "not_taken": self.not_taken,
            "rules": self.rules,
            "latency_ms": BTreeMap::from(self.latencies_ms()),
        })
    }
}

fn listed(numbers: impl Iterator<Item = (String, u64)>) -> Vec<String> {
    numbers.map(|(name, number)| format!("{name} {}", count(number))).collect()
}

fn sum<K: Ord + Clone>(into: &mut BTreeMap<K, u64>, from: &BTreeMap<K, u64>) {
    for (key, number) in from {
        *into.entry(key.clone()).or_default() += number;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::cli::send::Kind;

    #[test]
    fn answers_of_every_shape_are_counted() {
        let mut summary = Summary::default();
        let delivery = |records| Delivery::pack(Kind::Segment, &vec![Bytes::from_static(b"{}"); records]);
        let mut answered = |records, status, body: &str| {
            let mut part = Summary::default();
            part.answered(&delivery(records), status, body.as_bytes(), Duration::from_millis(2));
            summary.add(&part);
        };
        answered(1, 200, r#"{"committed":true,"receipt":"r"}"#);
        answered(1, 200, r#"{"committed":true,"duplicate":true}"#);
        answered(1, 200, r#"{"committed":false,"rule":"channel.ignored","pointer":"/channel"}"#);
        answered(1, 400, r#"{"committed":false,"rule":"user.missing"}"#);
        answered(
            4,
            200,
            r#"{"committed":2,"ignored":0,"refused":2,"duplicates":1,"results":[{"index":1,"outcome":"refused","rule":"user.missing"},{"index":2,"outcome":"refused","rule":"depth.exceeded"}]}"#,
        );
        answered(9, 200, r#"{"committed":3,"filtered":4,"sampled_out":1,"duplicates":0,"refused":1}"#);
        answered(5, 503, r#"{"committed":false,"message":"the spool is full"}"#);
        answered(2, 502, "<html>");
        let mut lost = Summary::default();
        lost.unanswered(&delivery(3));
        summary.add(&lost);
        let told = summary.as_json();
        let expected = json!({
            "committed": 7, "duplicates": 2, "ignored": 1, "refused": 4, "filtered": 4, "sampled_out": 1,
        });
        assert_eq!(told["outcomes"], expected);
        assert_eq!(told["rules"], json!({"channel.ignored": 1, "user.missing": 2, "depth.exceeded": 1}));
        assert_eq!(told["statuses"], json!({"200": 5, "400": 1, "502": 1, "503": 1}));
        assert_eq!(
            (&told["events"], &told["not_taken"], &told["unanswered"]),
            (&json!(27), &json!(10), &json!(1))
        );
        assert!((1.9..2.2).contains(&told["latency_ms"]["p50"].as_f64().unwrap()));
        assert!(!summary.all_taken());
    }
}
