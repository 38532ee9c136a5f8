//! The one list of metrics: every name, its kind, its help and its labels, and how to get a handle of it.
//!
//! Handles are made once and kept (a look-up hashes name and labels). Conservation: whoever counts an outcome also
//! counts it as received, inside [`together`], so that a scrape sees both or neither.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use metrics::{Counter, Gauge, Histogram, Label, Unit};

/// How a metric moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricKind {
    /// Only up.
    Counter,
    /// Up and down.
    Gauge,
    /// Distribution over buckets.
    Histogram,
}

macro_rules! metrics {
    ($($variant:ident, $name:literal, $kind:ident, $labels:expr, $help:literal;)*) => {
        /// A metric of tidegate.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Metric {
            $(#[doc = $help] $variant,)*
        }

        impl Metric {
            /// All metrics, in the order of the documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name that Prometheus sees.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// How it moves.
            pub const fn kind(self) -> MetricKind {
                match self { $(Self::$variant => MetricKind::$kind,)* }
            }

            /// The labels it bears.
            pub const fn labels(self) -> &'static [&'static str] {
                match self { $(Self::$variant => &$labels,)* }
            }

            /// What it says, for the `# HELP` line and the documentation.
            pub const fn help(self) -> &'static str {
                match self { $(Self::$variant => $help,)* }
            }
        }
    };
}

metrics! {
    Deliveries, "tidegate_deliveries_total", Counter, ["source", "status"], "Requests answered, by source and HTTP status.";
    EventsReceived, "tidegate_events_received_total", Counter, ["source"], "Events that authenticated deliveries held; the sum of all outcomes.";
    Events, "tidegate_events_total", Counter, ["source", "outcome"], "Events by what became of them.";
    Refusals, "tidegate_refusals_total", Counter, ["source", "rule"], "Refused events by the rule that refused them.";
    Replayed, "tidegate_replayed_total", Counter, ["source"], "Events appended by replays of refusals; as refusals they were received before, and are not counted as received again.";
    CourseIdsUnparsed, "tidegate_course_ids_unparsed_total", Counter, ["source"], "Events stored without an org_id because their course_id could not be parsed.";
    IgnoredBytes, "tidegate_ignored_bytes_total", Counter, ["source"], "Bytes that followed a finished lzop member without being another one, and were ignored.";
    RequestDuration, "tidegate_request_duration_seconds", Histogram, ["source"], "Time from the request's head to its answer, durable write included.";
    SecretLastUsed, "tidegate_secret_last_used_timestamp_seconds", Gauge, ["source", "secret_id"], "When a secret last opened the door, as Unix time; 0 for never since the start.";
    SecretNotAfter, "tidegate_secret_not_after_timestamp_seconds", Gauge, ["source", "secret_id"], "When a secret stops opening the door, as Unix time; +Inf for never.";
    UnroutedRequests, "tidegate_unrouted_requests_total", Counter, [], "Requests on the collect listener that named no source.";
    OperatorsTurnedAway, "tidegate_operators_turned_away_total", Counter, [], "Requests to the admin API without a live token or session, wrong sign-ins included.";
    BodyMemory, "tidegate_body_memory_bytes", Gauge, [], "Bytes of request bodies in flight.";

    SpoolBytes, "tidegate_spool_bytes", Gauge, [], "Bytes that the spool occupies on disk.";
    SpoolMaxBytes, "tidegate_spool_max_bytes", Gauge, [], "The spool's quota; beyond it deliveries are turned away.";
    SpoolEvents, "tidegate_spool_events", Gauge, [], "Records in the spool, delivered ones in files not yet deleted included.";
    SpoolCommits, "tidegate_spool_commits_total", Counter, [], "Group commits: one fsync each.";
    SpoolCommitDuration, "tidegate_spool_commit_duration_seconds", Histogram, [], "Time of a group commit's write and fsync.";
    SpoolCommitEvents, "tidegate_spool_commit_events", Histogram, [], "Records made durable by one group commit.";
    SpoolPoisoned, "tidegate_spool_poisoned", Gauge, [], "1 after a failed write or fsync: nothing is accepted until the restart.";
    SpoolDamagedRecords, "tidegate_spool_damaged_records_total", Counter, [], "Records lost to damage of spool files; their bytes are kept in *.corrupt files.";
    DiskFree, "tidegate_disk_free_bytes", Gauge, [], "Bytes to spare on the disk that holds the spool; NaN where the disk does not say.";

    LaneWritten, "tidegate_lane_written_total", Counter, ["sink"], "Events stored by a lane.";
    LaneDuplicates, "tidegate_lane_duplicates_total", Counter, ["sink"], "Events that were stored already.";
    LaneConflicts, "tidegate_lane_conflicts_total", Counter, ["sink"], "Events whose key was taken by other content; kept as refusals.";
    LaneErrors, "tidegate_lane_errors_total", Counter, ["sink", "class"], "Failed writes by class.";
    LaneBatchEvents, "tidegate_lane_batch_events", Histogram, ["sink"], "Records per batch.";
    LaneWriteDuration, "tidegate_lane_write_duration_seconds", Histogram, ["sink"], "Time of a sink's transaction.";
    LaneLagEvents, "tidegate_lane_lag_events", Gauge, ["sink"], "Durable records that the sink does not have yet.";
    LaneLagSeconds, "tidegate_lane_lag_seconds", Gauge, ["sink"], "Age of the oldest record that the sink does not have yet.";
    LanePaused, "tidegate_lane_paused", Gauge, ["sink"], "1 while the lane waits for a person.";
    LaneDeadLetters, "tidegate_lane_dead_letters", Gauge, ["sink"], "Dead letters on disk.";
    LaneAlerts, "tidegate_lane_alerts_total", Counter, ["sink"], "Batches of which more than 32 records went to the dead letters: the sink's schema may have changed.";
    LaneGapEvents, "tidegate_lane_gap_events_total", Counter, ["sink"], "Sequences that the spool no longer held when the lane came for them.";

    UsersLoaded, "tidegate_users", Gauge, [], "Users in the directory held in memory.";
    ConfigReloadSuccessful, "tidegate_config_last_reload_successful", Gauge, [], "1 if the last reload of the settings was accepted.";
    ConfigReloadTimestamp, "tidegate_config_last_reload_success_timestamp_seconds", Gauge, [], "When settings were last accepted, as Unix time.";
    Ready, "tidegate_ready", Gauge, [], "1 while /readyz answers 200.";
    RuntimeTasks, "tidegate_runtime_tasks", Gauge, [], "Tasks alive in the async runtime.";
    RuntimeWorkers, "tidegate_runtime_workers", Gauge, [], "Worker threads of the async runtime.";
    RuntimeQueueDepth, "tidegate_runtime_queue_depth", Gauge, [], "Tasks waiting in the runtime's global queue.";
    BuildInfo, "tidegate_build_info", Gauge, ["version"], "1; the version is the label.";
}

