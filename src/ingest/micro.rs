//! What micro-benchmarks measure of ingest, which is private otherwise.

use super::{
    answer::Turned, body::DeliveryBody, delivery_id::DeliveryIds, prepare::Preparation, recent::RecentKeys,
    refuser,
};
use crate::{
    event::record::Event,
    sources::{
        delivery::AuthenticDelivery,
        segment::{Settings, UserNames},
    },
    spool::{Chunk, Kind},
};

/// Prepares the same delivery again and again.
pub struct Preparing<'p> {
    delivery: &'p AuthenticDelivery,
    settings: &'p Settings,
    users: &'p dyn UserNames,
    ids: DeliveryIds,
    recent: RecentKeys,
}

impl<'p> Preparing<'p> {
    /// `recent` are the dedup keys of events that are durable already.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn new<'k>(
        delivery: &'p AuthenticDelivery,
        settings: &'p Settings,
        users: &'p dyn UserNames,
        recent: impl IntoIterator<Item = &'k str>,
    ) -> Result<Self, getrandom::Error> {
        let keys = RecentKeys::default();
        keys.remember(&recent.into_iter().map(|key| keys.hash(key)).collect::<Vec<_>>());
        Ok(Self { delivery, settings, users, ids: DeliveryIds::new()?, recent: keys })
    }

    /// From the bytes of a body to what is appended.
    ///
    /// # Errors
    /// When nothing of the delivery would be taken.
    pub fn prepare(&self, body: &DeliveryBody) -> Result<Chunk, Turned> {
        let preparation = Preparation {
            settings: self.settings,
            delivery: self.delivery,
            id: self.ids.next(self.delivery.head().received_at),
            users: self.users,
            recent: &self.recent,
            config_version: "micro",
            refusal_room: &|| u64::MAX,
        };
        preparation.run(body, |_| Ok(())).map(|prepared| prepared.chunk)
    }
}

/// Encodes an event into what is appended.
pub fn encode(event: &Event, chunk: &mut Chunk) {
    chunk.push(Kind::Event, |out| refuser::encode(event, out));
}
