//! How much of the spool refusals may take, so that a sender of rubbish cannot crowd out events: beyond it they are kept
//! without their bodies.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
};

/// How finely it is remembered what is held.
const ENTRIES: u64 = 1024;

/// Bytes of refusals that wait in the spool, against their share. Starts at zero with the process.
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

    /// Counts refusals that were appended, the first at `sequence`.
    pub(super) fn hold(&self, sequence: u64, bytes: u64) {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.bytes += bytes;
        // A thousand entries tell well enough when bytes leave; one a refusal would grow as long as an outage lasts.
        let coarse = self.bytes_max / ENTRIES;
        match held.appended.back_mut().filter(|(_, last)| *last < coarse) {
            Some(last) => *last = (sequence, last.1 + bytes),
            None => held.appended.push_back((sequence, bytes)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_bounded() {
        let share = RefusalShare::new(1 << 20);
        (0..100_000).for_each(|sequence| share.hold(sequence, 20));
        assert!(share.held.lock().unwrap().appended.len() <= 2000);
        assert_eq!((share.room(0), share.room(100_000)), (0, 1 << 20));
    }

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
