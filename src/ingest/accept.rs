//! Taking a delivery: admit, prepare, append, count, answer.

use std::{num::NonZero, sync::Arc, time::Instant};

use tokio::sync::Semaphore;

use super::{
    answer::{Answer, BatchVerdict, ElementOutcome, Trouble, Turned, Verdict},
    body::DeliveryBody,
    delivery_id::{DeliveryId, DeliveryIds},
    prepare::{Preparation, Prepared},
    refusal_share::RefusalShare,
    registry::{Door, needs_directory},
    tally::Outcomes,
    underway::Underway,
};
use crate::{
    clock::UnixMicros,
    sources::{
        Priority,
        delivery::AuthenticDelivery,
        segment::{self, UserNames},
    },
    spool::{AppendError, Receipt, Spool},
    store::users::{Lookup, UsersDirectory},
};

/// Bodies above this are prepared off the runtime's workers, which other requests need.
const INLINE_BYTES_MAX: usize = 128 << 10;

/// How full the spool is when sources of low priority are turned away.
pub(super) const LOW_PRIORITY_USAGE_MAX: f64 = 0.8;

/// Takes deliveries into the spool.
pub struct Ingest {
    spool: Spool,
    users: Arc<UsersDirectory>,
    ids: DeliveryIds,
    refusals: RefusalShare,
    /// One permit for each core: more large deliveries at a time would only wait for each other, with all their memory.
    large: Arc<Semaphore>,
}

impl Ingest {
    /// Takes deliveries into this spool, with this directory of users.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn new(
        spool: Spool,
        users: Arc<UsersDirectory>,
        refusals: RefusalShare,
    ) -> Result<Self, getrandom::Error> {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Ok(Self { spool, users, ids: DeliveryIds::new()?, refusals, large: Arc::new(Semaphore::new(cores)) })
    }

    /// Whether a delivery of this source could be taken now: asked before its body is read.
    ///
    /// # Errors
    /// Our own trouble; the sender shall come again.
    pub fn admit(&self, door: &Door) -> Result<(), Trouble> {
        if !door.source.enabled {
            return Err(Trouble::SourceDisabled);
        }
        if needs_directory(&door.source) && !self.users.is_loaded() {
            return Err(Trouble::DirectoryNotLoaded);
        }
        if door.source.priority == Priority::Low && self.spool.usage() >= LOW_PRIORITY_USAGE_MAX {
            return Err(Trouble::ShedEarly);
        }
        Ok(())
    }

    /// Whether a stream of this source could be taken now, whose events are counted against its rate when it has ended.
    ///
    /// # Errors
    /// Our own trouble, or the source's haste.
    pub fn admit_stream(&self, door: &Door) -> Result<(), Trouble> {
        self.admit(door)?;
        let Some(per_second) = door.source.limits.events_per_second else { return Ok(()) };
        door.state.rate.take(0, per_second, Instant::now()).map_err(|_| Trouble::TooFast)
    }

    /// Takes a delivery. When this answers, whatever it calls committed or refused is durable.
    ///
    /// # Cancel safety
    /// Dropped on the way, what the spool has begun to take is taken and counted all the same.
    ///
    /// # Errors
    /// When nothing of the delivery was taken.
    pub async fn accept(
        self: &Arc<Self>,
        door: &Arc<Door>,
        settings: &Arc<segment::Settings>,
        delivery: AuthenticDelivery,
        config_version: &Arc<str>,
        body: DeliveryBody,
    ) -> Result<Answer, Turned> {
        let id = self.next_id(delivery.head().received_at);
        let prepared = if body.work_bytes() > INLINE_BYTES_MAX {
            let turn = Arc::clone(&self.large).acquire_owned().await;
            let (ingest, door) = (Arc::clone(self), Arc::clone(door));
            let (settings, config_version) = (Arc::clone(settings), Arc::clone(config_version));
            let prepare = move || {
                let prepared = ingest.prepare(&door, &settings, &delivery, &config_version, id, &body);
                drop(turn);
                prepared
            };
            match tokio::task::spawn_blocking(prepare).await {
                Ok(prepared) => prepared,
                Err(panic) => std::panic::resume_unwind(panic.into_panic()),
            }
        } else {
            let prepared = self.prepare(door, settings, &delivery, config_version, id, &body);
            // Nobody reads it while the spool works.
            drop(body);
            prepared
        }?;
        self.append(door, id, prepared).await
    }

    fn prepare(
        &self,
        door: &Door,
        settings: &segment::Settings,
        delivery: &AuthenticDelivery,
        config_version: &str,
        id: DeliveryId,
        body: &DeliveryBody,
    ) -> Result<Prepared, Turned> {
        let users = Directory(&self.users);
        let preparation = Preparation {
            settings,
            delivery,
            id,
            users: &users,
            recent: &door.state.recent,
            config_version,
            refusal_room: &|| self.refusal_room(),
        };
        preparation.run(body, |events| {
            let Some(per_second) = door.source.limits.events_per_second else { return Ok(()) };
            door.state.rate.take(events, per_second, Instant::now()).map_err(|retry_after| {
                door.state.tally.count(Outcomes { shed: events as u64, ..Outcomes::default() }, &[]);
                Turned::TooFast { retry_after }
            })
        })
    }

    async fn append(
        self: &Arc<Self>,
        door: &Arc<Door>,
        id: DeliveryId,
        mut prepared: Prepared,
    ) -> Result<Answer, Turned> {
        let chunk = std::mem::take(&mut prepared.chunk);
        if chunk.is_empty() {
            door.state.count(&prepared);
            return Ok(Answer { receipt: id, verdict: verdict(prepared, None)? });
        }
        let queued = match self.spool.queue(chunk).await {
            Ok(queued) => queued,
            Err(error) => {
                door.state.tally.count(prepared.outcomes.shed(), &[]);
                return Err(Turned::Unavailable(trouble(error)));
            }
        };
        let underway = Underway::new(queued, Arc::clone(self), Arc::clone(door), prepared);
        let (prepared, proof) = underway.settled().await;
        let proof = proof.map_err(|error| Turned::Unavailable(trouble(error)))?;
        Ok(Answer { receipt: id, verdict: verdict(prepared, Some(proof))? })
    }

    /// Counts a delivery that the spool has answered.
    pub(super) fn count(&self, door: &Door, prepared: &Prepared, answer: Result<&Receipt, &AppendError>) {
        match answer {
            Ok(proof) => {
                door.state.count(prepared);
                self.hold_refusals(proof, prepared.refused_bytes);
            }
            Err(_) => door.state.tally.count(prepared.outcomes.shed(), &[]),
        }
    }

    pub(super) fn spool(&self) -> &Spool {
        &self.spool
    }

    pub(super) fn users(&self) -> &UsersDirectory {
        &self.users
    }

    pub(super) fn next_id(&self, at: UnixMicros) -> DeliveryId {
        self.ids.next(at)
    }

    /// How many bytes of refusals may still be kept.
    pub(super) fn refusal_room(&self) -> u64 {
        self.refusals.room(self.spool.oldest())
    }

    pub(super) fn hold_refusals(&self, proof: &Receipt, bytes: u64) {
        if bytes > 0 {
            self.refusals.hold(proof.first_sequence(), bytes);
        }
    }
}

