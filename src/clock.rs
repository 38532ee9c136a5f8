//! Where the time of day comes from, so that tests can choose it.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering},
};

/// Microseconds since 1970-01-01T00:00:00Z, the resolution of everything that is stored.
pub type UnixMicros = i64;

/// A source of wall-clock time. Cheap to clone. Durations (deadlines, back-off) use tokio's monotonic clock instead.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// The machine's clock.
    #[default]
    System,
    /// A clock that a test sets.
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands at `at` until it is set.
    pub fn manual(at: UnixMicros) -> Self {
        Self::Manual(Arc::new(AtomicI64::new(at)))
    }

    /// Moves a manual clock; the machine's clock is left alone.
    pub fn set(&self, at: UnixMicros) {
        if let Self::Manual(time) = self {
            time.store(at, Ordering::Relaxed);
        }
    }

    /// The time now.
    pub fn now(&self) -> UnixMicros {
        match self {
            Self::System => chrono::Utc::now().timestamp_micros(),
            Self::Manual(time) => time.load(Ordering::Relaxed),
        }
    }
}
