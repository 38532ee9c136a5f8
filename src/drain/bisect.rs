//! In which portions a range of the spool goes to the sink, and how the rows that it cannot store are found.
//!
//! A range is first written whole. Each time the sink refuses a row of a portion, the portion is cut in two and the
//! left part is tried; each success moves the cursor, so that nothing is written twice. A row that is refused alone
//! is the culprit (once a canary has shown that the sink itself is well). It then stays in the range as *dead* and
//! is counted by the portion that comes next, which saves a statement for each.
//!
//! With k bad rows among N this takes at most ⌈2k·log₂(N/k) + 2k⌉ statements. Cutting at a power of two rather than in
//! the middle is what keeps the promise where N is none; the property test holds it to that.

use uuid::Uuid;

use super::entry::{Content, Entry};
use crate::sinks::Batch;

/// Consecutive sequences as they were read. Sequences without an entry were lost to damage of the spool.
#[derive(Debug)]
pub(super) struct Range {
    pub from: u64,
    pub to: u64,
    /// In the spool's order, each within `from..to`.
    pub entries: Vec<Entry>,
}

/// What is known of a range that is being written.
#[derive(Debug)]
pub(super) struct Bisection {
    range: Range,
    /// Index of the first entry that is not settled yet; `range.from` is the sequence at which the cursor stands.
    next: usize,
    /// Where the portions end, the nearest last. Empty once everything is settled.
    ends: Vec<usize>,
    buried: usize,
}

/// The part of a range that is to be written now.
#[derive(Clone, Copy, Debug)]
pub(super) struct Portion<'a> {
    pub from: u64,
    pub to: u64,
    pub entries: &'a [Entry],
}

/// What follows from the refusal of a row.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Suspect {
    /// One of several: the portion has been cut, go on.
    Several,
    /// This one, by its index among the entries of the range.
    One(usize),
    /// Nothing was to be stored: no row can be at fault.
    None,
}

impl Bisection {
    pub(super) fn new(range: Range) -> Self {
        let ends = if range.from == range.to { Vec::new() } else { vec![range.entries.len()] };
        Self { range, next: 0, ends, buried: 0 }
    }

    /// What to write now; `None` once everything is settled.
    pub(super) fn portion(&self) -> Option<Portion<'_>> {
        let end = *self.ends.last()?;
        // A gap in front of the next portion's first entry is settled together with this portion.
        let to = self.range.entries.get(end).map_or(self.range.to, |entry| entry.sequence);
        let entries = self.range.entries.get(self.next..end).unwrap_or_default();
        Some(Portion { from: self.range.from, to, entries })
    }

    /// The sink has stored the portion: the next one is at hand.
    pub(super) fn settle(&mut self) {
        if let Some(to) = self.portion().map(|portion| portion.to) {
            self.range.from = to;
            self.next = self.ends.pop().unwrap_or(self.next);
        }
    }

    /// The sink refuses some row of the portion.
    pub(super) fn refuse(&mut self) -> Suspect {
        let end = self.ends.last().copied().unwrap_or(self.next);
        let entries = self.range.entries.get_mut(self.next..end).unwrap_or_default();
        let mut live = Vec::with_capacity(entries.len());
        for (index, entry) in entries.iter_mut().enumerate().filter(|(_, entry)| entry.is_live()) {
            entry.failures = entry.failures.saturating_add(1);
            live.push(self.next + index);
        }
        match live.as_slice() {
            [] => Suspect::None,
            [only] => Suspect::One(*only),
            several => {
                let left = several.len().next_power_of_two() / 2;
                self.ends.extend(several.get(left));
                Suspect::Several
            }
        }
    }

    /// An entry of the range.
    pub(super) fn entry(&self, index: usize) -> Option<&Entry> {
        self.range.entries.get(index)
    }

    /// Entries that must go to the dead letters before anything is written: their index, and why.
    pub(super) fn unreadable(&self) -> Vec<(usize, String)> {
        let entries = self.range.entries.iter().enumerate();
        let unreadable = entries.filter_map(|(index, entry)| match &entry.content {
            Content::Unreadable(reason) => Some((index, reason.clone())),
            Content::Event(_) | Content::Refusal(_) | Content::Dead => None,
        });
        unreadable.collect()
    }

    /// How many entries of the range went to the dead letters.
    pub(super) fn buried(&self) -> usize {
        self.buried
    }

    /// The entry lies among the dead letters now.
    pub(super) fn bury(&mut self, index: usize) {
        if let Some(entry) = self.range.entries.get_mut(index) {
            entry.content = Content::Dead;
            self.buried += 1;
        }
        // Nothing is left of the portion but dead entries: let the next one carry them, if there is a next one.
        let spent = self.portion().is_some_and(|portion| !portion.entries.iter().any(Entry::is_live));
        if spent && self.ends.len() > 1 {
            self.ends.pop();
        }
    }
}

