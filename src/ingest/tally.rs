//! The counters of one source. Received and outcome move together, so that their sums agree at every scrape.

use std::{
    collections::HashMap,
    ops::Add,
    sync::{Mutex, PoisonError},
};

use metrics::{Counter, Histogram};
use serde::Serialize;

use crate::{
    sources::{SourceName, rule},
    telemetry::metric::{Metric, together},
};

/// What became of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Outcomes {
    /// Durable, and not seen shortly before.
    pub committed: u64,
    /// Durable, seen shortly before.
    pub duplicate: u64,
    /// Not wanted.
    pub ignored: u64,
    /// Refused, and kept as refusals.
    pub refused: u64,
    /// The consumer's filters leave it out.
    pub filtered: u64,
    /// The consumer's sampling leaves it out.
    pub sampled_out: u64,
    /// Turned away for our own trouble or for the source's rate.
    pub shed: u64,
}

impl Outcomes {
    /// All of them.
    pub fn total(self) -> u64 {
        let Self { committed, duplicate, ignored, refused, filtered, sampled_out, shed } = self;
        committed + duplicate + ignored + refused + filtered + sampled_out + shed
    }

    /// What they become when nothing of them could be made durable.
    pub(super) fn shed(self) -> Self {
        let Self { filtered, sampled_out, .. } = self;
        let shed = self.total() - filtered - sampled_out;
        Self { filtered, sampled_out, shed, ..Self::default() }
    }
}

impl Add for Outcomes {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            committed: self.committed + other.committed,
            duplicate: self.duplicate + other.duplicate,
            ignored: self.ignored + other.ignored,
            refused: self.refused + other.refused,
            filtered: self.filtered + other.filtered,
            sampled_out: self.sampled_out + other.sampled_out,
            shed: self.shed + other.shed,
        }
    }
}

/// Counters of one source.
#[derive(Debug)]
pub(super) struct Tally {
    source: SourceName,
    /// The counters again, because those of the exporter can only be rendered.
    totals: Mutex<Outcomes>,
    received: Counter,
    committed: Counter,
    duplicate: Counter,
    ignored: Counter,
    refused: Counter,
    filtered: Counter,
    sampled_out: Counter,
    shed: Counter,
    replayed: Counter,
    course_ids_unparsed: Counter,
    ignored_bytes: Counter,
    duration: Histogram,
    refusals: HashMap<&'static str, Counter>,
    deliveries: HashMap<u16, Counter>,
}

/// The statuses that senders are answered.
const STATUSES: &[u16] = &[200, 202, 204, 400, 401, 403, 405, 408, 413, 415, 429, 503];

impl Tally {
    /// All series of a source exist from the start, at zero.
    pub(super) fn new(source: &SourceName) -> Self {
        let name = source.as_str();
        let outcome = |outcome| zero(Metric::Events, &[name, outcome]);
        Self {
            source: source.clone(),
            totals: Mutex::default(),
            received: zero(Metric::EventsReceived, &[name]),
            committed: outcome("committed"),
            duplicate: outcome("duplicate"),
            ignored: outcome("ignored"),
            refused: outcome("refused"),
            filtered: outcome("filtered"),
            sampled_out: outcome("sampled_out"),
            shed: outcome("shed"),
            replayed: zero(Metric::Replayed, &[name]),
            course_ids_unparsed: zero(Metric::CourseIdsUnparsed, &[name]),
            ignored_bytes: zero(Metric::IgnoredBytes, &[name]),
            duration: Metric::RequestDuration.histogram(&[name]),
            refusals: rule::ALL
                .iter()
                .map(|rule| (rule.id, zero(Metric::Refusals, &[name, rule.id])))
                .collect(),
            deliveries: STATUSES
                .iter()
                .map(|status| (*status, zero(Metric::Deliveries, &[name, &status.to_string()])))
                .collect(),
        }
    }

    /// Counts the events of one delivery, and the refused ones by their rules.
    pub(super) fn count(&self, outcomes: Outcomes, refused_rules: &[&'static str]) {
        let Outcomes { committed, duplicate, ignored, refused, filtered, sampled_out, shed } = outcomes;
        {
            let mut totals = self.totals.lock().unwrap_or_else(PoisonError::into_inner);
            *totals = *totals + outcomes;
        }
        let _both = together();
        self.received.increment(outcomes.total());
        for (counter, events) in [
            (&self.committed, committed),
            (&self.duplicate, duplicate),
            (&self.ignored, ignored),
            (&self.refused, refused),
            (&self.filtered, filtered),
            (&self.sampled_out, sampled_out),
            (&self.shed, shed),
        ] {
            if events > 0 {
                counter.increment(events);
            }
        }
        for counter in refused_rules.iter().filter_map(|rule| self.refusals.get(rule)) {
            counter.increment(1);
        }
    }

    /// What became of all events since the process began.
    pub(super) fn totals(&self) -> Outcomes {
        *self.totals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts an event of a refusal, which was received and refused before.
    pub(super) fn replayed(&self) {
        self.replayed.increment(1);
    }

    /// Counts events whose course id could not be read.
    pub(super) fn course_ids_unparsed(&self, events: u64) {
        if events > 0 {
            tracing::warn!(source = %self.source, events, "course ids could not be read; stored without an org_id");
            self.course_ids_unparsed.increment(events);
        }
    }

    /// Counts bytes behind the end of an lzop file.
    pub(super) fn ignored_bytes(&self, bytes: u64) {
        if bytes > 0 {
            self.ignored_bytes.increment(bytes);
        }
    }

    /// Counts a request that was answered.
    pub(super) fn answered(&self, status: u16, seconds: f64) {
        match self.deliveries.get(&status) {
            Some(counter) => counter.increment(1),
            None => Metric::Deliveries.counter(&[self.source.as_str(), &status.to_string()]).increment(1),
        }
        self.duration.record(seconds);
    }
}

/// A counter that is seen from the start, so that its rate begins at zero.
fn zero(metric: Metric, labels: &[&str]) -> Counter {
    let counter = metric.counter(labels);
    counter.increment(0);
    counter
}
