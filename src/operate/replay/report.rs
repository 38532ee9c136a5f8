//! What a replay did, or would do.

use std::collections::BTreeMap;

use serde::Serialize;

/// What became of the refusals that were considered. Counts are of events, but for the first and the last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ReplayReport {
    /// Whether nothing was stored.
    pub dry_run: bool,
    /// Refusals that were looked at.
    pub considered: u64,
    /// Durable in the spool now; of a dry run: would be.
    pub stored: u64,
    /// Their key is taken by an event that is stored or about to be.
    pub duplicates: u64,
    /// Still refused, by rule.
    pub refused: BTreeMap<&'static str, u64>,
    /// Not wanted by the settings of today, by rule.
    pub ignored: BTreeMap<&'static str, u64>,
    /// Left out by a consumer's filters.
    pub filtered: u64,
    /// Left out by a consumer's sampling.
    pub sampled_out: u64,
    /// Refusals that cannot be judged.
    pub not_replayable: NotReplayable,
    /// Where to go on; none if there is nothing more.
    pub next: Option<String>,
}

/// Refusals that cannot be judged, by why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct NotReplayable {
    /// Not all of their bytes were kept.
    pub truncated: u64,
    /// Their source is not in the settings, or is of another kind now.
    pub source_unknown: u64,
    /// They exceed the limits that their source has now.
    pub too_large: u64,
}

impl ReplayReport {
    /// Adds the counts of a part.
    pub(super) fn add(&mut self, part: Self) {
        let Self { considered, stored, duplicates, filtered, sampled_out, not_replayable, .. } = part;
        self.considered += considered;
        self.stored += stored;
        self.duplicates += duplicates;
        self.filtered += filtered;
        self.sampled_out += sampled_out;
        self.not_replayable.truncated += not_replayable.truncated;
        self.not_replayable.source_unknown += not_replayable.source_unknown;
        self.not_replayable.too_large += not_replayable.too_large;
        for (counts, part) in [(&mut self.refused, part.refused), (&mut self.ignored, part.ignored)] {
            for (rule, count) in part {
                *counts.entry(rule).or_default() += count;
            }
        }
    }
}
