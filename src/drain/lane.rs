//! The loop that moves records from the spool to one sink.

use std::sync::Arc;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{
    Settings,
    bisect::{Bisection, Portion, Range},
    dead_letters::DeadLetters,
    entry::Entry,
    intake::Intake,
    lane_handle::LaneHandle,
    lane_metrics::LaneMetrics,
    lane_status::{LaneState, LaneStatus, LastError, Trouble},
    patience::Patience,
    place::Place,
};
use crate::{
    clock::Clock,
    sinks::{ErrorClass, Sink, SinkError},
    spool::Spool,
};

/// How a lane ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LaneEnd {
    /// The sink has everything that the spool held.
    Drained,
    /// It was told to leave at once.
    Left {
        /// Records that the sink does not have yet, as far as the lane knows; the next start delivers them.
        behind: u64,
    },
}

/// Moves records from the spool to one sink, exactly once each.
pub struct Lane {
    pub(super) spool: Spool,
    pub(super) sink: Arc<dyn Sink>,
    pub(super) letters: Arc<DeadLetters>,
    pub(super) settings: Settings,
    pub(super) clock: Clock,
    handle: LaneHandle,
    pub(super) status: LaneStatus,
    pub(super) metrics: LaneMetrics,
    intake: Intake,
    patience: Patience,
    /// Where the spool ended when the lane was made: an earlier process may have asked for any cursor up to here.
    pub(super) inherited_end: u64,
}

impl Lane {
    /// Builds the lane and makes the spool keep everything that the lane has not delivered. Does no I/O.
    pub fn new(
        spool: Spool,
        sink: Arc<dyn Sink>,
        letters: Arc<DeadLetters>,
        settings: Settings,
        clock: Clock,
    ) -> Self {
        spool.register_lane(sink.name());
        let status = LaneStatus::new(sink.name(), spool.clone(), Arc::clone(&letters), clock.clone());
        Self {
            handle: LaneHandle::new(status.clone(), Arc::clone(&sink), Arc::clone(&letters)),
            status,
            metrics: LaneMetrics::new(sink.name()),
            intake: Intake::new(spool.clone(), settings),
            patience: Patience::new(settings.backoff_cap, settings.probe_every),
            inherited_end: spool.end(),
            spool,
            sink,
            letters,
            settings,
            clock,
        }
    }

    /// What the lane is doing; outlives the lane.
    pub fn status(&self) -> LaneStatus {
        self.status.clone()
    }

    /// A hand on the lane; outlives it.
    pub fn handle(&self) -> LaneHandle {
        self.handle.clone()
    }

    /// Runs until the spool is drained after `finish`, or until `now`. A lane that an operator holds when it is to
    /// finish leaves what it has not delivered: whoever stops the server does not want to wait for whoever paused it.
    ///
    /// `now` abandons whatever is under way. That is safe at every point: a write that is dropped either rolls back or
    /// commits together with its cursor, and the next start asks the sink which of the two it was.
    pub async fn run(mut self, finish: CancellationToken, now: CancellationToken) -> LaneEnd {
        let (status, end) = (self.status.clone(), finish.clone());
        let held_at_the_end = async {
            end.cancelled().await;
            status.held().await;
        };
        let drained = tokio::select! {
            biased;
            () = now.cancelled() => false,
            () = self.drain(&finish) => true,
            () = held_at_the_end => false,
        };
        if drained {
            return LaneEnd::Drained;
        }
        LaneEnd::Left { behind: self.status.snapshot().lag_events }
    }

    async fn drain(&mut self, finish: &CancellationToken) {
        let mut place = self.learn_place(None).await;
        while let Some(range) = self.take(&place, finish).await {
            if place.spool_id != self.spool.id() {
                place = self.learn_place(Some(&place)).await;
                continue;
            }
            self.deliver(&mut place, range).await;
        }
    }

