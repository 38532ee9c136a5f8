//! A delivery that the spool has taken over. It is counted once the spool has answered, whether or not its request is still
//! there: requests are cut off at the deadline of a graceful stop. A task of its own for each delivery would see to that
//! too, and cost every delivery what hardly one needs.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::{accept::Ingest, prepare::Prepared, registry::Door};
use crate::spool::{AppendError, Queued, Receipt};

/// What becomes of a delivery, and what the spool said.
type Counted = (Prepared, Result<Receipt, AppendError>);

/// A delivery between being queued and being counted.
pub(super) struct Underway(Option<Uncounted>);

struct Uncounted {
    queued: Queued,
    ingest: Arc<Ingest>,
    door: Arc<Door>,
    prepared: Prepared,
}

impl Underway {
    /// To be made as soon as the spool has the chunk, with no `await` between.
    pub(super) fn new(queued: Queued, ingest: Arc<Ingest>, door: Arc<Door>, prepared: Prepared) -> Self {
        Self(Some(Uncounted { queued, ingest, door, prepared }))
    }

    /// Waits for the fsync and counts the delivery.
    ///
    /// # Cancel safety
    /// Dropped on the way, the delivery is counted all the same, by a task that waits instead.
    pub(super) async fn settled(mut self) -> Counted {
        let receipt = self.0.as_mut().expect("taken only below and by drop").queued.receipt().await;
        self.0.take().expect("as above, and nothing awaits since").counted(receipt)
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        // Without a runtime the process is ending, and its counters with it.
        if let (Some(uncounted), Ok(runtime)) = (self.0.take(), Handle::try_current()) {
            runtime.spawn(uncounted.settled());
        }
    }
}

impl Uncounted {
    /// Has no guard of its own: a runtime that ends drops what it is given at once, and must not be given it again.
    async fn settled(mut self) {
        let receipt = self.queued.receipt().await;
        drop(self.counted(receipt));
    }

    fn counted(self, receipt: Result<Receipt, AppendError>) -> Counted {
        self.ingest.count(&self.door, &self.prepared, receipt.as_ref());
        (self.prepared, receipt)
    }
}
