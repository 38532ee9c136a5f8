//! How far each lane has brought its records into its sink: what may be deleted.

use std::{collections::BTreeMap, sync::Mutex};

use super::locked;

/// The lanes that records are kept for.
#[derive(Debug, Default)]
pub(super) struct Lanes {
    /// `None` for a lane that has not said yet how far it is.
    cursors: Mutex<BTreeMap<String, Option<u64>>>,
}

impl Lanes {
    /// Nothing is deleted from now on until this lane has said how far it is.
    pub(super) fn register(&self, lane: &str) {
        locked(&self.cursors).entry(lane.to_owned()).or_default();
    }

    /// The lane's cursor is durable at `cursor`.
    pub(super) fn release(&self, lane: &str, cursor: u64) {
        let mut cursors = locked(&self.cursors);
        match cursors.get_mut(lane) {
            Some(known) => *known = Some(cursor),
            None => {
                cursors.insert(lane.to_owned(), Some(cursor));
            }
        }
    }

    /// Under a new id every lane starts over.
    pub(super) fn forget(&self) {
        locked(&self.cursors).values_mut().for_each(|cursor| *cursor = None);
    }

    /// What all lanes have passed; `None` while one has not spoken, or there is none.
    pub(super) fn floor(&self) -> Option<u64> {
        let cursors = locked(&self.cursors);
        let mut floor = None;
        for cursor in cursors.values() {
            let cursor = (*cursor)?;
            floor = Some(floor.map_or(cursor, |floor: u64| floor.min(cursor)));
        }
        floor
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slowest_lane_decides_and_a_silent_one_holds_everything() {
        let lanes = Lanes::default();
        assert_eq!(lanes.floor(), None);
        lanes.register("a");
        lanes.register("b");
        lanes.release("a", 9);
        assert_eq!(lanes.floor(), None);
        lanes.release("b", 4);
        assert_eq!(lanes.floor(), Some(4));
        lanes.register("b");
        assert_eq!(lanes.floor(), Some(4), "registering again forgets nothing");
        lanes.forget();
        lanes.release("a", 9);
        assert_eq!(lanes.floor(), None);
    }
}
