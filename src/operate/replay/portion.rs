//! A portion of refusals: which of its events are stored, and which refusals are done with.

use std::collections::{BTreeMap, HashMap, hash_map::Entry};

use uuid::Uuid;

use super::report::ReplayReport;
use crate::{
    database::{Database, DatabaseError},
    event::record::{DEDUP_CONFLICT, Event},
    ingest::{
        again::{Again, Unfit},
        judging::Fate,
    },
    store::events,
};

/// So many keys are looked up in one question.
const KEYS_AT_ONCE: usize = 1000;

/// Who has which key: events that are stored, and those that this call stores. By source and key.
#[derive(Debug, Default)]
pub(super) struct Keys(HashMap<(String, String), Uuid>);

impl Keys {
    /// Learns who has the keys of these events.
    pub(super) async fn look_up(
        &mut self,
        database: &Database,
        wanted: impl Iterator<Item = &Event>,
    ) -> Result<(), DatabaseError> {
        let mut by_source: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for event in wanted {
            by_source.entry(&event.source).or_default().extend(event.dedup_key.clone());
        }
        for (source, keys) in by_source {
            for keys in keys.chunks(KEYS_AT_ONCE) {
                for (key, owner) in events::taken_keys(database, source, keys).await? {
                    self.0.entry((source.to_owned(), key)).or_insert(owner);
                }
            }
        }
        Ok(())
    }

    /// The event that has the key of this one, which from now on is this one if nobody had it.
    fn owner(&mut self, event: &Event) -> Option<Uuid> {
        let place = (event.source.clone(), event.dedup_key.clone()?);
        match self.0.entry(place) {
            Entry::Occupied(owner) => Some(*owner.get()),
            Entry::Vacant(free) => {
                free.insert(event.event_id());
                None
            }
        }
    }
}

/// What becomes of a portion.
#[derive(Debug, Default)]
pub(super) struct Portion {
    pub(super) counts: ReplayReport,
    /// To be made durable.
    pub(super) append: Vec<Event>,
    /// Refusals of which nothing is missing once that is done.
    pub(super) replayed: Vec<Uuid>,
}

impl Portion {
    /// Decides about refusals that were judged; `keys` must know the keys of their events.
    pub(super) fn of(judged: Vec<(Uuid, Again)>, keys: &mut Keys) -> Self {
        let mut portion = Self::default();
        for (id, again) in judged {
            portion.counts.considered += 1;
            let is_settled = match again {
                Again::Judged(fates) => {
                    // Every element is decided about, also behind one that is refused.
                    let settled = fates.into_iter().map(|fate| portion.decide(fate, keys));
                    settled.fold(true, |all, is_settled| all & is_settled)
                }
                Again::Conflict(event) => portion.decide_conflict(*event, keys),
                Again::Unfit(unfit) => portion.leave(unfit),
            };
            portion.replayed.extend(is_settled.then_some(id));
        }
        portion
    }

    /// Whether all of its refusals stay as they are, and nothing is stored.
    pub(super) fn changes_nothing(&self) -> bool {
        self.append.is_empty() && self.replayed.is_empty()
    }

    /// Whether nothing of the element is missing any more.
    fn decide(&mut self, fate: Fate, keys: &mut Keys) -> bool {
        let counts = &mut self.counts;
        match fate {
            Fate::Event(event) => match keys.owner(&event) {
                None => self.store(*event),
                Some(_) => counts.duplicates += 1,
            },
            Fate::Refused(breach) => return count(&mut counts.refused, breach.rule.id),
            Fate::Ignored(breach) => return count(&mut counts.ignored, breach.rule.id),
            Fate::Filtered(_) => {
                counts.filtered += 1;
                return false;
            }
            Fate::SampledOut => {
                counts.sampled_out += 1;
                return false;
            }
        }
        true
    }

    fn decide_conflict(&mut self, event: Event, keys: &mut Keys) -> bool {
        match keys.owner(&event) {
            None => self.store(event),
            // A replay before this one stored it, and could not mark it.
            Some(owner) if owner == event.event_id() => self.counts.duplicates += 1,
            Some(_) => return count(&mut self.counts.refused, DEDUP_CONFLICT),
        }
        true
    }

    fn store(&mut self, event: Event) {
        self.counts.stored += 1;
        self.append.push(event);
    }

    fn leave(&mut self, unfit: Unfit) -> bool {
        let counts = &mut self.counts.not_replayable;
        *(match unfit {
            Unfit::Truncated => &mut counts.truncated,
            Unfit::SourceUnknown => &mut counts.source_unknown,
            Unfit::TooLarge => &mut counts.too_large,
        }) += 1;
        false
    }
}

/// Counts an element that stays where it is.
fn count(rules: &mut BTreeMap<&'static str, u64>, rule: &'static str) -> bool {
    *rules.entry(rule).or_default() += 1;
    false
}