impl<'a> Portion<'a> {
    /// The batch that stores the portion and moves the cursor over it.
    pub(super) fn batch(&self, spool_id: Uuid, expected: Option<u64>) -> Batch<'a> {
        let mut batch = Batch {
            spool_id,
            expected,
            from: self.from,
            to: self.to,
            events: Vec::with_capacity(self.entries.len()),
            refusals: Vec::new(),
            dead: 0,
            gaps: (self.to - self.from).saturating_sub(self.entries.len() as u64),
        };
        for entry in self.entries {
            match &entry.content {
                Content::Event(event) => batch.events.push(event),
                Content::Refusal(refusal) => batch.refusals.push(refusal),
                Content::Unreadable(_) | Content::Dead => batch.dead += 1,
            }
        }
        batch
    }

    /// Sequences of the portion that are to be stored.
    pub(super) fn live_sequences(&self) -> impl Iterator<Item = u64> + use<'a> {
        self.entries.iter().filter(|entry| entry.is_live()).map(|entry| entry.sequence)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::event::record::Event;

    /// Entries at these sequences of `0..to`; the others are gaps.
    fn range(sequences: impl IntoIterator<Item = u64>, to: u64) -> Range {
        let entry = |sequence| Entry {
            sequence,
            kind: 1,
            payload: Vec::new().into(),
            content: Content::Event(Event::default()),
            failures: 0,
        };
        Range { from: 0, to, entries: sequences.into_iter().map(entry).collect() }
    }

    #[derive(Debug, Default, PartialEq, Eq)]
    struct Outcome {
        stored: BTreeSet<u64>,
        dead: BTreeSet<u64>,
        gaps: u64,
        statements: usize,
    }

    /// Plays the sink: it stores whatever holds none of `bad`.
    fn play(range: Range, bad: &BTreeSet<u64>) -> Outcome {
        let mut bisection = Bisection::new(range);
        let (mut outcome, mut cursor) = (Outcome::default(), 0);
        while let Some(portion) = bisection.portion() {
            outcome.statements += 1;
            assert_eq!(portion.from, cursor, "each portion begins where the cursor stands");
            if portion.live_sequences().any(|sequence| bad.contains(&sequence)) {
                if let Suspect::One(index) = bisection.refuse() {
                    outcome.dead.insert(bisection.entry(index).unwrap().sequence);
                    bisection.bury(index);
                }
                continue;
            }
            let batch = portion.batch(Uuid::nil(), None);
            let settled = batch.events.len() as u64 + batch.dead + batch.gaps;
            assert_eq!(settled, batch.to - batch.from, "each sequence is settled once");
            outcome.gaps += batch.gaps;
            outcome.stored.extend(portion.live_sequences());
            cursor = portion.to;
            bisection.settle();
        }
        outcome
    }

    #[test]
    fn a_good_range_takes_one_statement() {
        let outcome = play(range(0..5000, 5000), &BTreeSet::new());
        assert_eq!((outcome.stored.len(), outcome.statements), (5000, 1));
    }

    #[test]
    fn one_bad_row_of_five_thousand_takes_at_most_27_statements() {
        for bad in [0, 1, 2499, 4095, 4096, 4999] {
            let outcome = play(range(0..5000, 5000), &BTreeSet::from([bad]));
            assert_eq!(outcome.dead, BTreeSet::from([bad]));
            assert!(outcome.statements <= 27, "{} for {bad}", outcome.statements);
        }
    }

    #[test]
    fn nothing_but_gaps_moves_the_cursor() {
        assert_eq!(
            play(range([], 7), &BTreeSet::new()),
            Outcome { gaps: 7, statements: 1, ..Outcome::default() }
        );
    }

    #[test]
    fn an_empty_range_is_settled() {
        assert!(Bisection::new(range([], 0)).portion().is_none());
    }

    #[test]
    fn a_refused_portion_without_rows_has_no_suspect() {
        assert_eq!(Bisection::new(range([], 3)).refuse(), Suspect::None);
    }

    #[test]
    fn attempts_count_the_failed_writes_of_a_row() {
        let mut bisection = Bisection::new(range(0..4, 4));
        assert_eq!(bisection.refuse(), Suspect::Several);
        assert_eq!(bisection.refuse(), Suspect::Several);
        assert_eq!(bisection.refuse(), Suspect::One(0));
        let failures: Vec<u32> = (0..4).map(|index| bisection.entry(index).unwrap().failures).collect();
        assert_eq!(failures, [3, 2, 1, 1]);
    }

    /// ⌈2k·log₂(N/k) + 2k⌉, and one statement when all is well.
    pub(crate) fn statements_max(rows: usize, bad: usize) -> usize {
        if bad == 0 {
            return 1;
        }
        let (rows, bad) = (f64::from(u32::try_from(rows).unwrap()), f64::from(u32::try_from(bad).unwrap()));
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a small positive bound")]
        let max = (2.0 * bad * (rows / bad).log2() + 2.0 * bad).ceil() as usize;
        max
    }

    proptest! {
        #[test]
        fn exactly_the_bad_rows_die_within_the_budget(
            present in proptest::collection::btree_set(0_u64..200, 1..150),
            tail in 0_u64..3,
            chosen in proptest::collection::vec(any::<prop::sample::Index>(), 0..60),
        ) {
            let sequences: Vec<u64> = present.iter().copied().collect();
            let bad: BTreeSet<u64> = chosen.iter().map(|index| *index.get(&sequences)).collect();
            let to = sequences.last().unwrap() + 1 + tail;
            let outcome = play(range(sequences, to), &bad);
            prop_assert_eq!(&outcome.dead, &bad);
            prop_assert_eq!(outcome.stored, present.difference(&bad).copied().collect::<BTreeSet<_>>());
            prop_assert_eq!(outcome.gaps, to - present.len() as u64);
            prop_assert!(outcome.statements <= statements_max(present.len(), bad.len()), "{}", outcome.statements);
        }
    }
}
