//! A hand on a running lane, for whoever operates the server: what it does, pause and resume, its dead letters.

use std::sync::Arc;

use tokio::sync::Mutex;

use super::{
    dead_letters::DeadLetters,
    lane_status::LaneStatus,
    letter::LetterId,
    requeue::{RequeueError, requeue},
};
use crate::sinks::{Sink, Written};

/// A handle on a lane; cheap to clone, outlives the lane.
#[derive(Clone)]
pub struct LaneHandle {
    status: LaneStatus,
    sink: Arc<dyn Sink>,
    letters: Arc<DeadLetters>,
    /// Requeued records share a cursor, which two at once would move under each other.
    requeueing: Arc<Mutex<()>>,
}

impl LaneHandle {
    pub(super) fn new(status: LaneStatus, sink: Arc<dyn Sink>, letters: Arc<DeadLetters>) -> Self {
        Self { status, sink, letters, requeueing: Arc::default() }
    }

    /// The sink's name.
    pub fn name(&self) -> &str {
        self.status.name()
    }

    /// What the lane is doing.
    pub fn status(&self) -> &LaneStatus {
        &self.status
    }

    /// Lets the lane stand still until it is resumed or the server restarts. A write that is under way is finished
    /// first; [`Self::paused`] waits for that.
    pub fn pause(&self) {
        self.status.hold();
        tracing::warn!(sink = self.name(), "an operator pauses the lane");
    }

    /// Returns once a pause has taken effect.
    pub async fn paused(&self) {
        self.status.held().await;
    }

    /// Lets the lane go on. Whatever it waits for (a pause, a back-off, the next look whether a person has mended its
    /// sink), it tries again at once.
    pub fn resume(&self) {
        self.status.release();
        tracing::info!(sink = self.name(), "an operator lets the lane go on");
    }

    /// The lane's dead letters.
    pub fn letters(&self) -> &Arc<DeadLetters> {
        &self.letters
    }

    /// Writes the letter's record to the lane's sink and removes the letter, one after another; also while the lane is
    /// paused, because the operator wants it.
    pub async fn requeue(&self, id: LetterId) -> Result<Written, RequeueError> {
        let _turn = self.requeueing.lock().await;
        requeue(&self.letters, self.sink.as_ref(), id).await
    }
}
