//! What the reference stores, and what a batch does to it.

use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry};

use uuid::Uuid;

use crate::{
    event::record::{Event, Refusal},
    sinks::{Batch, Written, row},
};

/// A row of `cursors`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cursor {
    /// Where the lane began.
    pub first_sequence: u64,
    /// Everything below is settled.
    pub next_sequence: u64,
    /// Totals of [`Written`].
    pub written: Written,
    /// Total of the batches' `dead`.
    pub dead: u64,
    /// Total of the batches' `gaps`.
    pub gaps: u64,
    /// How many refusals were not there before, conflicts among them.
    pub refusal_rows: u64,
}

impl Cursor {
    /// How many sequences the totals account for: always `next_sequence - first_sequence`.
    pub fn accounted(&self) -> u64 {
        let Written { stored, duplicates, conflicts, refusals } = self.written;
        stored + duplicates + conflicts + refusals + self.dead + self.gaps
    }

    fn advance(&mut self, batch: &Batch<'_>, written: Written, refusal_rows: u64) {
        self.refusal_rows += refusal_rows;
        self.next_sequence = batch.to;
        self.written.stored += written.stored;
        self.written.duplicates += written.duplicates;
        self.written.conflicts += written.conflicts;
        self.written.refusals += written.refusals;
        self.dead += batch.dead;
        self.gaps += batch.gaps;
    }
}

/// Everything that a database would hold. A batch is checked whole before the first of its rows is inserted.
#[derive(Default)]
pub(super) struct Tables {
    pub(super) events: BTreeMap<Uuid, Event>,
    keys: HashMap<(String, String), Uuid>,
    pub(super) refusals: BTreeMap<Uuid, Refusal>,
    /// Refusals that are called replayed.
    pub(super) replayed: BTreeSet<Uuid>,
    pub(super) cursors: HashMap<Uuid, Cursor>,
}

impl Tables {
    /// Inserts the rows and says what became of them.
    fn insert(&mut self, batch: &Batch<'_>) -> Written {
        let mut written = Written { refusals: batch.refusals.len() as u64, ..Written::default() };
        for &refusal in &batch.refusals {
            self.refusals.entry(refusal.refusal_id()).or_insert_with(|| refusal.clone());
        }
        for &event in &batch.events {
            let id = event.event_id();
            let key = event.dedup_key.clone().map(|key| (event.source.clone(), key));
            let owner =
                key.as_ref().and_then(|key| self.keys.get(key)).and_then(|owner| self.events.get(owner));
            let owner_hash = owner.map(|owner| owner.event_hash.clone());
            match (self.events.entry(id), owner_hash) {
                (Entry::Occupied(_), _) => written.duplicates += 1,
                (Entry::Vacant(_), Some(owner_hash)) => match row::conflict(event, &owner_hash) {
                    Some(conflict) => {
                        written.conflicts += 1;
                        self.refusals.entry(id).or_insert(conflict);
                        self.replayed.remove(&id);
                    }
                    None => written.duplicates += 1,
                },
                (Entry::Vacant(free), None) => {
                    written.stored += 1;
                    free.insert(event.clone());
                    self.keys.extend(key.map(|key| (key, id)));
                }
            }
        }
        written
    }

    /// Stores the batch and moves the lane's cursor, or begins one.
    pub(super) fn write(&mut self, batch: &Batch<'_>) -> Written {
        let rows_before = self.refusals.len();
        let written = self.insert(batch);
        let refusal_rows = (self.refusals.len() - rows_before) as u64;
        let begins = Cursor { first_sequence: batch.from, ..Cursor::default() };
        self.cursors.entry(batch.spool_id).or_insert(begins).advance(batch, written, refusal_rows);
        written
    }
}
