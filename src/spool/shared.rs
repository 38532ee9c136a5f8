//! What the handles, the readers and the writer know in common.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Instant,
};

use tokio::sync::watch;
use uuid::Uuid;

use super::{Settings, damage::DamageRegister, inbox::Inbox, index::Index, lanes::Lanes};
use crate::{
    disk::{Disk, DiskLock},
    telemetry::metric::Metric,
};

/// The state of an open spool.
pub(super) struct Shared {
    pub(super) disk: Arc<dyn Disk>,
    pub(super) settings: Settings,
    pub(super) id: Mutex<Uuid>,
    pub(super) inbox: Inbox,
    pub(super) index: Mutex<Index>,
    pub(super) lanes: Lanes,
    pub(super) damage: DamageRegister,
    /// The sequence after the last durable record: how far readers may go. Told only after `index` knows.
    pub(super) end: watch::Sender<u64>,
    /// The spool's life. Not told together with `end`, or whoever waits for its end would be woken by every commit.
    pub(super) phase: watch::Sender<Phase>,
    pub(super) times: Mutex<Times>,
    /// Held until the last handle and reader is gone: while they read, nobody else may delete.
    pub(super) _lock: Box<dyn DiskLock>,
}

/// The spool's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It takes appends.
    Open,
    /// It was closed; all that it took in is durable.
    Closed,
    /// A write or fsync failed; what was durable before can be read.
    Poisoned,
}

/// When the writer last had luck, and when it last lacked space.
#[derive(Debug, Default)]
pub(super) struct Times {
    pub(super) committed: Option<Instant>,
    /// Unset by the next commit.
    pub(super) lacked_space: Option<Instant>,
}

impl Shared {
    /// The sequence after the last durable record.
    pub(super) fn end(&self) -> u64 {
        *self.end.borrow()
    }

    /// Takes nothing more in, for ever.
    pub(super) fn poison(&self) {
        self.inbox.poison();
        self.phase.send_replace(Phase::Poisoned);
        Metric::SpoolPoisoned.gauge(&[]).set(1.0);
    }

    /// Lets the writer delete, if there is something to delete.
    pub(super) fn retain(&self) {
        let deletable = |floor| locked(&self.index).deletable(floor);
        if self.lanes.floor().and_then(deletable).is_some() {
            self.inbox.retain();
        }
    }
}

/// Locks a mutex whose contents are right even after a panic elsewhere: every change to them is a single step.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
