//! What the metrics learn of a group commit.

use metrics::{Counter, Histogram};

use crate::telemetry::metric::Metric;

/// What one group commit did.
pub(super) struct CommitObservation {
    pub(super) records: u64,
    pub(super) seconds: f64,
}

/// Handles of the commit's metrics.
pub(super) struct CommitMetrics {
    commits: Counter,
    duration: Histogram,
    events: Histogram,
}

impl CommitMetrics {
    pub(super) fn new() -> Self {
        Self {
            commits: Metric::SpoolCommits.counter(&[]),
            duration: Metric::SpoolCommitDuration.histogram(&[]),
            events: Metric::SpoolCommitEvents.histogram(&[]),
        }
    }

    pub(super) fn observe(&self, commit: &CommitObservation) {
        self.commits.increment(1);
        self.duration.record(commit.seconds);
        #[expect(clippy::cast_precision_loss, reason = "no batch has 2^52 records")]
        self.events.record(commit.records as f64);
    }
}