/// What a delivery is answered. Without a proof nothing can be called committed or refused: if there ever were none, the
/// sender is told to come again.
fn verdict(mut prepared: Prepared, proof: Option<Receipt>) -> Result<Verdict, Turned> {
    if prepared.is_batch {
        let Outcomes { committed, duplicate, ignored, refused, .. } = prepared.outcomes;
        if committed + duplicate + refused > 0 && proof.is_none() {
            return Err(Turned::Unavailable(Trouble::SpoolPoisoned));
        }
        return Ok(Verdict::Batch(BatchVerdict {
            proof,
            committed: committed + duplicate,
            ignored,
            refused,
            duplicates: duplicate,
            results: prepared.verdicts,
        }));
    }
    Ok(match (prepared.verdicts.pop().map(|verdict| verdict.outcome), proof) {
        (Some(ElementOutcome::Ignored(breach)), _) => Verdict::Ignored(breach),
        (None, Some(proof)) => Verdict::Committed { proof, duplicate: false },
        (Some(ElementOutcome::Duplicate), Some(proof)) => Verdict::Committed { proof, duplicate: true },
        (Some(ElementOutcome::Refused(breach)), Some(proof)) => Verdict::Refused { proof, breach },
        (_, None) => return Err(Turned::Unavailable(Trouble::SpoolPoisoned)),
    })
}

/// What a failed append means for the sender.
pub(super) fn trouble(error: AppendError) -> Trouble {
    match error {
        AppendError::Full => Trouble::SpoolFull,
        AppendError::NoSpace => Trouble::DiskFull,
        AppendError::Busy => Trouble::Busy,
        AppendError::Poisoned => Trouble::SpoolPoisoned,
        AppendError::Closed => Trouble::Stopping,
    }
}

/// The users directory as sources ask it.
pub(super) struct Directory<'u>(pub(super) &'u UsersDirectory);

impl UserNames for Directory<'_> {
    fn username(&self, id: i64) -> Option<Arc<str>> {
        match self.0.username(id) {
            Lookup::Found(name) => Some(name),
            Lookup::Unknown | Lookup::NotLoaded => None,
        }
    }
}
