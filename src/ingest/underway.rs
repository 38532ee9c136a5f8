//! A delivery that the spool has taken over. It is counted once the spool has answered, whether or not its sender still
//! waits: a task of its own for each delivery would see to that too, and cost every delivery what hardly one needs.

use std::sync::Arc;

use tokio::runtime::Handle;

use super::{accept::Ingest, prepare::Prepared, registry::Door};
use crate::spool::{AppendError, Queued, Receipt};

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
    pub(super) async fn settled(mut self) -> (Prepared, Result<Receipt, AppendError>) {
        let receipt = self.0.as_mut().expect("taken only below and by drop").queued.receipt().await;
        let Uncounted { ingest, door, prepared, .. } =
            self.0.take().expect("as above, and nothing awaits since");
        ingest.count(&door, &prepared, receipt.as_ref());
        (prepared, receipt)
    }
}

impl Drop for Underway {
    fn drop(&mut self) {
        // Outside of a runtime the process is ending, and its counters with it.
        let (Some(uncounted), Ok(runtime)) = (self.0.take(), Handle::try_current()) else { return };
        runtime.spawn(Self(Some(uncounted)).settled());
    }
}
