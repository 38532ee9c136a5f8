//! An operator's hand on a lane: it may hold the lane, let it go, and cut a waiting short.
//!
//! What must stay true: a lane that is told to be held is, once it is shown as paused, not at its sink, and does not go
//! there before it is let go. A write that is under way is never abandoned for it. Both are one step of one value, so
//! that no order falls between the lane's look and its going. A hold is not kept over a restart: a server always
//! comes back by itself.

use super::lane_status::{LaneState, LaneStatus, Trouble};
use crate::clock::UnixMicros;

/// What the operator wants of a lane, and whether the lane is where that matters.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hold {
    /// Since when the lane is to stand still.
    since: Option<UnixMicros>,
    /// The lane is asking something of its sink.
    at_sink: bool,
    /// How often the lane was told to go on.
    releases: u64,
}

impl Hold {
    /// The state that the lane is in because of it.
    pub(super) fn standing(self) -> Option<LaneState> {
        let since = self.since.filter(|_| !self.at_sink)?;
        Some(LaneState::Paused { trouble: Trouble::Operator, since })
    }
}

/// The lane is at its sink for as long as this lives.
pub(super) struct AtSink(LaneStatus);

impl Drop for AtSink {
    fn drop(&mut self) {
        self.0.update(|progress| progress.hold.at_sink = false);
    }
}

impl LaneStatus {
    /// Lets the lane stand still from now on, once it has left its sink.
    pub(super) fn hold(&self) {
        let now = self.0.clock.now();
        self.update(|progress| {
            progress.hold.since.get_or_insert(now);
        });
    }

    /// Lets the lane go on, and not wait any longer for whatever it waits for.
    pub(super) fn release(&self) {
        self.update(|progress| {
            progress.hold.since = None;
            progress.hold.releases += 1;
        });
    }

    /// Goes to the sink, as soon as nobody holds the lane.
    pub(super) async fn reach_sink(&self) -> AtSink {
        let mut orders = self.0.progress.subscribe();
        loop {
            let goes = self.0.progress.send_if_modified(|progress| {
                progress.hold.at_sink = progress.hold.since.is_none();
                progress.hold.at_sink
            });
            if goes {
                return AtSink(self.clone());
            }
            // The sender lives in `self`: this cannot fail while we are here.
            let _ = orders.wait_for(|progress| progress.hold.since.is_none()).await;
        }
    }

    /// Returns when the lane is next told to go on.
    pub(super) async fn released(&self) {
        let mut orders = self.0.progress.subscribe();
        let before = orders.borrow_and_update().hold.releases;
        let _ = orders.wait_for(|progress| progress.hold.releases != before).await;
    }

    /// Returns once the lane stands still because somebody holds it.
    pub(super) async fn held(&self) {
        let mut orders = self.0.progress.subscribe();
        let _ = orders.wait_for(|progress| progress.hold.standing().is_some()).await;
    }
}
