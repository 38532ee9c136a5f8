//! The oracle: gives out elements, notes who was told what, and says in the end whether storage keeps the promise.
//!
//! It knows the promise and the tables, and nothing of how the product keeps the one or fills the others.

use std::sync::{Mutex, MutexGuard};

use uuid::Uuid;

pub(crate) use judgement::{Allowance, Verdict};

use crate::{
    payload::{Content, Element},
    storage::Stored,
};

#[path = "oracle/judgement.rs"]
mod judgement;
#[cfg(test)]
#[path = "oracle/tests.rs"]
mod tests;

/// What a sender was told of one element.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Committed,
    Refused,
}

/// Everything that was ever sent, and every answer.
#[derive(Default)]
pub(crate) struct Oracle(Mutex<Ledger>);

#[derive(Default)]
struct Ledger {
    /// What became of each element; its number is its place.
    fates: Vec<Fate>,
    /// Requests whose connection broke before they were answered.
    requests_cut_off: usize,
    /// Requests that were answered 503.
    requests_turned_away: usize,
}

/// What became of one element, over all attempts to send it.
#[derive(Default)]
struct Fate {
    sent: usize,
    unanswered: usize,
    /// The ids of the rows that the answers promised, one for each answer.
    committed: Vec<Uuid>,
    refused: Vec<Uuid>,
}

impl Oracle {
    /// A new element.
    pub(crate) fn claim(&self) -> Element {
        let mut ledger = self.ledger();
        ledger.fates.push(Fate::default());
        Element(ledger.fates.len() - 1)
    }

    /// An element that was given out before, if there is one.
    pub(crate) fn claimed(&self, rng: &mut fastrand::Rng) -> Element {
        let count = self.ledger().fates.len();
        if count == 0 { self.claim() } else { Element(rng.usize(..count)) }
    }

    /// To be told before the first byte leaves.
    pub(crate) fn sending(&self, elements: &[Element]) {
        let mut ledger = self.ledger();
        for element in elements {
            ledger.fates[element.0].sent += 1;
        }
    }

    /// A connection broke under a request.
    pub(crate) fn cut_off(&self) {
        self.ledger().requests_cut_off += 1;
    }

    /// A request was answered 503.
    pub(crate) fn turned_away(&self) {
        self.ledger().requests_turned_away += 1;
    }

    /// Requests answered 503 so far.
    pub(crate) fn turned_away_count(&self) -> usize {
        self.ledger().requests_turned_away
    }

    /// No answer: any part of it may be stored, once.
    pub(crate) fn unanswered(&self, elements: &[Element]) {
        let mut ledger = self.ledger();
        for element in elements {
            ledger.fates[element.0].unanswered += 1;
        }
    }

    /// An answer, which promises a row for each element under the receipt's id plus its place.
    pub(crate) fn answered(&self, elements: &[Element], answer: &serde_json::Value, outcomes: &[Outcome]) {
        let receipt: Uuid = answer["receipt"].as_str().unwrap().parse().unwrap();
        let mut ledger = self.ledger();
        for (index, (element, outcome)) in elements.iter().zip(outcomes).enumerate() {
            let promised = Uuid::from_u128(receipt.as_u128() + index as u128);
            let fate = &mut ledger.fates[element.0];
            match (outcome, element.is_good()) {
                (Outcome::Committed, true) => fate.committed.push(promised),
                (Outcome::Refused, false) => fate.refused.push(promised),
                (outcome, _) => panic!("{} was answered as {outcome:?}", element.message_id()),
            }
        }
    }

    /// Elements answered so far, each as often as it was answered.
    pub(crate) fn answered_count(&self) -> usize {
        self.ledger().fates.iter().map(Fate::answered).sum()
    }

    /// Compares storage with the ledger. `contents` are what the rows of events must hold, in their order.
    pub(crate) fn judge(
        &self,
        stored: &Stored,
        contents: &[Content],
        collectors: usize,
        allowance: &Allowance,
    ) -> Verdict {
        let ledger = self.ledger();
        let good = || ledger.fates.iter().enumerate().filter(|(number, _)| Element(*number).is_good());
        let mut verdict = Verdict {
            cut_off: ledger.requests_cut_off,
            turned_away: ledger.requests_turned_away,
            sent: good().filter(|(_, fate)| fate.sent > 0).count(),
            acked: good().filter(|(_, fate)| !fate.committed.is_empty()).count(),
            stored: stored.events.len(),
            duplicates: stored.cursors.iter().map(|cursor| cursor.duplicates).sum(),
            refusals: stored.refusals.len(),
            ..Verdict::default()
        };
        ledger.judge_events(stored, contents, allowance, &mut verdict);
        ledger.judge_refusals(stored, &mut verdict);
        ledger.judge_letters(allowance, &mut verdict);
        ledger.judge_cursors(stored, collectors, allowance, &mut verdict);
        verdict
    }

    fn ledger(&self) -> MutexGuard<'_, Ledger> {
        self.0.lock().unwrap()
    }
}

impl Fate {
    fn answered(&self) -> usize {
        self.committed.len() + self.refused.len()
    }
}

impl Ledger {
    fn sent(&self, element: Option<Element>) -> Option<(Element, &Fate)> {
        let fate = self.fates.get(element?.0).filter(|fate| fate.sent > 0)?;
        Some((element?, fate))
    }
}
