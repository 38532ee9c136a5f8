//! The counters of one source. Received and outcome move together, so that their sums agree at every scrape.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
};

use metrics::{Counter, Histogram};

use crate::{
    sources::SourceName,
    telemetry::metric::{Metric, together},
};

/// What became of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Outcomes {
    /// Durable, and not seen shortly before.
    pub committed: u64,
    /// Durable, seen shortly before.
    pub duplicate: u64,
    /// Not wanted.
    pub ignored: u64,
    /// Refused, and kept as refusals.
    pub refused: u64,
    /// Turned away for our own trouble or for the source's rate.
    pub shed: u64,
}

/// Counters of one source.
#[derive(Debug)]
pub(super) struct Tally {
    source: SourceName,
    received: Counter,
    committed: Counter,
    duplicate: Counter,
    ignored: Counter,
    refused: Counter,
    shed: Counter,
    course_ids_unparsed: Counter,
    duration: Histogram,
    refusals: Mutex<HashMap<&'static str, Counter>>,
    deliveries: Mutex<HashMap<u16, Counter>>,
}

// `Counter` and `Histogram` have no `Debug` of use; the names say enough.
impl Tally {
    /// All series of a source exist from the start, at zero.
    pub(super) fn new(source: &SourceName) -> Self {
        let name = source.as_str();
        let outcome = |outcome| {
            let counter = Metric::Events.counter(&[name, outcome]);
            counter.increment(0);
            counter
        };
        let received = Metric::EventsReceived.counter(&[name]);
        received.increment(0);
        Self {
            source: source.clone(),
            received,
            committed: outcome("committed"),
            duplicate: outcome("duplicate"),
            ignored: outcome("ignored"),
            refused: outcome("refused"),
            shed: outcome("shed"),
            course_ids_unparsed: Metric::CourseIdsUnparsed.counter(&[name]),
            duration: Metric::RequestDuration.histogram(&[name]),
            refusals: Mutex::default(),
            deliveries: Mutex::default(),
        }
    }

    /// Counts the events of one delivery.
    pub(super) fn count(&self, outcomes: Outcomes) {
        let Outcomes { committed, duplicate, ignored, refused, shed } = outcomes;
        let _both = together();
        self.received.increment(committed + duplicate + ignored + refused + shed);
        for (counter, events) in [
            (&self.committed, committed),
            (&self.duplicate, duplicate),
            (&self.ignored, ignored),
            (&self.refused, refused),
            (&self.shed, shed),
        ] {
            if events > 0 {
                counter.increment(events);
            }
        }
    }

    /// Counts refusals by their rule.
    pub(super) fn refused(&self, rules: &[&'static str]) {
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        for rule in rules {
            let counter = || Metric::Refusals.counter(&[self.source.as_str(), rule]);
            refusals.entry(rule).or_insert_with(counter).increment(1);
        }
    }

    /// Counts events whose course id could not be read.
    pub(super) fn course_ids_unparsed(&self, events: u64) {
        if events > 0 {
            self.course_ids_unparsed.increment(events);
        }
    }

    /// Counts a request that was answered.
    pub(super) fn answered(&self, status: u16, seconds: f64) {
        let mut deliveries = self.deliveries.lock().unwrap_or_else(PoisonError::into_inner);
        let counter = || Metric::Deliveries.counter(&[self.source.as_str(), &status.to_string()]);
        deliveries.entry(status).or_insert_with(counter).increment(1);
        drop(deliveries);
        self.duration.record(seconds);
    }
}
