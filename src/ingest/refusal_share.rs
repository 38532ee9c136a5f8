//! How much of the spool refusals may take, so that a sender of rubbish cannot crowd out events.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

/// Bytes of refused bodies that wait in the spool, against their share. Starts at zero with the process.
#[derive(Debug)]
pub struct RefusalShare {
    bytes_max: u64,
    held: Mutex<Held>,
}

#[derive(Debug, Default)]
struct Held {
    bytes: u64,
    appended: VecDeque<(u64, u64)>,
}

impl RefusalShare {
    /// A share of this many bytes.
    pub fn new(bytes_max: u64) -> Self {
        Self { bytes_max, held: Mutex::default() }
    }

    /// How many more bytes fit; what lies before `oldest` in the spool has left it.
    pub(super) fn room(&self, oldest: u64) -> u64 {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(&(sequence, bytes)) = held.appended.front().filter(|(sequence, _)| *sequence < oldest)
        {
            debug_assert!(sequence < oldest);
            held.bytes -= bytes;
            held.appended.pop_front();
        }
        self.bytes_max.saturating_sub(held.bytes)
    }

    /// Counts bodies that were appended, first at `sequence`.
    pub(super) fn hold(&self, sequence: u64, bytes: u64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.bytes += bytes;
        held.appended.push_back((sequence, bytes));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn room_shrinks_with_refusals_and_grows_as_the_spool_forgets_them() {
        let share = RefusalShare::new(100);
        share.hold(3, 60);
        share.hold(9, 30);
        assert_eq!(share.room(0), 10);
        share.hold(10, 40);
        assert_eq!(share.room(3), 0, "a delivery under way may overdraw it");
        assert_eq!(share.room(4), 30);
        assert_eq!(share.room(11), 100);
    }
}
