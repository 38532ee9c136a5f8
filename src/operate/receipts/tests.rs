//! Receipts of records that stay where they are, and of records that move while they are looked for.

use std::{sync::Arc, time::Duration};

use prost::Message as _;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    clock::Clock,
    database::{DatabaseUrl, testing::TestDatabase},
    disk::simulated::{Failure, Operation, SimDisk},
    drain::{
        Settings,
        dead_letters::DeadLetters,
        lane::{Lane, LaneEnd},
        letter::{DeadLetter, LetterId},
    },
    event::record::{Event, Refusal},
    sinks::sql_sink,
    spool::{self, Chunk, Kind},
};

const NOW: i64 = 1_700_000_000_000_000;

/// A delivery as `ingest` numbers them.
const DELIVERY: Uuid = Uuid::from_u128(0x018b_cfe5_6800_7000_8000_0000_0001_0000);

struct House {
    disk: SimDisk,
    spool: Spool,
    database: TestDatabase,
    letters: Arc<DeadLetters>,
    /// Not yet at work.
    lane: Option<Lane>,
    lanes: Vec<LaneHandle>,
}

impl House {
    /// Small files go as soon as the lane has passed them.
    fn new(file_bytes: u64) -> Self {
        let disk = SimDisk::new(1);
        let settings = spool::Settings {
            directory: "/spool".into(),
            min_free: 0,
            file_bytes,
            ..spool::Settings::default()
        };
        let (spool, _) = Spool::open(Arc::new(disk.clone()), settings).unwrap();
        let letters = DeadLetters::open(Arc::new(disk.clone()), "/dead".into(), 1 << 30).unwrap();
        let (database, letters) = (TestDatabase::sqlite(), Arc::new(letters));
        let sink = sql_sink(database.handle(), "storage", Clock::manual(NOW));
        let lane =
            Lane::new(spool.clone(), sink, Arc::clone(&letters), Settings::default(), Clock::manual(NOW));
        let lanes = vec![lane.handle()];
        Self { disk, spool, database, letters, lane: Some(lane), lanes }
    }

    async fn append(&self, record: &Wire) {
        let mut chunk = Chunk::new();
        match record {
            Wire::Event(event) => chunk.push(Kind::Event, |out| event.encode(out).unwrap()),
            Wire::Refusal(refusal) => chunk.push(Kind::Refusal, |out| refusal.encode(out).unwrap()),
        }
        let _receipt = self.spool.append(chunk).await.unwrap();
    }

    /// Lets the lane settle everything that is in the spool.
    async fn settle(&mut self) {
        let finish = CancellationToken::new();
        finish.cancel();
        let end = self.lane.take().unwrap().run(finish, CancellationToken::new()).await;
        assert_eq!(end, LaneEnd::Drained);
    }

    /// Moves everything one place on: the letter into the database, or what is in the spool wherever it belongs.
    async fn move_on(&mut self, letter: Option<LetterId>) {
        match letter {
            Some(letter) => drop(self.lanes[0].requeue(letter).await.unwrap()),
            None => self.settle().await,
        }
        // A file goes when the next chunk has been written.
        self.append(&Wire::Event(Event { event_id_low: 8, ..event(0) })).await;
        self.append(&Wire::Event(Event { event_id_low: 9, ..event(0) })).await;
    }

    fn bury(&self, event: &Event) -> LetterId {
        let mut letter =
            DeadLetter { kind: 1, payload: event.encode_to_vec().into(), ..DeadLetter::default() };
        letter.set_id(LetterId { spool_id: self.spool.id(), sequence: 900 });
        self.letters.keep(&letter).unwrap();
        letter.id()
    }

    async fn find(&self, element: Option<u16>, limit: usize) -> ReceiptReport {
        let database = self.database.handle();
        find(&database, &self.spool, &self.lanes, DELIVERY, element, limit).await.unwrap()
    }
}

enum Wire {
    Event(Event),
    Refusal(Refusal),
}

fn event(element: u16) -> Event {
    let mut event = Event {
        source: "web".into(),
        kind: "segment".into(),
        received_at: NOW,
        event: "{}".into(),
        context: "{}".into(),
        ..Event::default()
    };
    event.set_event_id(Uuid::from_u128(DELIVERY.as_u128() | u128::from(element)));
    event
}

/// No database holds such a year.
fn bad_event(element: u16) -> Event {
    Event { time: i64::MAX, ..event(element) }
}

fn refusal(element: u16) -> Refusal {
    let mut refusal = Refusal { source: "web".into(), received_at: NOW, ..Refusal::default() };
    refusal.set_refusal_id(Uuid::from_u128(DELIVERY.as_u128() | u128::from(element)));
    refusal
}

