//! The oracle: gives out elements, notes who was told what, and says in the end whether storage keeps the promise.
//!
//! It knows the promise and the tables, and nothing of how the product keeps the one or fills the others.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, MutexGuard},
};

use uuid::Uuid;

use crate::{
    payload::{Content, Element, REFUSED_BY},
    storage::{Cursor, EventRow, Stored},
};

#[cfg(test)]
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

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Requests that were in flight when their connection broke.
    pub(crate) cut_off: usize,
    /// Distinct events that were sent.
    pub(crate) sent: usize,
    /// Those of them that were answered as committed at least once.
    pub(crate) acked: usize,
    /// Rows of events.
    pub(crate) stored: usize,
    /// Copies that lanes met and left out.
    pub(crate) duplicates: u64,
    /// Events that were acknowledged and are not stored.
    pub(crate) lost: usize,
    /// Rows that nobody sent.
    pub(crate) invented: usize,
    /// Rows of refusals.
    pub(crate) refusals: usize,
    /// Everything that breaks the promise, the lost and the invented among it.
    pub(crate) breaches: Vec<String>,
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
    pub(crate) fn judge(&self, stored: &Stored, contents: &[Content], collectors: usize) -> Verdict {
        let ledger = self.ledger();
        let good = || ledger.fates.iter().enumerate().filter(|(number, _)| Element(*number).is_good());
        let mut verdict = Verdict {
            cut_off: ledger.requests_cut_off,
            sent: good().filter(|(_, fate)| fate.sent > 0).count(),
            acked: good().filter(|(_, fate)| !fate.committed.is_empty()).count(),
            stored: stored.events.len(),
            duplicates: stored.cursors.iter().map(|cursor| cursor.duplicates).sum(),
            refusals: stored.refusals.len(),
            ..Verdict::default()
        };
        ledger.judge_events(stored, contents, &mut verdict);
        ledger.judge_refusals(stored, &mut verdict);
        ledger.judge_cursors(stored, collectors, &mut verdict);
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

    fn judge_events(&self, stored: &Stored, contents: &[Content], verdict: &mut Verdict) {
        assert_eq!(stored.events.len(), contents.len());
        let mut copies: HashMap<Element, usize> = HashMap::new();
        for (EventRow { id, element, content }, due) in stored.events.iter().zip(contents) {
            let Some((element, fate)) = self.sent(*element).filter(|(element, _)| element.is_good()) else {
                verdict.invented += 1;
                verdict.breaches.push(format!("invented: the event {id} was never sent"));
                continue;
            };
            *copies.entry(element).or_default() += 1;
            if content != due {
                verdict
                    .breaches
                    .push(format!("altered: {} is {content:?}, not {due:?}", element.message_id()));
            }
            // Without an unanswered attempt, whoever stored it told its id to a sender.
            if fate.unanswered == 0 && !fate.committed.contains(id) {
                verdict
                    .breaches
                    .push(format!("{} is stored under {id}, as nobody was told", element.message_id()));
            }
        }
        for (number, fate) in self.fates.iter().enumerate() {
            let (message_id, copies) =
                (Element(number).message_id(), copies.get(&Element(number)).copied().unwrap_or(0));
            if copies > 1 {
                verdict.breaches.push(format!("doubled: {message_id} is stored {copies} times"));
            }
            if copies == 0 && !fate.committed.is_empty() {
                verdict.lost += 1;
                verdict.breaches.push(format!("lost: {message_id} was acknowledged, and is not stored"));
            }
        }
    }

    /// Refusals know no duplicates: each attempt that was answered has its own row.
    fn judge_refusals(&self, stored: &Stored, verdict: &mut Verdict) {
        let mut unpromised: HashMap<Element, usize> = HashMap::new();
        let mut kept: HashSet<(Element, Uuid)> = HashSet::new();
        for row in &stored.refusals {
            let sent = self.sent(Element::of_body(&row.body)).filter(|(element, _)| !element.is_good());
            let Some((element, fate)) = sent.filter(|_| row.rule == REFUSED_BY) else {
                verdict.invented += 1;
                verdict
                    .breaches
                    .push(format!("invented: the refusal {} by {} was never sent", row.id, row.rule));
                continue;
            };
            if !kept.insert((element, row.id)) {
                verdict.breaches.push(format!("doubled: the refusal {}", row.id));
            }
            if !fate.refused.contains(&row.id) {
                *unpromised.entry(element).or_default() += 1;
            }
        }
        for (number, fate) in self.fates.iter().enumerate() {
            let element = Element(number);
            for id in fate.refused.iter().filter(|id| !kept.contains(&(element, **id))) {
                verdict.lost += 1;
                verdict
                    .breaches
                    .push(format!("lost: the refusal {id} of {} is not stored", element.message_id()));
            }
            let (kept, unanswered) = (unpromised.get(&element).copied().unwrap_or(0), fate.unanswered);
            if kept > unanswered {
                let name = element.message_id();
                let breach =
                    format!("doubled: {unanswered} attempts at {name} had no answer, and {kept} are kept");
                verdict.breaches.push(breach);
            }
        }
    }

    /// Conservation: every sequence of every spool is accounted for, by what the tables hold and the senders sent.
    fn judge_cursors(&self, stored: &Stored, collectors: usize, verdict: &mut Verdict) {
        let mut claims = vec![("a cursor for each spool", stored.cursors.len() == collectors)];
        for cursor in &stored.cursors {
            let Cursor { first, next, stored, duplicates, conflicts, dead, refusals, gaps } = *cursor;
            claims.push((
                "totals that sum up",
                stored + duplicates + conflicts + dead + refusals + gaps == next - first,
            ));
            claims.push(("no conflicts, dead letters or gaps", conflicts + dead + gaps == 0));
        }
        let total =
            |of: fn(&Cursor) -> u64| usize::try_from(stored.cursors.iter().map(of).sum::<u64>()).unwrap();
        claims.push(("a row for each stored event", total(|cursor| cursor.stored) == stored.events.len()));
        claims.push(("a row for each refusal", total(|cursor| cursor.refusals) == stored.refusals.len()));
        let answered: usize = self.fates.iter().map(Fate::answered).sum();
        let unanswered: usize = self.fates.iter().map(|fate| fate.unanswered).sum();
        let settled = total(|cursor| cursor.next - cursor.first);
        claims.push((
            "a sequence for each answered element, and at most one for each unanswered",
            (answered..=answered + unanswered).contains(&settled),
        ));
        let broken = claims.into_iter().filter(|(_, holds)| !holds);
        verdict.breaches.extend(broken.map(|(claim, _)| {
            let cursors = &stored.cursors;
            format!("cursors: not {claim} ({answered} answered, {unanswered} unanswered, {cursors:?})")
        }));
    }
}
