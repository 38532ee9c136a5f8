//! Where an event is, by its receipt: stored, refused, dead, or on its way.
//!
//! A record moves while it is looked for, always in one direction: from the spool to the database or to the dead
//! letters, from the dead letters to the database. Whoever looks in the same order meets it: first the spool, from
//! where the slowest lane stands, then the letters, and the database last. A lane's cursor passes a record only when
//! it is stored or dead, and a letter goes only when its record is stored; so what the spool does not show any more is
//! further on, where nobody has looked yet. Where it was met twice, the later place counts. Only a refusal that was
//! replayed has left for the spool again, so that it counts where nothing else was met.

mod unsettled;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Serialize;
use uuid::Uuid;

use self::unsettled::{Budget, Found};
use super::dead_letters::LetterItem;
use crate::{
    database::{Database, DatabaseError},
    drain::lane_handle::LaneHandle,
    ingest::delivery_id::ELEMENTS_MAX,
    spool::Spool,
    store::{
        events::{self, StoredEvent},
        page::Page,
        refusals::{self, RefusalState, StoredRefusal},
    },
};

/// Low bits of an id that number the elements of a delivery.
const INDEX_MASK: u128 = ELEMENTS_MAX as u128 - 1;

/// What is known of a delivery, or of one of its elements.
#[derive(Clone, Debug, Serialize)]
pub struct ReceiptReport {
    /// The delivery's id.
    pub receipt: String,
    /// What was found, by its number in the delivery.
    pub elements: Vec<Element>,
    /// Whether there are more than were asked for.
    pub more: bool,
    /// Whether the spool was searched to its end, and all dead letters with it.
    pub spool_searched: bool,
    /// Whether the database answered.
    pub storage_searched: bool,
}

/// One element of a delivery.
#[derive(Clone, Debug, Serialize)]
pub struct Element {
    /// Its number in the delivery, as the id has it.
    pub element: u16,
    /// Its id.
    pub id: String,
    /// Where it is.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// Where an element is.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// In the table `events`.
    Stored {
        /// The row.
        event: Box<StoredEvent>,
    },
    /// In the table `refusals`, for it was refused.
    Refused {
        /// The row.
        refusal: Box<StoredRefusal>,
    },
    /// Among the dead letters, for the database refused it.
    Dead {
        /// The letter.
        dead_letter: Box<LetterItem>,
    },
    /// Durable in the spool, on its way to the database.
    InSpool {
        /// Its place there.
        sequence: u64,
    },
}

impl ReceiptReport {
    /// What to tell somebody for whose receipt nothing was found.
    pub fn absence(&self) -> &'static str {
        if self.spool_searched {
            "nothing is known under this id; ignored, filtered, sampled-out and duplicate events leave no row"
        } else {
            "nothing was found under this id, but there is so much in the spool or among the dead letters that they \
             were not searched to their end; ignored, filtered, sampled-out and duplicate events leave no row"
        }
    }
}

/// Finds the elements of a delivery, at most `limit` of them; only one where `element` or the id itself names one.
///
/// A delivery that is taken as a stream goes on under other ids after 65,536 records. Those have to be asked for by
/// their own.
///
/// # Errors
/// When the database does not answer and nothing was found elsewhere.
pub async fn find(
    database: &Database,
    spool: &Spool,
    lanes: &[LaneHandle],
    id: Uuid,
    element: Option<u16>,
    limit: usize,
) -> Result<ReceiptReport, DatabaseError> {
    let wanted = Wanted::new(id, element);
    search(Places { database, spool, lanes }, wanted, limit, async || {}).await
}

/// Where a record can be.
#[derive(Clone, Copy)]
struct Places<'p> {
    database: &'p Database,
    spool: &'p Spool,
    lanes: &'p [LaneHandle],
}

/// Looks in the order on which everything rests. `meanwhile` is what happens between two looks: nothing that we do.
async fn search(
    places: Places<'_>,
    wanted: Wanted,
    limit: usize,
    mut meanwhile: impl AsyncFnMut(),
) -> Result<ReceiptReport, DatabaseError> {
    let in_spool = unsettled::in_spool(places.spool, places.lanes, wanted, Budget::default()).await;
    meanwhile().await;
    let in_letters = unsettled::in_letters(places.lanes, wanted, Budget::default()).await;
    meanwhile().await;
    let stored = stored(places.database, wanted, limit).await;
    report(wanted, limit, in_spool, in_letters, stored)
}

