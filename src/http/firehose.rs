//! Deliveries of a firehose: taken record by record while they arrive, in memory that does not grow with them.
//!
//! The socket is read here, by a task; decoding, splitting and judging is work for a thread of its own, of which there
//! are no more than the machine has cores, so that other sources are served meanwhile.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    http::{Response, request::Parts},
};
use tokio::{runtime::Handle, sync::OwnedSemaphorePermit, time::timeout};

use super::{
    answer,
    body::{BodyLimits, Reservation},
    collect::Collect,
    feed::feed,
};
use crate::{
    ingest::{
        answer::Trouble,
        registry::{Door, Doors},
        stream::StreamDelivery,
    },
    sources::{
        bof::{self, metadata::Metadata},
        delivery::AuthenticDelivery,
    },
};

/// Memory set aside for one delivery: its queue, a record and its neighbours, and the chunks under way.
const DELIVERY_BYTES: usize = 8 << 20;

/// How long a delivery waits for a thread.
const THREAD_PATIENCE: Duration = Duration::from_secs(1);

impl Collect {
    /// Takes a delivery of a source of kind `bof`.
    pub(super) async fn take_stream(
        &self,
        (doors, door): (&Doors, &Arc<Door>),
        settings: &Arc<bof::Settings>,
        (delivery, data_center): (AuthenticDelivery, Option<String>),
        head: &Parts,
        body: Body,
    ) -> Response<Body> {
        // A delivery that is shed is read all the same: its records are counted.
        let shed = match self.ingest.admit_stream(door) {
            Ok(()) => None,
            Err(trouble @ (Trouble::ShedEarly | Trouble::TooFast)) => Some(trouble),
            Err(trouble) => return answer::stream::overloaded(trouble, settings),
        };
        let Ok(room) = self.room().await else { return answer::stream::overloaded(Trouble::Busy, settings) };
        let headers = head.headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
        let delivery = StreamDelivery {
            delivery,
            door: Arc::clone(door),
            settings: Arc::clone(settings),
            data_center,
            metadata: Metadata::new(headers),
            config_version: Arc::clone(&doors.config_version),
        };
        let (feed, reader) = feed();
        let (ingest, runtime) = (Arc::clone(&self.ingest), Handle::current());
        let reading = tokio::task::spawn_blocking(move || {
            let answer = match shed {
                None => ingest.take_stream(&delivery, &runtime, reader),
                Some(trouble) => ingest.shed_stream(&delivery, reader, trouble),
            };
            drop(room);
            answer
        });
        let limits = BodyLimits { bytes: door.source.limits.body_bytes, ..self.body };
        feed.pass(body, &limits).await;
        match reading.await {
            Ok(answer) => answer::stream::streamed(&answer, settings),
            // Its place is in the log already; what it said may repeat what was sent.
            Err(_panic) => {
                tracing::error!(source = %door.source.name, "taking a delivery failed");
                answer::broken()
            }
        }
    }

    /// How many deliveries are taken at a time: one for each core, and together no more than half of the memory for
    /// bodies, so that a firehose that trickles cannot keep other sources out.
    pub fn deliveries_at_once(cores: usize, body_memory: usize) -> usize {
        cores.min(body_memory / 2 / DELIVERY_BYTES).max(1)
    }

    /// A thread, and then memory: who waits for a thread holds nothing that others need.
    async fn room(&self) -> Result<(Reservation, OwnedSemaphorePermit), Trouble> {
        let thread = timeout(THREAD_PATIENCE, Arc::clone(&self.threads).acquire_owned()).await;
        let thread = thread.ok().and_then(Result::ok).ok_or(Trouble::Busy)?;
        let memory =
            self.budget.reserve(DELIVERY_BYTES.min(self.budget.bytes())).await.map_err(|_| Trouble::Busy)?;
        Ok((memory, thread))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn firehoses_leave_half_of_the_memory_to_others() {
        for (cores, body_memory, deliveries) in
            [(2, 64 << 20, 2), (64, 64 << 20, 4), (64, 1 << 30, 64), (1, 64 << 20, 1), (8, 1 << 20, 1)]
        {
            assert_eq!(Collect::deliveries_at_once(cores, body_memory), deliveries);
        }
    }
}
