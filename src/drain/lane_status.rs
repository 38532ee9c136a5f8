//! What a lane is doing, for whoever asks: readiness `?verbose`, the operator's page, the gauges, tests.

use std::sync::Arc;

use metrics::Gauge;
use tokio::sync::watch;

use super::{dead_letters::DeadLetters, hold::Hold};
use crate::{
    clock::{Clock, UnixMicros},
    sinks::ErrorClass,
    spool::Spool,
    telemetry::metric::Metric,
};

/// Why a lane does not get on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// The sink may recover by itself.
    Transient,
    /// A commit was not answered.
    OutcomeUnknown,
    /// A dead letter could not be written to disk.
    DeadLettersUnwritable,
    /// The spool could not be read, or could not take a new id.
    SpoolUnreadable,
    /// A person has to mend the sink.
    Configuration,
    /// Somebody else writes under this spool's id.
    CursorMoved,
    /// The dead letters have reached their quota.
    DeadLettersFull,
    /// An operator wants the lane to stand still.
    Operator,
}

impl Trouble {
    /// Every trouble that a lane can meet; an operator's wish is no failure.
    pub const ALL: [Self; 7] = [
        Self::Transient,
        Self::OutcomeUnknown,
        Self::DeadLettersUnwritable,
        Self::SpoolUnreadable,
        Self::Configuration,
        Self::CursorMoved,
        Self::DeadLettersFull,
    ];

    /// A metric label and a field of the status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Transient => "transient",
            Self::OutcomeUnknown => "outcome_unknown",
            Self::DeadLettersUnwritable => "dead_letters_unwritable",
            Self::SpoolUnreadable => "spool_unreadable",
            Self::Configuration => "configuration",
            Self::CursorMoved => "cursor_moved",
            Self::DeadLettersFull => "dead_letters_full",
            Self::Operator => "operator",
        }
    }

    /// Whether a person has to do something: the lane pauses and probes, rather than to back off.
    pub const fn needs_a_person(self) -> bool {
        matches!(self, Self::Configuration | Self::CursorMoved | Self::DeadLettersFull | Self::Operator)
    }
}

impl From<ErrorClass> for Trouble {
    fn from(class: ErrorClass) -> Self {
        match class {
            ErrorClass::Transient => Self::Transient,
            // A sink that refuses a row when nothing but a known-good one is asked of it is itself the trouble.
            ErrorClass::Configuration | ErrorClass::PoisonRow => Self::Configuration,
            ErrorClass::OutcomeUnknown => Self::OutcomeUnknown,
            ErrorClass::CursorMoved => Self::CursorMoved,
        }
    }
}

/// What a lane is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LaneState {
    /// It has not reached its sink yet.
    #[default]
    Starting,
    /// It writes, or has nothing to write.
    Running,
    /// It will try again by itself.
    BackingOff {
        /// Why.
        trouble: Trouble,
        /// Since when.
        since: UnixMicros,
    },
    /// It waits for a person, and looks now and then whether the cause is mended. If that person told it to wait, it
    /// does not look; it is told again.
    Paused {
        /// Why.
        trouble: Trouble,
        /// Since when.
        since: UnixMicros,
    },
}

impl LaneState {
    /// A word for a status.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Running => "running",
            Self::BackingOff { .. } => "backing_off",
            Self::Paused { .. } => "paused",
        }
    }

    /// Why it does not get on, and since when; `None` if it does.
    pub const fn trouble(self) -> Option<(Trouble, UnixMicros)> {
        match self {
            Self::Starting | Self::Running => None,
            Self::BackingOff { trouble, since } | Self::Paused { trouble, since } => Some((trouble, since)),
        }
    }

    /// The state after a failure; a lane that was waiting in the same way has been since then.
    pub(super) fn troubled(self, trouble: Trouble, now: UnixMicros) -> Self {
        match (self, trouble.needs_a_person()) {
            (Self::Paused { since, .. }, true) => Self::Paused { trouble, since },
            (Self::BackingOff { since, .. }, false) => Self::BackingOff { trouble, since },
            (_, true) => Self::Paused { trouble, since: now },
            (_, false) => Self::BackingOff { trouble, since: now },
        }
    }
}

/// The last error of a lane. Never holds row data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastError {
    /// What it meant.
    pub trouble: Trouble,
    /// SQLSTATE, result code, kind of I/O error, or a word.
    pub code: String,
    /// When it arose.
    pub at: UnixMicros,
}

