//! Moves records from the spool to the sinks, exactly once each: one lane per sink, none of which knows another.
//!
//! A lane reads consecutive records, hands them to its sink as a batch, and the sink stores the batch *and the lane's
//! cursor in one transaction*. Wherever the process dies, the next start asks the sink for the cursor and goes on
//! from there; nothing else is kept. What must stay true:
//!
//! - Every sequence is settled once: stored (or known to the sink already), dead, or a gap. The cursor's totals
//!   sum to the distance that it has gone.
//! - Nothing is given up because of time, size or the number of attempts. A lane that cannot get on waits, and the
//!   spool keeps its records.
//! - A record goes to the dead letters only when it was refused alone and a known-good record was not. Its letter is
//!   durable before the cursor passes it. An error that a person has to mend never makes a dead letter.
//! - The cursor is followed forward only to where this lane can have moved it (`place`).
//!
//! | file | its idea |
//! |---|---|
//! | `lane` | the loop |
//! | `orientation`, `place` | where the lane stands in its sink |
//! | `intake`, `entry`, `blocking` | reading and decoding |
//! | `bisect` | which portions of a batch are written, and how bad rows are found |
//! | `burial` | from a bad row to a dead letter |
//! | `dead_letters`, `letter` | the letters as files |
//! | `requeue` | a letter's second chance |
//! | `patience`, `backoff` | how long to wait after a failure |
//! | `lane_status`, `lane_metrics` | what others see of it |
//! | `lane_handle`, `hold` | an operator's hand on it |

mod backoff;
mod bisect;
pub mod blocking;
mod burial;
pub mod dead_letters;
mod entry;
mod hold;
mod intake;
pub mod lane;
pub mod lane_handle;
mod lane_metrics;
pub mod lane_status;
pub mod letter;
#[cfg(feature = "micro-benchmarks")]
pub mod micro;
mod orientation;
mod patience;
mod place;
pub mod requeue;

#[cfg(test)]
mod proptests;
#[cfg(test)]
mod tests;

use std::time::Duration;

/// How lanes batch and how they bear failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Most records of a batch.
    pub events: usize,
    /// Most bytes of a batch; a single record may be larger.
    pub bytes: usize,
    /// How long a batch that is not full waits for more.
    pub age: Duration,
    /// Quota of the dead letters of a lane; a lane that would exceed it pauses.
    pub dead_letters_bytes: u64,
    /// More dead letters than this in one batch are an alert.
    pub dead_letters_alert: usize,
    /// Longest wait before a sink that may recover by itself is tried again.
    pub backoff_cap: Duration,
    /// How often a paused lane looks whether its sink is mended; the first looks are closer together.
    pub probe_every: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            events: 5_000,
            bytes: 8 << 20,
            age: Duration::ZERO,
            dead_letters_bytes: 1 << 30,
            dead_letters_alert: 32,
            backoff_cap: Duration::from_secs(30),
            probe_every: Duration::from_secs(30),
        }
    }
}
