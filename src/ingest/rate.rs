//! How many events a second a source may send: a bucket that one delivery may overdraw.
//!
//! The cost is known only when a delivery is parsed, and a batch larger than the bucket must not be refused for ever:
//! a full bucket lets any one delivery pass and then owes what it lacked.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A bucket that holds one second's worth of events.
#[derive(Debug)]
pub(super) struct RateLimit {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    level: f64,
    updated: Instant,
}

impl RateLimit {
    /// A full bucket.
    pub(super) fn new(now: Instant) -> Self {
        Self { state: Mutex::new(State { level: f64::INFINITY, updated: now }) }
    }

    /// Takes `events` out, or says how long to wait for them.
    pub(super) fn take(&self, events: usize, per_second: u32, now: Instant) -> Result<(), Duration> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let capacity = f64::from(per_second);
        let elapsed = now.saturating_duration_since(state.updated).as_secs_f64();
        state.level = (state.level + elapsed * capacity).min(capacity);
        state.updated = now;
        #[expect(clippy::cast_precision_loss, reason = "a delivery holds far fewer than 2^52 events")]
        let cost = events as f64;
        let needed = cost.min(capacity);
        if state.level >= needed {
            state.level -= cost;
            return Ok(());
        }
        Err(Duration::from_secs_f64((needed - state.level) / capacity))
    }

    /// Takes out what was not known when the rest was taken: the bucket owes it.
    pub(super) fn owe(&self, events: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a delivery holds far fewer than 2^52 events")]
        let cost = events as f64;
        self.state.lock().unwrap_or_else(PoisonError::into_inner).level -= cost;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_bucket_lets_any_batch_pass_and_then_owes_it() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let limit = RateLimit::new(start);
        assert_eq!(limit.take(250, 100, start), Ok(()));
        assert_eq!(limit.take(1, 100, start), Err(Duration::from_millis(1510)));
        assert_eq!(limit.take(250, 100, after(2000)), Err(Duration::from_millis(500)));
        assert_eq!(limit.take(250, 100, after(2500)), Ok(()));
    }

    #[test]
    fn what_is_not_used_is_not_saved_beyond_a_second() {
        let start = Instant::now();
        let limit = RateLimit::new(start);
        let later = start + Duration::from_mins(1);
        for _ in 0..10 {
            assert_eq!(limit.take(1, 10, later), Ok(()));
        }
        assert!(limit.take(1, 10, later).is_err());
    }
}