/// A lane at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// What it is doing.
    pub state: LaneState,
    /// First sequence that the sink does not have; `None` until the sink was reached.
    pub cursor: Option<u64>,
    /// Durable records that the sink does not have.
    pub lag_events: u64,
    /// Age of the oldest of them in microseconds; 0 when there is none or its age is not known.
    pub lag_micros: i64,
    /// Dead letters on disk.
    pub dead_letters: usize,
    /// The last error since the process started, mended or not.
    pub last_error: Option<LastError>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    pub state: LaneState,
    pub cursor: Option<u64>,
    /// When the first record of the batch in hand arrived.
    pub pending_since: Option<UnixMicros>,
    pub last_error: Option<LastError>,
    /// The operator's will.
    pub hold: Hold,
}

/// A handle on what a lane is doing; cheap to clone, outlives the lane.
#[derive(Clone)]
pub struct LaneStatus(pub(super) Arc<Shared>);

pub(super) struct Shared {
    name: String,
    spool: Spool,
    letters: Arc<DeadLetters>,
    started_at: UnixMicros,
    pub(super) clock: Clock,
    pub(super) progress: watch::Sender<Progress>,
    lag_events: Gauge,
    lag_seconds: Gauge,
    paused: Gauge,
    dead_letters: Gauge,
}

impl LaneStatus {
    pub(super) fn new(name: &str, spool: Spool, letters: Arc<DeadLetters>, clock: Clock) -> Self {
        Self(Arc::new(Shared {
            name: name.to_owned(),
            spool,
            letters,
            started_at: clock.now(),
            clock,
            progress: watch::Sender::default(),
            lag_events: Metric::LaneLagEvents.gauge(&[name]),
            lag_seconds: Metric::LaneLagSeconds.gauge(&[name]),
            paused: Metric::LanePaused.gauge(&[name]),
            dead_letters: Metric::LaneDeadLetters.gauge(&[name]),
        }))
    }

    /// The sink's name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// The lane now.
    pub fn snapshot(&self) -> Snapshot {
        let progress = self.0.progress.borrow().clone();
        self.describe(progress)
    }

    /// Waits until the lane is as described. Only what the lane does wakes it, not the passing of time.
    pub async fn wait_for(&self, mut matches: impl FnMut(&Snapshot) -> bool) -> Snapshot {
        let mut progress = self.0.progress.subscribe();
        loop {
            let snapshot = self.describe(progress.borrow_and_update().clone());
            if matches(&snapshot) {
                return snapshot;
            }
            // The sender lives in `self`: this cannot fail while we are here.
            let _ = progress.changed().await;
        }
    }

    /// Sets the gauges. Call it before each scrape: while a lane waits, its lag grows without its doing.
    pub fn record_gauges(&self) {
        let snapshot = self.snapshot();
        let paused = matches!(snapshot.state, LaneState::Paused { .. });
        self.0.paused.set(f64::from(u8::from(paused)));
        self.0.lag_events.set(approximately(snapshot.lag_events));
        self.0.lag_seconds.set(seconds(snapshot.lag_micros));
        self.0.dead_letters.set(approximately(snapshot.dead_letters as u64));
    }

    pub(super) fn update(&self, change: impl FnOnce(&mut Progress)) {
        self.0.progress.send_modify(change);
        self.record_gauges();
    }

    fn describe(&self, progress: Progress) -> Snapshot {
        let Progress { state, cursor, pending_since, last_error, hold } = progress;
        let settled = cursor.unwrap_or_else(|| self.0.spool.oldest());
        let lag_events = self.0.spool.end().saturating_sub(settled);
        // A sink that was never reached holds up whatever there is, for as long as we have been trying at least.
        let unreached = (cursor.is_none() && lag_events > 0).then_some(self.0.started_at);
        let waiting_since = pending_since.or(unreached);
        let age = waiting_since.map_or(0, |since| self.0.clock.now().saturating_sub(since));
        Snapshot {
            state: hold.standing().unwrap_or(state),
            cursor,
            lag_events,
            lag_micros: age.max(0),
            dead_letters: self.0.letters.len(),
            last_error,
        }
    }
}

/// A count as a gauge wants it.
#[expect(
    clippy::cast_precision_loss,
    reason = "beyond 2^53 it is off by a few, which no gauge needs to know"
)]
pub(super) fn approximately(count: u64) -> f64 {
    count as f64
}

/// An age as a gauge wants it.
#[expect(clippy::cast_precision_loss, reason = "ages are far below 2^53 microseconds, which are 285 years")]
fn seconds(micros: i64) -> f64 {
    micros as f64 / 1e6
}