/// Level and target are not used by the exporter; a constant saves building them.
static METADATA: metrics::Metadata<'static> = metrics::Metadata::new("tidegate", metrics::Level::INFO, None);

impl Metric {
    /// The counter with these label values, in the order of [`Metric::labels`].
    pub fn counter(self, values: &[&str]) -> Counter {
        debug_assert_eq!(self.kind(), MetricKind::Counter, "{self:?}");
        metrics::with_recorder(|recorder| recorder.register_counter(&self.key(values), &METADATA))
    }

    /// The gauge with these label values.
    pub fn gauge(self, values: &[&str]) -> Gauge {
        debug_assert_eq!(self.kind(), MetricKind::Gauge, "{self:?}");
        metrics::with_recorder(|recorder| recorder.register_gauge(&self.key(values), &METADATA))
    }

    /// The histogram with these label values.
    pub fn histogram(self, values: &[&str]) -> Histogram {
        debug_assert_eq!(self.kind(), MetricKind::Histogram, "{self:?}");
        metrics::with_recorder(|recorder| recorder.register_histogram(&self.key(values), &METADATA))
    }

    fn key(self, values: &[&str]) -> metrics::Key {
        debug_assert_eq!(self.labels().len(), values.len(), "{self:?}");
        let labels: Vec<Label> = self
            .labels()
            .iter()
            .zip(values)
            .map(|(name, value)| Label::new(*name, (*value).to_owned()))
            .collect();
        metrics::Key::from_parts(self.name(), labels)
    }

    fn describe(self) {
        let unit = self.name().contains("_seconds").then_some(Unit::Seconds);
        metrics::with_recorder(|recorder| {
            let (name, help) = (self.name().into(), self.help().into());
            match self.kind() {
                MetricKind::Counter => recorder.describe_counter(name, unit, help),
                MetricKind::Gauge => recorder.describe_gauge(name, unit, help),
                MetricKind::Histogram => recorder.describe_histogram(name, unit, help),
            }
        });
    }
}

/// Gives every metric its help text; call once after a recorder was installed.
pub fn describe_all() {
    for metric in Metric::ALL {
        metric.describe();
    }
}

/// Counters that must be seen together move under the read half; a scrape renders under the write half.
static CONSISTENT: RwLock<()> = RwLock::new(());

/// Hold this while counting an outcome: no scrape sees half of it.
pub fn together() -> RwLockReadGuard<'static, ()> {
    CONSISTENT.read().unwrap_or_else(PoisonError::into_inner)
}

/// Hold this while rendering: no count is half done.
pub fn scrape() -> RwLockWriteGuard<'static, ()> {
    CONSISTENT.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_follow_the_conventions_of_prometheus() {
        let names: BTreeSet<_> = Metric::ALL.iter().map(|metric| metric.name()).collect();
        assert_eq!(names.len(), Metric::ALL.len(), "a name is used twice");
        for metric in Metric::ALL {
            let (name, help) = (metric.name(), metric.help());
            assert!(name.starts_with("tidegate_"), "{name}");
            assert_eq!(name.ends_with("_total"), metric.kind() == MetricKind::Counter, "{name}");
            assert!(help.ends_with('.'), "{name}: {help}");
        }
    }
}
