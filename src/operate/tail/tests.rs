//! Followers: what they see, what they miss, and that they are told of both.

use prost::Message as _;
use tokio::{runtime::Handle, task::spawn_blocking};

use super::*;
use crate::{
    disk::simulated::{Failure, Operation, SimDisk},
    event::record::{Event, Refusal},
    spool::{self, Chunk, Kind},
};

struct House {
    disk: SimDisk,
    spool: Spool,
    stop: CancellationToken,
    tail: Tail,
}

impl House {
    fn new(file_bytes: u64) -> Self {
        let disk = SimDisk::new(1);
        let settings = spool::Settings {
            directory: "/spool".into(),
            min_free: 0,
            file_bytes,
            ..spool::Settings::default()
        };
        let (spool, _) = Spool::open(Arc::new(disk.clone()), settings).unwrap();
        let stop = CancellationToken::new();
        Self { disk, tail: Tail::new(spool.clone(), stop.clone()), spool, stop }
    }

    fn follow(&self) -> Follower {
        self.tail.follow(TailFilter::default(), None).unwrap()
    }

    /// Virtual time must not run on while the spool's own thread writes, so a thread of tokio's waits for it.
    async fn append(&self, chunk: Chunk) {
        let (spool, runtime) = (self.spool.clone(), Handle::current());
        let append = move || runtime.block_on(spool.append(chunk)).unwrap();
        let _receipt = spawn_blocking(append).await.unwrap();
    }

    async fn append_events(&self, count: u64) {
        let mut chunk = Chunk::new();
        for _ in 0..count {
            chunk.push(Kind::Event, |out| event("web", "track").encode(out).unwrap());
        }
        self.append(chunk).await;
    }
}

fn event(source: &str, event_type: &str) -> Event {
    Event { source: source.into(), event_type: event_type.into(), ..Event::default() }
}

fn refusal(source: &str, rule: &str) -> Refusal {
    Refusal { source: source.into(), rule: rule.into(), ..Refusal::default() }
}

/// What a follower gets until it has accounted for `sequences`: those that it saw, and how many it missed.
async fn account(follower: &mut Follower, sequences: u64) -> (Vec<u64>, u64) {
    let (mut seen, mut missed) = (Vec::new(), 0);
    while seen.len() as u64 + missed < sequences {
        match follower.next().await.unwrap() {
            Notice::Record { sequence, .. } => seen.push(sequence),
            Notice::Dropped { records } => missed += records,
            Notice::End => panic!("ended"),
        }
    }
    assert_eq!(seen.len() as u64 + missed, sequences);
    assert!(seen.is_sorted_by(|one, other| one < other), "in order, and each once");
    (seen, missed)
}