fn outcomes(report: &ReceiptReport) -> Vec<(u16, &'static str)> {
    let outcome = |element: &Element| match element.outcome {
        Outcome::Stored { .. } => "stored",
        Outcome::Refused { .. } => "refused",
        Outcome::Dead { .. } => "dead",
        Outcome::InSpool { .. } => "in_spool",
    };
    report.elements.iter().map(|element| (element.element, outcome(element))).collect()
}

#[tokio::test]
async fn a_delivery_is_shown_element_by_element_wherever_each_is() {
    let mut house = House::new(64 << 20);
    for record in [Wire::Event(event(0)), Wire::Refusal(refusal(1)), Wire::Event(bad_event(3))] {
        house.append(&record).await;
    }
    house.settle().await;
    house.append(&Wire::Event(event(65_535))).await;
    house.append(&Wire::Event(Event { event_id_low: 7, ..event(0) })).await;

    let report = house.find(None, 100).await;
    assert_eq!(outcomes(&report), [(0, "stored"), (1, "refused"), (3, "dead"), (65_535, "in_spool")]);
    assert!(!report.more && report.spool_searched && report.storage_searched);
    let json: serde_json::Value = serde_json::from_str(&serde_json::to_string(&report).unwrap()).unwrap();
    assert_eq!(json["receipt"], DELIVERY.to_string());
    let elements = &json["elements"];
    assert_eq!(elements[0]["event"]["event_id"], DELIVERY.to_string());
    assert_eq!((&elements[0]["outcome"], &elements[0]["element"]), (&"stored".into(), &0.into()));
    assert_eq!(elements[1]["refusal"]["refusal_id"], elements[1]["id"]);
    assert_eq!(elements[2]["dead_letter"]["reason"], "poison_row");
    assert_eq!(elements[3]["sequence"], 3);

    for (element, want) in [(0, "stored"), (3, "dead"), (65_535, "in_spool")] {
        assert_eq!(outcomes(&house.find(Some(element), 100).await), [(element, want)]);
        let id = Uuid::from_u128(DELIVERY.as_u128() | u128::from(element));
        let by_id = find(&house.database.handle(), &house.spool, &house.lanes, id, None, 100).await.unwrap();
        // The first element's id is the delivery's.
        assert!(outcomes(&by_id).contains(&(element, want)));
        assert_eq!(
            (by_id.elements.len(), by_id.receipt.as_str()),
            (if element == 0 { 4 } else { 1 }, json["receipt"].as_str().unwrap())
        );
    }
    assert!(house.find(Some(2), 100).await.elements.is_empty());
}

#[tokio::test]
async fn a_refusal_that_was_replayed_hides_nothing_of_its_event() {
    let mut house = House::new(64 << 20);
    for element in 0..5 {
        house.append(&Wire::Refusal(refusal(element))).await;
    }
    house.settle().await;
    let ids: Vec<_> = (0..4).map(|element| refusal(element).refusal_id()).collect();
    refusals::mark(&house.database.handle(), &ids, RefusalState::Replayed).await.unwrap();
    house.append(&Wire::Event(event(1))).await;
    house.bury(&event(2));
    house.append(&Wire::Event(event(4))).await;
    let want = [(0, "refused"), (1, "in_spool"), (2, "dead"), (3, "refused"), (4, "refused")];
    assert_eq!(
        outcomes(&house.find(None, 100).await),
        want,
        "the last one is new: it is not known to be replayed"
    );
}

#[tokio::test]
async fn no_more_is_shown_than_was_asked_for_and_it_is_said_that_there_is_more() {
    let mut house = House::new(64 << 20);
    for element in [0, 2, 4, 6] {
        house.append(&Wire::Event(event(element))).await;
        house.append(&Wire::Refusal(refusal(element + 1))).await;
    }
    house.settle().await;
    for element in 8..12 {
        house.append(&Wire::Event(event(element))).await;
    }
    for limit in 1..=13 {
        let report = house.find(None, limit).await;
        let shown: Vec<u16> = report.elements.iter().map(|element| element.element).collect();
        let last = u16::try_from(limit.min(12)).unwrap();
        // Where a table ends early nothing behind it is shown.
        assert!(shown.iter().copied().eq(0..u16::try_from(shown.len()).unwrap()), "{shown:?}");
        assert!(!shown.is_empty() && shown.len() <= usize::from(last));
        assert_eq!(report.more, shown.len() < 12, "{limit}");
        if limit >= 12 {
            assert_eq!(shown.len(), 12);
        }
    }
}

/// Which records move, and how, and what may be said of them.
#[derive(Clone, Copy, Debug)]
enum Move {
    /// From the spool to the table `events`.
    Stored,
    /// From the spool to the dead letters.
    Buried,
    /// From the dead letters to the table `events`.
    Requeued,
}

