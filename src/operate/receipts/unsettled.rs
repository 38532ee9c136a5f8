//! Searching what is in no table: the spool, and the dead letters. Both are read through, within a budget.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::Wanted;
use crate::{
    drain::{blocking::blocking, lane_handle::LaneHandle},
    operate::{
        dead_letters::{LetterItem, describe, read_record},
        record::record_id,
    },
    spool::Spool,
};

/// What is read of the spool at once.
const READ_RECORDS: usize = 4_096;
const READ_BYTES: usize = 4 << 20;

/// How much a search may read, and for how long.
#[derive(Clone, Copy, Debug)]
pub(super) struct Budget {
    pub(super) bytes: usize,
    pub(super) time: Duration,
}

impl Default for Budget {
    fn default() -> Self {
        Self { bytes: 256 << 20, time: Duration::from_secs(2) }
    }
}

/// What a search found, by element.
#[derive(Debug)]
pub(super) struct Found<T> {
    pub(super) elements: BTreeMap<u16, T>,
    /// Whether everything was looked at.
    pub(super) complete: bool,
}

/// A budget that is being spent.
struct Spending {
    budget: Budget,
    since: Instant,
    bytes: usize,
}

impl Spending {
    fn of(budget: Budget) -> Self {
        Self { budget, since: Instant::now(), bytes: 0 }
    }

    fn is_over(&self) -> bool {
        self.bytes >= self.budget.bytes || self.since.elapsed() >= self.budget.time
    }
}

/// Searches what is not settled by every lane yet; what they have settled is somewhere else by now.
pub(super) async fn in_spool(
    spool: &Spool,
    lanes: &[LaneHandle],
    wanted: Wanted,
    budget: Budget,
) -> Found<u64> {
    // A lane that has not reached its sink may have everything still before it.
    let cursors = lanes.iter().map(|lane| lane.status().snapshot().cursor.unwrap_or(0));
    let (spool, from) = (spool.clone(), cursors.min().unwrap_or(0).max(spool.oldest()));
    blocking(move || search(&spool, from, wanted, budget)).await
}

fn search(spool: &Spool, from: u64, wanted: Wanted, budget: Budget) -> Found<u64> {
    let (mut reader, end) = (spool.reader(from), spool.end());
    let (mut elements, mut spending) = (BTreeMap::new(), Spending::of(budget));
    while reader.position() < end {
        if spending.is_over() {
            return Found { elements, complete: false };
        }
        let Ok(batch) = reader.read(READ_RECORDS, READ_BYTES) else {
            return Found { elements, complete: false };
        };
        for record in batch.records {
            spending.bytes += record.payload.len();
            let id = record_id(record.kind, record.payload);
            elements.extend(id.and_then(|id| wanted.element(id)).map(|element| (element, record.sequence)));
        }
    }
    Found { elements, complete: true }
}

/// Searches the dead letters of all lanes, newest first.
pub(super) async fn in_letters(lanes: &[LaneHandle], wanted: Wanted, budget: Budget) -> Found<LetterItem> {
    let lanes = lanes.to_vec();
    blocking(move || {
        let (mut elements, mut spending) = (BTreeMap::new(), Spending::of(budget));
        for lane in &lanes {
            let mut before = None;
            while let Some(id) = lane.letters().newest(before) {
                if spending.is_over() {
                    return Found { elements, complete: false };
                }
                before = Some(id);
                // One that cannot be read cannot be recognised either; the list of dead letters shows it.
                let Ok(letter) = lane.letters().show(id) else { continue };
                spending.bytes += letter.payload.len();
                let kind = u8::try_from(letter.kind).unwrap_or(u8::MAX);
                let found = record_id(kind, letter.payload.clone());
                if let Some(element) = found.and_then(|id| wanted.element(id)) {
                    let item = describe(lane.name(), id, &letter, read_record(&letter).as_ref());
                    elements.insert(element, item);
                }
            }
        }
        Found { elements, complete: true }
    })
    .await
}