#[tokio::test(start_paused = true)]
async fn a_follower_sees_what_becomes_durable_from_now_on_at_once() {
    let house = House::new(64 << 20);
    house.append_events(3).await;
    let mut follower = house.follow();
    let started = Instant::now();
    house.append_events(2).await;
    assert_eq!(account(&mut follower, 2).await, (vec![3, 4], 0));
    assert_eq!(started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_follower_may_go_on_where_it_was() {
    let house = House::new(64 << 20);
    house.append_events(9).await;
    let mut follower = house.tail.follow(TailFilter::default(), Some(4)).unwrap();
    assert_eq!(account(&mut follower, 5).await, (vec![4, 5, 6, 7, 8], 0));
    // A place that this spool has not come to is another spool's.
    let mut follower = house.tail.follow(TailFilter::default(), Some(1_000)).unwrap();
    house.append_events(1).await;
    assert_eq!(account(&mut follower, 1).await, (vec![9], 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_deleted_already_is_told_as_missed() {
    let house = House::new(600);
    house.spool.register_lane("lane");
    while house.spool.oldest() == 0 {
        house.append_events(5).await;
        house.spool.release("lane", house.spool.end());
    }
    let (oldest, end) = (house.spool.oldest(), house.spool.end());
    let mut follower = house.tail.follow(TailFilter::default(), Some(0)).unwrap();
    assert_eq!(account(&mut follower, end).await, ((oldest..end).collect(), oldest));
}

#[tokio::test(start_paused = true)]
async fn a_follower_far_behind_is_led_to_the_end() {
    let house = House::new(64 << 20);
    house.append_events(BACKLOG_MAX + 1).await;
    let mut follower = house.tail.follow(TailFilter::default(), Some(0)).unwrap();
    assert_eq!(account(&mut follower, BACKLOG_MAX + 1).await, (vec![], BACKLOG_MAX + 1));
    house.append_events(1).await;
    assert_eq!(account(&mut follower, 1).await.0, [BACKLOG_MAX + 1]);
}

#[tokio::test(start_paused = true)]
async fn a_follower_gets_a_thousand_records_a_second() {
    let house = House::new(64 << 20);
    let mut follower = house.follow();
    house.append_events(5_000).await;
    let started = Instant::now();
    assert_eq!(account(&mut follower, 5_000).await.1, 0);
    assert_eq!((started.elapsed() + PERIOD).as_secs(), 5, "the first hundred come at once");
}

#[tokio::test(start_paused = true)]
async fn a_slow_client_holds_nobody_up_and_learns_what_it_missed() {
    let house = House::new(1 << 20);
    house.spool.register_lane("lane");
    let mut follower = house.follow();
    for _ in 0..40 {
        house.append_events(1_000).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let (seen, missed) = account(&mut follower, 40_000).await;
    let waiting = (READS_WAITING_MAX + 1) * RECORDS_MAX;
    assert!(seen.len() <= waiting, "{} waited for the client", seen.len());
    assert!(missed > 30_000);
    house.append_events(1).await;
    assert_eq!(account(&mut follower, 1).await.0, [40_000], "it follows again");
}

#[tokio::test(start_paused = true)]
async fn large_records_are_bounded_by_their_bytes() {
    let house = House::new(64 << 20);
    let mut follower = house.follow();
    for _ in 0..8 {
        let mut chunk = Chunk::new();
        let large = Event { name: "x".repeat(700 << 10), ..event("web", "track") };
        chunk.push(Kind::Event, |out| large.encode(out).unwrap());
        house.append(chunk).await;
    }
    // Two fill a read; one of them is waited for at its end.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let mut read = 0;
    while let Ok(notices) = follower.reads.try_recv() {
        assert!(notices.len() <= 2, "{}", notices.len());
        read += notices.len();
    }
    assert!(read <= 2 * READS_WAITING_MAX);
}

#[tokio::test(start_paused = true)]
async fn filters_let_through_what_has_all_that_is_given() {
    let house = House::new(64 << 20);
    let mut chunk = Chunk::new();
    for (source, event_type) in [("web", "track"), ("web", "page"), ("app", "track")] {
        chunk.push(Kind::Event, |out| event(source, event_type).encode(out).unwrap());
    }
    for (source, rule) in [("web", "user.missing"), ("app", "user.missing"), ("app", "depth.exceeded")] {
        chunk.push(Kind::Refusal, |out| refusal(source, rule).encode(out).unwrap());
    }
    house.append(chunk).await;
    house.append_events(1).await;
    let some = |text: &str| Some(text.to_owned());
    let any = TailFilter::default();
    for (filter, want) in [
        (any.clone(), vec![0, 1, 2, 3, 4, 5, 6]),
        (TailFilter { source: some("app"), ..any.clone() }, vec![2, 4, 5]),
        (TailFilter { event_type: some("track"), ..any.clone() }, vec![0, 2, 6]),
        (TailFilter { outcome: Some(TailOutcome::Committed), ..any.clone() }, vec![0, 1, 2, 6]),
        (TailFilter { outcome: Some(TailOutcome::Refused), ..any.clone() }, vec![3, 4, 5]),
        (TailFilter { rule: some("user.missing"), ..any.clone() }, vec![3, 4]),
        (TailFilter { rule: some("user.missing"), source: some("app"), ..any.clone() }, vec![4]),
        (TailFilter { rule: some("user.missing"), event_type: some("track"), ..any.clone() }, vec![]),
    ] {
        let mut follower = house.tail.follow(filter.clone(), Some(0)).unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(waiting(&mut follower), want, "{filter:?}");
    }
}

/// What waits for the client now.
fn waiting(follower: &mut Follower) -> Vec<u64> {
    let mut seen = Vec::new();
    while let Ok(notices) = follower.reads.try_recv() {
        for notice in notices {
            let Notice::Record { sequence, .. } = notice else { panic!("{notice:?}") };
            seen.push(sequence);
        }
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn a_filter_that_lets_little_through_keeps_up_with_many_records() {
    let house = House::new(64 << 20);
    let filter = TailFilter { source: Some("app".into()), ..TailFilter::default() };
    let mut follower = house.tail.follow(filter, None).unwrap();
    for _ in 0..9 {
        house.append_events(1_000).await;
    }
    let mut chunk = Chunk::new();
    chunk.push(Kind::Event, |out| event("app", "track").encode(out).unwrap());
    house.append(chunk).await;
    let started = Instant::now();
    assert_eq!(account(&mut follower, 1).await, (vec![9_000], 0));
    assert!(started.elapsed() <= Duration::from_millis(500), "{:?}", started.elapsed());
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_passed_over_and_counted() {
    let house = House::new(64 << 20);
    let mut follower = house.follow();
    let mut chunk = Chunk::new();
    chunk.push(Kind::Event, |out| event("web", "track").encode(out).unwrap());
    chunk.push(Kind::Event, |out| out.extend_from_slice(b"\xff\xff"));
    chunk.push(Kind::Event, |out| event("web", "track").encode(out).unwrap());
    house.append(chunk).await;
    assert_eq!(account(&mut follower, 3).await, (vec![0, 2], 1));

    house.disk.fail(Operation::Read, 1, Failure::Io);
    house.append_events(4).await;
    assert_eq!(account(&mut follower, 4).await, (vec![], 4), "a disk that cannot be read");
    house.append_events(1).await;
    assert_eq!(account(&mut follower, 1).await, (vec![7], 0));
}

#[tokio::test(start_paused = true)]
async fn notices_are_one_line_of_json_with_the_columns_of_the_tables() {
    let house = House::new(64 << 20);
    let mut follower = house.follow();
    let mut chunk = Chunk::new();
    let spaced = Event {
        event: "{\r\n \"a\": \"b\\n\",\n\"n\": 1.50}".into(),
        context: "{}".into(),
        ..event("web", "track")
    };
    chunk.push(Kind::Event, |out| spaced.encode(out).unwrap());
    chunk.push(Kind::Refusal, |out| {
        Refusal { body: "{\n}".into(), ..refusal("web", "user.missing") }.encode(out).unwrap();
    });
    house.append(chunk).await;
    let Some(Notice::Record { sequence: 0, name: "event", json }) = follower.next().await else { panic!() };
    assert!(!json.contains(['\n', '\r']), "{json}");
    assert!(json.contains("\"a\": \"b\\n\"") && json.contains("1.50"), "{json}");
    let told: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&told["sequence"], &told["source"]), (&0.into(), &"web".into()));
    let Some(Notice::Record { sequence: 1, name: "refusal", json }) = follower.next().await else { panic!() };
    let told: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!((&told["rule"], &told["body"]["data"]), (&"user.missing".into(), &"{\n}".into()));
}

#[tokio::test(start_paused = true)]
async fn followers_end_with_the_server_also_slow_ones() {
    let house = House::new(64 << 20);
    let (mut idle, mut slow) = (house.follow(), house.follow());
    house.append_events(1_000).await;
    tokio::time::sleep(Duration::from_mins(1)).await;
    house.spool.close().await.unwrap();
    tokio::time::sleep(Duration::from_mins(1)).await;
    house.stop.cancel();
    for follower in [&mut idle, &mut slow] {
        let mut last = None;
        while let Some(notice) = follower.next().await {
            last = Some(notice);
        }
        assert_eq!(last, Some(Notice::End));
    }
}

#[tokio::test(start_paused = true)]
async fn places_are_few_and_free_again_when_a_follower_leaves() {
    let house = House::new(64 << 20);
    let mut followers: Vec<Follower> = (0..FOLLOWERS_MAX).map(|_| house.follow()).collect();
    assert!(house.tail.follow(TailFilter::default(), None).is_err());
    followers.pop();
    let _place = house.tail.places.acquire().await.unwrap();
}