/// A delivery or one of its elements, as a range of ids.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    delivery: Uuid,
    first: u128,
    last: u128,
}

impl Wanted {
    fn new(id: Uuid, element: Option<u16>) -> Self {
        let (delivery, index) = (id.as_u128() & !INDEX_MASK, id.as_u128() & INDEX_MASK);
        let (first, last) = match element {
            Some(element) => (delivery | u128::from(element), delivery | u128::from(element)),
            None if index == 0 => (delivery, delivery | INDEX_MASK),
            None => (id.as_u128(), id.as_u128()),
        };
        Self { delivery: Uuid::from_u128(delivery), first, last }
    }

    /// The number of the element with this id, if it is wanted.
    fn element(&self, id: Uuid) -> Option<u16> {
        let wanted = (self.first..=self.last).contains(&id.as_u128());
        u16::try_from(id.as_u128() & INDEX_MASK).ok().filter(|_| wanted)
    }
}

/// What the database has of a delivery: the first of each table.
struct Stored {
    events: Page<StoredEvent>,
    refusals: Page<StoredRefusal>,
}

async fn stored(database: &Database, wanted: Wanted, limit: usize) -> Result<Stored, DatabaseError> {
    let (first, last) = (Uuid::from_u128(wanted.first), Uuid::from_u128(wanted.last));
    let refusals = refusals::between(database, first, last, limit).await?;
    let events = events::between(database, first, last, limit).await?;
    Ok(Stored { events, refusals })
}

fn report(
    wanted: Wanted,
    limit: usize,
    in_spool: Found<u64>,
    in_letters: Found<LetterItem>,
    stored: Result<Stored, DatabaseError>,
) -> Result<ReceiptReport, DatabaseError> {
    let mut outcomes: BTreeMap<u16, Outcome> = BTreeMap::new();
    let spool = in_spool.elements.into_iter();
    outcomes.extend(spool.map(|(element, sequence)| (element, Outcome::InSpool { sequence })));
    let letters = in_letters.elements.into_iter();
    outcomes
        .extend(letters.map(|(element, letter)| (element, Outcome::Dead { dead_letter: Box::new(letter) })));
    let (mut more, mut storage_searched) = (false, true);
    match stored {
        Ok(Stored { events, refusals }) => {
            let ends = [events.next, refusals.next].into_iter().flatten();
            let known_up_to = ends.filter_map(|id| wanted.element(id)).min();
            let refusals = refusals.items.into_iter().filter_map(|refusal| {
                let element = wanted.element(refusal.refusal_id)?;
                Some((element, refusal))
            });
            for (element, refusal) in refusals {
                if refusal.state == RefusalState::Replayed && outcomes.contains_key(&element) {
                    continue;
                }
                outcomes.insert(element, Outcome::Refused { refusal: Box::new(refusal) });
            }
            let events = events.items.into_iter().filter_map(|event| {
                let element = wanted.element(event.event_id)?;
                Some((element, Outcome::Stored { event: Box::new(event) }))
            });
            outcomes.extend(events);
            if let Some(known_up_to) = known_up_to {
                // Of what lies behind it a table was not asked: it may be there as well.
                more = true;
                outcomes.retain(|element, _| *element <= known_up_to);
            }
        }
        Err(error) if outcomes.is_empty() => return Err(error),
        Err(_) => storage_searched = false,
    }
    let more = more || outcomes.len() > limit;
    let elements = outcomes.into_iter().take(limit).map(|(element, outcome)| Element {
        element,
        id: Uuid::from_u128(wanted.delivery.as_u128() | u128::from(element)).to_string(),
        outcome,
    });
    Ok(ReceiptReport {
        receipt: wanted.delivery.to_string(),
        elements: elements.collect(),
        more,
        spool_searched: in_spool.complete && in_letters.complete,
        storage_searched,
    })
}
