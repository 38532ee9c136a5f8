//! Dead letters of real lanes, on a simulated disk.

use std::sync::Arc;

use prost::Message as _;
use uuid::Uuid;

use super::*;
use crate::{
    clock::Clock,
    disk::simulated::{Failure, Operation, SimDisk},
    drain::{
        Settings,
        dead_letters::DeadLetters,
        lane::Lane,
        lane_handle::LaneHandle,
        letter::{DeadLetter, LetterId},
    },
    event::record::{Event, Refusal},
    sinks::{
        ErrorClass,
        memory::{MemorySink, Scripted},
    },
    spool::{self, Spool},
};

const SPOOL: Uuid = Uuid::from_u128(7);

const ALL: Selection = Selection::All { after: None };

struct House {
    disk: SimDisk,
    sink: Arc<MemorySink>,
    lanes: Vec<LaneHandle>,
}

impl House {
    /// Two lanes, `storage` and `other`.
    fn new() -> Self {
        let disk = SimDisk::new(1);
        let settings =
            spool::Settings { directory: "/spool".into(), min_free: 0, ..spool::Settings::default() };
        let (spool, _) = Spool::open(Arc::new(disk.clone()), settings).unwrap();
        let sink = Arc::new(MemorySink::new("storage"));
        let lane = |sink: Arc<MemorySink>, name: &str| {
            let letters = DeadLetters::open(Arc::new(disk.clone()), format!("/dead/{name}").into(), 1 << 40);
            let clock = Clock::manual(0);
            Lane::new(spool.clone(), sink, Arc::new(letters.unwrap()), Settings::default(), clock).handle()
        };
        let lanes = vec![lane(sink.clone(), "storage"), lane(Arc::new(MemorySink::new("other")), "other")];
        Self { disk, sink, lanes }
    }

    fn bury(&self, lane: usize, sequence: u64, kind: u32, payload: Vec<u8>) {
        let mut letter = DeadLetter {
            kind,
            reason: "poison_row".into(),
            code: "23514".into(),
            message: "the row was secret".into(),
            failed_at: 1_700_000_000_000_000,
            attempts: 3,
            payload: payload.into(),
            ..DeadLetter::default()
        };
        letter.set_id(id(sequence));
        self.lanes[lane].letters().keep(&letter).unwrap();
    }

    fn bury_events(&self, count: u64) {
        for sequence in 0..count {
            self.bury(0, sequence, 1, event(sequence).encode_to_vec());
        }
    }

    async fn walk(&self, sink: Option<&str>, limit: usize) -> Vec<(String, u64)> {
        let (mut found, mut cursor) = (Vec::new(), None);
        loop {
            let page = list(&self.lanes, sink, cursor.as_deref(), limit).await.unwrap();
            assert!(page.items.len() <= limit);
            found.extend(
                page.items
                    .iter()
                    .map(|item| (item.sink.clone(), LetterId::parse(&item.id).unwrap().sequence)),
            );
            cursor = page.next;
            if cursor.is_none() {
                return found;
            }
        }
    }
}

fn id(sequence: u64) -> LetterId {
    LetterId { spool_id: SPOOL, sequence }
}

fn event(sequence: u64) -> Event {
    Event {
        event_id_low: sequence,
        source: "web".into(),
        name: "secret".into(),
        event: "{}".into(),
        context: "{}".into(),
        ..Event::default()
    }
}

#[tokio::test]
async fn letters_are_listed_newest_first_page_by_page() {
    let house = House::new();
    house.bury_events(5);
    house.bury(1, 9, 1, event(9).encode_to_vec());
    let of = |sink: &str, sequences: &[u64]| -> Vec<(String, u64)> {
        sequences.iter().map(|sequence| (sink.to_owned(), *sequence)).collect()
    };
    let all = [of("storage", &[4, 3, 2, 1, 0]), of("other", &[9])].concat();
    for limit in [1, 2, 3, 5, 6, 7] {
        assert_eq!(house.walk(None, limit).await, all, "{limit}");
        assert_eq!(house.walk(Some("other"), limit).await, of("other", &[9]));
    }
    for cursor in
        ["", "storage", "storage/7", "nowhere/00000000000000000017-0123456789abcdef0011223344556677"]
    {
        let refused = list(&house.lanes, None, Some(cursor), 1).await;
        assert!(matches!(refused, Err(LettersError::Cursor)), "{cursor}");
    }
    assert!(matches!(list(&house.lanes, Some("nowhere"), None, 1).await, Err(LettersError::Sink(_))));
}

#[tokio::test]
async fn a_list_says_what_a_letter_is_and_nothing_of_its_contents() {
    let house = House::new();
    house.bury(0, 0, 1, event(0).encode_to_vec());
    house.bury(0, 1, 2, Refusal { source: "app".into(), ..Refusal::default() }.encode_to_vec());
    house.bury(0, 2, 1, b"\xff\xff".to_vec());
    house.bury(0, 3, 900, b"later".to_vec());
    house.bury(0, 4, 1, event(4).encode_to_vec());
    let path = format!("/dead/storage/{}", id(4));
    house.disk.damage(path.as_ref(), |bytes| bytes[20] ^= 1);

    let page = list(&house.lanes, None, None, 10).await.unwrap();
    let text = serde_json::to_string(&page).unwrap();
    assert!(!text.contains("secret"), "{text}");
    let kinds: Vec<_> =
        page.items.iter().map(|item| (item.kind, item.source.as_deref(), item.reason.as_str())).collect();
    assert_eq!(
        kinds,
        [
            ("unknown", None, "letter_unreadable"),
            ("unknown", None, "poison_row"),
            ("unknown", None, "poison_row"),
            ("refusal", Some("app"), "poison_row"),
            ("event", Some("web"), "poison_row"),
        ]
    );
    let last = page.items.last().unwrap();
    assert_eq!((last.code.as_str(), last.attempts), ("23514", 3));
    assert_eq!(
        (last.failed_at.as_deref(), last.bytes),
        (Some("2023-11-14T22:13:20.000000Z"), event(0).encoded_len())
    );
}