/// A record that is there all the time is never unknown, at whichever moment it moves.
#[tokio::test]
async fn a_record_that_moves_while_it_is_looked_for_is_found() {
    for moving in [Move::Stored, Move::Buried, Move::Requeued] {
        for file_bytes in [64 << 20, 300] {
            for moment in 0..4 {
                let mut house = House::new(file_bytes);
                let (before, after) = match moving {
                    Move::Stored => ("in_spool", "stored"),
                    Move::Buried => ("in_spool", "dead"),
                    Move::Requeued => ("dead", "stored"),
                };
                let mut letter = None;
                match moving {
                    Move::Stored => house.append(&Wire::Event(event(5))).await,
                    Move::Buried => house.append(&Wire::Event(bad_event(5))).await,
                    Move::Requeued => letter = Some(house.bury(&event(5))),
                }
                // Fills the file, so that a small one is closed.
                house
                    .append(&Wire::Event(Event { name: "x".repeat(300), event_id_low: 7, ..event(0) }))
                    .await;

                let mut step = 0;
                let (spool, lanes, database) =
                    (house.spool.clone(), house.lanes.clone(), house.database.handle());
                let mut move_when_it_is_time = async || {
                    if step == moment {
                        house.move_on(letter).await;
                    }
                    step += 1;
                };
                move_when_it_is_time().await;
                let places = Places { database: &database, spool: &spool, lanes: &lanes };
                let found = search(places, Wanted::new(DELIVERY, None), 10, &mut move_when_it_is_time).await;
                move_when_it_is_time().await;
                let report = found.unwrap();
                let [(5, outcome)] = outcomes(&report)[..] else {
                    panic!("{moving:?} at {moment} with files of {file_bytes}: {report:?}");
                };
                assert!([before, after].contains(&outcome), "{moving:?} at {moment}: {outcome}");
                if moment == 0 {
                    assert_eq!(outcome, after);
                }
                if moment == 3 {
                    assert_eq!(outcome, before);
                }
            }
        }
    }
}

#[tokio::test]
async fn while_the_database_is_down_the_spool_and_the_letters_still_tell() {
    let house = House::new(64 << 20);
    house.append(&Wire::Event(event(1))).await;
    house.bury(&event(2));
    let down = Database::new(&DatabaseUrl::sqlite("/dev/null/events.db"));
    let report = find(&down, &house.spool, &house.lanes, DELIVERY, None, 10).await.unwrap();
    assert_eq!(outcomes(&report), [(1, "in_spool"), (2, "dead")]);
    assert!(!report.storage_searched);
    let unknown = find(&down, &house.spool, &house.lanes, DELIVERY, Some(9), 10).await;
    assert!(unknown.is_err(), "it may be stored");
}

#[tokio::test]
async fn a_search_ends_with_its_budget_and_says_so() {
    let house = House::new(64 << 20);
    for element in 0..3 {
        house.append(&Wire::Event(Event { name: "x".repeat(3 << 20), ..event(element) })).await;
        house.bury(&event(element));
    }
    let wanted = Wanted::new(DELIVERY, Some(2));
    let all = Budget::default();
    for (budget, complete) in
        [(all, true), (Budget { bytes: 1, ..all }, false), (Budget { time: Duration::ZERO, ..all }, false)]
    {
        let found = unsettled::in_spool(&house.spool, &house.lanes, wanted, budget).await;
        assert_eq!((found.complete, found.elements.len()), (complete, usize::from(complete)), "{budget:?}");
    }
    let nothing = Budget { time: Duration::ZERO, ..all };
    assert!(!unsettled::in_letters(&house.lanes, wanted, nothing).await.complete);
    house.disk.fail(Operation::Read, 1, Failure::Io);
    assert!(!unsettled::in_spool(&house.spool, &house.lanes, wanted, all).await.complete);

    let found = |complete| Found { elements: BTreeMap::new(), complete };
    let none = |storage| {
        report(
            wanted,
            10,
            found(storage),
            Found { elements: BTreeMap::new(), complete: true },
            Ok(nothing_stored()),
        )
        .unwrap()
    };
    assert!(none(true).spool_searched && !none(false).spool_searched);
    assert_ne!(none(true).absence(), none(false).absence());
}

fn nothing_stored() -> Stored {
    Stored {
        events: Page { items: Vec::new(), next: None },
        refusals: Page { items: Vec::new(), next: None },
    }
}

/// Whoever serves requests must be able to await it on any thread.
#[tokio::test]
async fn a_search_may_change_threads() {
    fn may_change_threads<T: Send>(future: T) -> T {
        future
    }
    let house = House::new(64 << 20);
    let database = house.database.handle();
    let found = may_change_threads(find(&database, &house.spool, &house.lanes, DELIVERY, None, 10));
    assert!(found.await.unwrap().elements.is_empty());
}