    /// The next records; `None` once the lane is to finish and has delivered everything.
    async fn take(&mut self, place: &Place, finish: &CancellationToken) -> Option<Range> {
        loop {
            if self.spool.end() <= place.next {
                self.recovered();
                if finish.is_cancelled() {
                    return None;
                }
                tokio::select! {
                    () = finish.cancelled() => {}
                    () = self.spool.readable(place.next) => {
                        if self.spool.end() <= place.next {
                            // The spool is closed or poisoned: nothing will come any more.
                            finish.cancelled().await;
                        }
                    }
                }
                continue;
            }
            match self.intake.read(place.next, finish).await {
                Ok(range) if range.to > range.from => return Some(range),
                Ok(_) => self.endure(Trouble::SpoolUnreadable, "nothing_read").await,
                Err(error) => {
                    self.endure(Trouble::SpoolUnreadable, &error.to_string()).await;
                }
            }
        }
    }

    /// Brings a range into the sink, or as much of it as the lane gets before its cursor turns up elsewhere.
    async fn deliver(&mut self, place: &mut Place, range: Range) {
        let mut bisection = Bisection::new(range);
        self.bury_unreadable(&mut bisection, place.spool_id).await;
        while let Some(portion) = bisection.portion() {
            let from = portion.from;
            match self.write(place, portion).await {
                Ok(()) => bisection.settle(),
                Err(error) if error.class == ErrorClass::PoisonRow => {
                    self.isolate(&mut bisection, place.spool_id, &error).await;
                }
                Err(error) => {
                    self.outlast(place, portion.to, &error).await;
                    if place.next != from {
                        return;
                    }
                }
            }
        }
    }

    /// One attempt at a portion.
    async fn write(&mut self, place: &mut Place, portion: Portion<'_>) -> Result<(), SinkError> {
        let pending_since = portion.entries.iter().find_map(Entry::received_at);
        self.status.update(|progress| progress.pending_since = pending_since);

        let batch = portion.batch(place.spool_id, place.expected());
        let at_sink = self.status.reach_sink().await;
        let started = Instant::now();
        let answer = self.sink.write(&batch).await;
        drop(at_sink);
        self.metrics.took(started.elapsed());
        let written = answer?;

        self.metrics.stored(&batch, written);
        if batch.gaps > 0 {
            let (sink, from, to, gaps) = (self.sink.name(), batch.from, batch.to, batch.gaps);
            tracing::error!(sink, from, to, gaps, "the spool no longer held some records");
        }
        place.advance(batch.to);
        self.stand_at(batch.to);
        self.recovered();
        self.withdraw_letters(place.spool_id, portion).await;
        Ok(())
    }

    /// The sink has everything below `next`.
    pub(super) fn stand_at(&self, next: u64) {
        self.spool.release(self.sink.name(), next);
        self.status.update(|progress| {
            progress.cursor = Some(next);
            progress.pending_since = None;
        });
    }

    /// Waits as long as a failure asks for. Nothing here gives up: whatever failed is tried again.
    pub(super) async fn endure(&mut self, trouble: Trouble, code: &str) {
        let advice = self.patience.fail(trouble, fastrand::f64());
        self.metrics.failed(trouble);
        let (sink, why, delay) = (self.sink.name(), trouble.as_str(), advice.delay);
        if !advice.news {
            tracing::debug!(sink, trouble = why, code, delay_ms = delay.as_millis(), "lane waits");
        } else if trouble.needs_a_person() {
            tracing::error!(sink, trouble = why, code, "lane pauses until this is mended");
        } else {
            tracing::warn!(sink, trouble = why, code, "lane backs off");
        }
        let now = self.clock.now();
        self.status.update(|progress| {
            progress.last_error = Some(LastError { trouble, code: code.to_owned(), at: now });
            progress.state = progress.state.troubled(trouble, now);
        });
        let status = self.status.clone();
        tokio::select! {
            () = tokio::time::sleep(delay) => {}
            () = status.released() => {}
        }
    }

    /// The sink works, or there is nothing to ask of it.
    fn recovered(&mut self) {
        if let Some(streak) = self.patience.succeed() {
            let (sink, trouble, failures) = (self.sink.name(), streak.trouble.as_str(), streak.failures);
            let seconds = streak.since.elapsed().as_secs();
            tracing::info!(sink, trouble, failures, seconds, "lane runs again");
        }
        self.status.update(|progress| progress.state = LaneState::Running);
    }
}
