//! What a lane counts, with handles that are made once.

use std::time::Duration;

use metrics::{Counter, Histogram};

use super::lane_status::{Trouble, approximately};
use crate::{
    sinks::{Batch, Written},
    telemetry::metric::{Metric, together},
};

/// The class under which the refusal of a row counts; it is no trouble of the lane.
pub(super) const POISON_ROW: &str = "poison_row";

pub(super) struct LaneMetrics {
    written: Counter,
    duplicates: Counter,
    conflicts: Counter,
    gap_events: Counter,
    batch_events: Histogram,
    write_duration: Histogram,
    poison_rows: Counter,
    alerts: Counter,
    troubles: [(Trouble, Counter); Trouble::ALL.len()],
}

impl LaneMetrics {
    pub(super) fn new(sink: &str) -> Self {
        let error = |class| Metric::LaneErrors.counter(&[sink, class]);
        Self {
            written: Metric::LaneWritten.counter(&[sink]),
            duplicates: Metric::LaneDuplicates.counter(&[sink]),
            conflicts: Metric::LaneConflicts.counter(&[sink]),
            gap_events: Metric::LaneGapEvents.counter(&[sink]),
            batch_events: Metric::LaneBatchEvents.histogram(&[sink]),
            write_duration: Metric::LaneWriteDuration.histogram(&[sink]),
            poison_rows: error(POISON_ROW),
            alerts: Metric::LaneAlerts.counter(&[sink]),
            troubles: Trouble::ALL.map(|trouble| (trouble, error(trouble.as_str()))),
        }
    }

    pub(super) fn took(&self, duration: Duration) {
        self.write_duration.record(duration);
    }

    pub(super) fn stored(&self, batch: &Batch<'_>, written: Written) {
        let _consistent = together();
        self.batch_events.record(approximately((batch.events.len() + batch.refusals.len()) as u64));
        self.written.increment(written.stored);
        self.duplicates.increment(written.duplicates);
        self.conflicts.increment(written.conflicts);
        self.gap_events.increment(batch.gaps);
    }

    pub(super) fn row_refused(&self) {
        self.poison_rows.increment(1);
    }

    /// So many dead letters came of one batch that a person should look.
    pub(super) fn alert(&self) {
        self.alerts.increment(1);
    }

    pub(super) fn failed(&self, trouble: Trouble) {
        for (_, counter) in self.troubles.iter().filter(|(known, _)| *known == trouble) {
            counter.increment(1);
        }
    }
}
