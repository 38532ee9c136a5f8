//! What a sender is told, before anybody speaks HTTP. `committed` cannot be said without a receipt of the spool.

use std::{io, time::Duration};

use super::{delivery_id::DeliveryId, tally::Outcomes};
use crate::{sources::rule::Breach, spool::Receipt};

/// A delivery that was taken, as far as it was worth taking.
#[derive(Debug)]
pub struct Answer {
    /// The delivery's id: under it, what became of it can be looked up.
    pub receipt: DeliveryId,
    /// What became of it.
    pub verdict: Verdict,
}

/// What became of a delivery.
#[derive(Debug)]
pub enum Verdict {
    /// One event, durable.
    Committed {
        /// The proof.
        proof: Receipt,
        /// Seen shortly before.
        duplicate: bool,
    },
    /// One event that nobody wants.
    Ignored(Breach),
    /// One event, or a whole body, refused and kept.
    Refused {
        /// The proof that it is kept.
        proof: Receipt,
        /// Why.
        breach: Breach,
    },
    /// A batch.
    Batch(BatchVerdict),
}

/// What became of a batch, element by element.
#[derive(Debug)]
pub struct BatchVerdict {
    /// The proof of everything committed and refused; none where nothing was appended.
    pub proof: Option<Receipt>,
    /// Durable events, duplicates among them.
    pub committed: u64,
    /// Events that nobody wants.
    pub ignored: u64,
    /// Refused elements, kept.
    pub refused: u64,
    /// Durable events that were seen shortly before.
    pub duplicates: u64,
    /// The elements that were not plainly committed.
    pub results: Vec<ElementVerdict>,
}

/// What became of one element that was not plainly committed.
#[derive(Debug)]
pub struct ElementVerdict {
    /// Its place in the batch.
    pub index: usize,
    /// What became of it.
    pub outcome: ElementOutcome,
}

/// What became of an element.
#[derive(Debug)]
pub enum ElementOutcome {
    /// Committed, and seen shortly before.
    Duplicate,
    /// Nobody wants it.
    Ignored(Breach),
    /// Refused and kept.
    Refused(Breach),
}

/// A delivery that was not taken at all, of which nothing is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turned {
    /// The signature does not fit.
    Unsigned,
    /// Over a limit; the word names its setting.
    TooLarge(&'static str),
    /// Faster than the source may.
    TooFast {
        /// When to come again.
        retry_after: Duration,
    },
    /// Our own trouble.
    Unavailable(Trouble),
}

/// Why we cannot take anything just now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Switched off in the settings.
    #[error("this source is switched off")]
    SourceDisabled,
    /// The spool is at `spool.max_bytes`.
    #[error("the spool is full")]
    SpoolFull,
    /// A source of low priority, and the spool is nearly full.
    #[error("the spool is nearly full and this source has low priority")]
    ShedEarly,
    /// What is safe elsewhere makes way for deliveries, and the spool is nearly full.
    #[error("the spool is nearly full and deliveries go first")]
    MakesWay,
    /// The disk is full.
    #[error("the disk is full")]
    DiskFull,
    /// The source sends more than its rate allows.
    #[error("faster than limits.events_per_second allows")]
    TooFast,
    /// More is under way than memory is set aside for.
    #[error("too much is under way")]
    Busy,
    /// A write failed: the process is about to leave.
    #[error("the spool failed")]
    SpoolPoisoned,
    /// The process is stopping.
    #[error("shutting down")]
    Stopping,
    /// The users directory could not be read yet.
    #[error("the users directory is not loaded yet")]
    DirectoryNotLoaded,
}

impl Trouble {
    /// When it may be worth coming again.
    pub fn retry_after(self) -> Duration {
        Duration::from_secs(match self {
            Self::Busy | Self::TooFast | Self::DirectoryNotLoaded => 1,
            Self::SpoolPoisoned | Self::Stopping => 5,
            Self::SpoolFull | Self::ShedEarly | Self::MakesWay | Self::DiskFull => 30,
            Self::SourceDisabled => 60,
        })
    }
}

/// What became of a delivery that was taken record by record.
#[derive(Debug)]
pub struct StreamAnswer {
    /// The delivery's id; none where nothing was taken.
    pub receipt: Option<DeliveryId>,
    /// What became of its records. What is committed or refused is durable.
    pub counts: Outcomes,
    /// How it ended.
    pub end: StreamEnd,
}

/// How a stream ended.
#[derive(Debug)]
pub enum StreamEnd {
    /// It was read to its end.
    Complete,
    /// It was broken somewhere; the rest is one refusal.
    Broken(Breach),
    /// It exceeds a limit; the word names its setting.
    TooLarge(&'static str),
    /// It stopped coming; the error is the reader's own.
    Input(io::Error),
    /// Our own trouble; what came before is taken.
    Unavailable(Trouble),
}
