//! What storage must hold by the ledger, and what it may hold besides.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;

use super::{Fate, Ledger};
use crate::{
    payload::{Content, Element, REFUSED_BY},
    storage::{Cursor, EventRow, Stored},
};

/// What a fault may cost besides time. By default nothing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Allowance {
    /// Which events the sink refuses for good: each is due among the dead letters, and nowhere else.
    pub(crate) buries: Option<fn(Element) -> bool>,
    /// What was found among the dead letters, once for each letter.
    pub(crate) letters: Vec<Element>,
    /// The fault destroys what was durable: some of it may be missing, and the sequences with it.
    pub(crate) destroys: bool,
}

/// What a run came to.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    /// Requests that were in flight when their connection broke.
    pub(crate) cut_off: usize,
    /// Requests that were answered 503.
    pub(crate) turned_away: usize,
    /// Distinct events that were sent.
    pub(crate) sent: usize,
    /// Those of them that were answered as committed at least once.
    pub(crate) acked: usize,
    /// Events among the dead letters.
    pub(crate) buried: usize,
    /// Rows of events.
    pub(crate) stored: usize,
    /// Copies that lanes met and left out.
    pub(crate) duplicates: u64,
    /// Events that were acknowledged and are not stored.
    pub(crate) lost: usize,
    /// Events that are stored more than once.
    pub(crate) doubled: usize,
    /// Rows that nobody sent.
    pub(crate) invented: usize,
    /// Rows of refusals.
    pub(crate) refusals: usize,
    /// Everything that breaks the promise, the lost and the invented among it.
    pub(crate) breaches: Vec<String>,
}

impl Allowance {
    fn buries(&self, element: Element) -> bool {
        self.buries.is_some_and(|buries| buries(element))
    }
}

impl Ledger {
    pub(super) fn judge_events(
        &self,
        stored: &Stored,
        contents: &[Content],
        allowance: &Allowance,
        verdict: &mut Verdict,
    ) {
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
                verdict.doubled += 1;
                verdict.breaches.push(format!("doubled: {message_id} is stored {copies} times"));
            }
            let is_due = !allowance.buries(Element(number));
            if copies > 0 && !is_due {
                verdict.breaches.push(format!("stored: {message_id}, which the sink refuses"));
            }
            if copies == 0 && is_due && !fate.committed.is_empty() {
                verdict.lost += 1;
                verdict.breaches.push(format!("lost: {message_id} was acknowledged, and is not stored"));
            }
        }
    }

    /// Dead letters: each event that the sink refuses, and nothing else.
    pub(super) fn judge_letters(&self, allowance: &Allowance, verdict: &mut Verdict) {
        let found: HashSet<Element> = allowance.letters.iter().copied().collect();
        for element in found.iter().filter(|element| !allowance.buries(**element)) {
            verdict.breaches.push(format!("buried: {}, which the sink takes", element.message_id()));
        }
        let acked = self.fates.iter().enumerate().filter(|(_, fate)| !fate.committed.is_empty());
        let due = acked.map(|(number, _)| Element(number)).filter(|element| allowance.buries(*element));
        for element in due.filter(|element| !found.contains(element)) {
            verdict.lost += 1;
            let name = element.message_id();
            verdict.breaches.push(format!("lost: {name} is neither stored nor among the dead letters"));
        }
        verdict.buried = found.len();
    }

    /// Refusals know no duplicates: each attempt that was answered has its own row.
    pub(super) fn judge_refusals(&self, stored: &Stored, verdict: &mut Verdict) {
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
    pub(super) fn judge_cursors(
        &self,
        stored: &Stored,
        collectors: usize,
        allowance: &Allowance,
        verdict: &mut Verdict,
    ) {
        let mut claims = vec![("a cursor for each spool", stored.cursors.len() == collectors)];
        for cursor in &stored.cursors {
            let Cursor { first, next, stored, duplicates, conflicts, dead, refusals, gaps } = *cursor;
            claims.push((
                "totals that sum up",
                stored + duplicates + conflicts + dead + refusals + gaps == next - first,
            ));
            claims.push(("no conflicts", conflicts == 0));
            claims.push(("no gaps", gaps == 0 || allowance.destroys));
        }
        let total =
            |of: fn(&Cursor) -> u64| usize::try_from(stored.cursors.iter().map(of).sum::<u64>()).unwrap();
        claims.push(("a row for each stored event", total(|cursor| cursor.stored) == stored.events.len()));
        claims.push(("a row for each refusal", total(|cursor| cursor.refusals) == stored.refusals.len()));
        let dead = total(|cursor| cursor.dead);
        claims.push(("a dead letter for each dead record", dead == allowance.letters.len()));
        let answered: usize = self.fates.iter().map(Fate::answered).sum();
        let unanswered: usize = self.fates.iter().map(|fate| fate.unanswered).sum();
        let settled = total(|cursor| cursor.next - cursor.first);
        claims.push((
            "a sequence for each answered element, and at most one for each unanswered",
            (answered..=answered + unanswered).contains(&settled) || allowance.destroys,
        ));
        let broken = claims.into_iter().filter(|(_, holds)| !holds);
        verdict.breaches.extend(broken.map(|(claim, _)| {
            let cursors = &stored.cursors;
            format!("cursors: not {claim} ({answered} answered, {unanswered} unanswered, {cursors:?})")
        }));
    }
}