#[tokio::test]
async fn a_letter_is_shown_with_its_record_and_bytes() {
    let house = House::new();
    house.bury(0, 0, 1, event(0).encode_to_vec());
    house.bury(0, 1, 1, b"\xff".to_vec());
    let shown = show(&house.lanes, "storage", id(0)).await.unwrap();
    let shown = serde_json::to_value(&shown).unwrap();
    assert_eq!(
        (&shown["message"], &shown["record"]["name"]),
        (&"the row was secret".into(), &"secret".into())
    );
    assert_eq!(shown["sink"], "storage");
    let unread = show(&house.lanes, "storage", id(1)).await.unwrap();
    assert!(unread.record.is_none());
    assert_eq!(unread.payload_base64, "/w==");
    assert!(matches!(show(&house.lanes, "storage", id(2)).await, Err(LettersError::Missing)));
    assert!(matches!(show(&house.lanes, "nowhere", id(0)).await, Err(LettersError::Sink(_))));
}

#[tokio::test]
async fn one_that_fails_keeps_nobody_else_back() {
    let house = House::new();
    house.bury_events(4);
    house.bury(0, 4, 1, b"\xff".to_vec());
    house.sink.poison_when(|id| id.as_u64_pair().1 == 1);
    house.sink.script([Scripted::Fail(ErrorClass::Transient)]);
    let ids = [9, 0, 1, 2, 4].map(id).to_vec();
    let outcome = requeue(&house.lanes, "storage", Selection::Ids(ids)).await.unwrap();
    let failed: Vec<_> = outcome.failed.iter().map(|one| (one.id.clone(), one.why.as_str())).collect();
    assert_eq!(
        failed,
        [
            (id(9).to_string(), "missing"),
            (id(0).to_string(), "scripted"),
            (id(1).to_string(), "poison"),
            (id(4).to_string(), "record_unreadable"),
        ]
    );
    assert_eq!((outcome.requeued, outcome.remaining), (1, 4));

    house.sink.poison_when(|_| false);
    let outcome = requeue(&house.lanes, "storage", ALL).await.unwrap();
    assert_eq!((outcome.requeued, outcome.failed.len(), outcome.remaining), (3, 1, 1));
    assert_eq!(house.sink.events().len(), 4);
}

#[tokio::test]
async fn a_thousand_that_fail_keep_nobody_behind_them_back() {
    let house = House::new();
    let bad = LETTERS_MAX as u64;
    house.bury_events(bad + 5);
    house.sink.poison_when(move |id| id.as_u64_pair().1 < bad);
    let first = requeue(&house.lanes, "storage", ALL).await.unwrap();
    assert_eq!((first.requeued, first.failed.len(), first.remaining), (0, LETTERS_MAX, LETTERS_MAX + 5));
    let after = first.next.as_deref().and_then(LetterId::parse);
    assert_eq!(after, Some(id(bad - 1)));
    let second = requeue(&house.lanes, "storage", Selection::All { after }).await.unwrap();
    assert_eq!(
        (second.requeued, second.failed, second.remaining, second.next),
        (5, vec![], LETTERS_MAX, None)
    );
    assert_eq!(house.sink.events().len(), 5);
}

#[tokio::test]
async fn a_letter_that_another_call_stored_is_not_a_failure_unless_it_was_named() {
    let house = House::new();
    house.bury_events(20);
    let (one, two) =
        tokio::join!(requeue(&house.lanes, "storage", ALL), requeue(&house.lanes, "storage", ALL));
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_eq!((one.failed, two.failed), (vec![], vec![]));
    assert_eq!((one.requeued + two.requeued, house.sink.events().len()), (20, 20));
    let named = requeue(&house.lanes, "storage", Selection::Ids(vec![id(3)])).await.unwrap();
    assert_eq!(named.failed[0].why, "missing");
}

#[tokio::test]
async fn a_letter_that_stays_after_its_record_was_stored_says_so() {
    let house = House::new();
    house.bury_events(1);
    house.disk.fail(Operation::Remove, 1, Failure::Io);
    let outcome = requeue(&house.lanes, "storage", ALL).await.unwrap();
    assert_eq!(outcome.failed[0].why, "stored_but_letter_stays");
    let outcome = requeue(&house.lanes, "storage", ALL).await.unwrap();
    assert_eq!((outcome.requeued, outcome.remaining, house.sink.events().len()), (1, 0, 1));
}

#[tokio::test]
async fn discarding_is_for_good_and_bounded() {
    let house = House::new();
    house.bury_events(LETTERS_MAX as u64 + 2);
    let ids = vec![id(0); LETTERS_MAX + 1];
    let refused = discard(&house.lanes, "storage", Selection::Ids(ids)).await;
    assert!(matches!(refused, Err(LettersError::TooMany)));
    let some = Selection::Ids(vec![id(3), id(3), id(90_000)]);
    assert_eq!(discard(&house.lanes, "storage", some).await.unwrap().discarded, 1);
    assert_eq!(discard(&house.lanes, "storage", ALL).await.unwrap().discarded, LETTERS_MAX);
    assert_eq!(house.lanes[0].letters().list(), [id(LETTERS_MAX as u64 + 1)], "the oldest went first");
    assert!(house.sink.events().is_empty());
}
