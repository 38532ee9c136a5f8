//! The oracle finds what it is there to find: each breach, planted into an otherwise sound storage.

use super::*;
use crate::{
    payload::REFUSED_BY,
    storage::{Cursor, EventRow, RefusalRow},
};

const GOOD: [Element; 3] = [Element(0), Element(1), Element(2)];
const GIVEN_UP: Element = Element(3);
const UNSENT: Element = Element(4);
const REFUSED: Element = Element(5);

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number << 16)
}

fn event(element: Element, id: Uuid) -> EventRow {
    EventRow { id, element: Some(element), content: element.content() }
}

fn refusal(id: Uuid) -> RefusalRow {
    RefusalRow { id, rule: REFUSED_BY.into(), body: REFUSED.sent() }
}

/// Three events and a refusal that were answered, and an event that was not.
fn sound() -> (Oracle, Stored) {
    let oracle = Oracle::default();
    while oracle.claim() != REFUSED {}
    for (number, element) in GOOD.into_iter().chain([REFUSED]).enumerate() {
        let answer = serde_json::json!({ "receipt": id(number as u128).to_string() });
        let outcome = if element.is_good() { Outcome::Committed } else { Outcome::Refused };
        oracle.sending(&[element]);
        oracle.answered(&[element], &answer, &[outcome]);
    }
    oracle.sending(&[GIVEN_UP]);
    oracle.unanswered(&[GIVEN_UP]);
    let events = GOOD.into_iter().enumerate().map(|(number, element)| event(element, id(number as u128)));
    let stored = Stored {
        events: events.collect(),
        refusals: vec![refusal(id(3))],
        cursors: vec![Cursor {
            first: 7,
            next: 11,
            stored: 3,
            duplicates: 0,
            conflicts: 0,
            dead: 0,
            refusals: 1,
            gaps: 0,
        }],
    };
    (oracle, stored)
}

/// What the oracle says after this has been done to storage, and to its cursor as if a lane had done it.
fn breaches(spoil: impl FnOnce(&mut Stored)) -> Vec<String> {
    breaches_allowing(&Allowance::default(), spoil)
}

fn breaches_allowing(allowance: &Allowance, spoil: impl FnOnce(&mut Stored)) -> Vec<String> {
    let (oracle, mut stored) = sound();
    spoil(&mut stored);
    let contents: Vec<_> = stored.events.iter().map(|row| row.element.unwrap_or(UNSENT).content()).collect();
    oracle.judge(&stored, &contents, 1, allowance).breaches
}

fn finds(breach: &str, spoil: impl FnOnce(&mut Stored)) {
    let found = breaches(spoil);
    assert!(found.iter().any(|found| found.contains(breach)), "{breach:?} is not in {found:#?}");
}

fn adds_event(stored: &mut Stored, row: EventRow) {
    stored.events.push(row);
    stored.cursors[0].stored += 1;
    stored.cursors[0].next += 1;
}

#[test]
fn a_sound_storage_passes_with_and_without_what_was_not_answered() {
    assert_eq!(breaches(|_| {}), [""; 0]);
    assert_eq!(breaches(|stored| adds_event(stored, event(GIVEN_UP, id(9)))), [""; 0]);
}

#[test]
fn lost_doubled_invented_and_altered_events_are_found() {
    finds("lost: crash-0000001", |stored| drop(stored.events.remove(1)));
    finds("doubled: crash-0000000", |stored| adds_event(stored, event(GOOD[0], id(0))));
    finds("doubled: crash-0000003", |stored| {
        adds_event(stored, event(GIVEN_UP, id(8)));
        adds_event(stored, event(GIVEN_UP, id(9)));
    });
    finds("invented: the event", |stored| adds_event(stored, event(UNSENT, id(9))));
    finds("invented: the event", |stored| adds_event(stored, event(REFUSED, id(9))));
    let foreign = EventRow { element: None, ..event(GOOD[0], id(9)) };
    finds("invented: the event", |stored| adds_event(stored, foreign));
    finds("altered: crash-0000002", |stored| {
        let event = &mut stored.events[2].content.event;
        *event = event.replace(".50", ".5");
    });
    finds("as nobody was told", |stored| stored.events[0].id = id(9));
}

#[test]
fn lost_doubled_and_invented_refusals_are_found() {
    finds("lost: the refusal", |stored| stored.refusals.clear());
    finds("1 are kept", |stored| stored.refusals.push(refusal(id(9))));
    finds("doubled: the refusal", |stored| stored.refusals.push(refusal(id(3))));
    finds("invented: the refusal", |stored| stored.refusals[0].body.push(' '));
    finds("invented: the refusal", |stored| stored.refusals[0].rule = "other".into());
}

#[test]
fn cursors_that_do_not_add_up_are_found() {
    finds("totals that sum up", |stored| stored.cursors[0].duplicates += 1);
    finds("a dead letter for each", |stored| {
        stored.cursors[0].dead += 1;
        stored.cursors[0].next += 1;
    });
    finds("a row for each stored event", |stored| {
        stored.cursors[0].stored -= 1;
        stored.cursors[0].duplicates += 1;
    });
    finds("a row for each refusal", |stored| {
        stored.cursors[0].refusals += 1;
        stored.cursors[0].next += 1;
    });
    finds("at most one for each unanswered", |stored| {
        stored.cursors[0].duplicates += 2;
        stored.cursors[0].next += 2;
    });
    finds("a cursor for each spool", |stored| stored.cursors.push(stored.cursors[0]));
}

/// The sink refuses the second of the good ones, and its copy went to the dead letters.
fn buries(stored: &mut Stored) {
    stored.events.remove(1);
    stored.cursors[0].stored -= 1;
    stored.cursors[0].dead += 1;
}

#[test]
fn events_that_are_neither_stored_nor_buried_are_found() {
    let refuses =
        |letters| Allowance { buries: Some(|element| element == GOOD[1]), letters, destroys: false };
    let right = refuses(vec![GOOD[1]]);
    assert_eq!(breaches_allowing(&right, buries), [""; 0]);
    let finds = |breach: &str, allowance: &Allowance, spoil: fn(&mut Stored)| {
        let found = breaches_allowing(allowance, spoil);
        assert!(found.iter().any(|found| found.contains(breach)), "{breach:?} is not in {found:#?}");
    };
    finds("neither stored nor", &refuses(vec![]), buries);
    finds("which the sink takes", &refuses(vec![GOOD[0], GOOD[1]]), buries);
    finds("a dead letter for each", &refuses(vec![GOOD[1], GOOD[1]]), buries);
    finds("which the sink refuses", &right, |_| {});
    finds("lost: crash-0000001", &Allowance::default(), buries);
}
