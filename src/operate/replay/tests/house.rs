//! A server without its lanes and sockets: deliveries in, a spool on a simulated disk, tables that are really there.

use std::sync::Arc;

use bytes::Bytes;
use prost::Message as _;
use uuid::Uuid;

use crate::{
    clock::Clock,
    codec::Encoding,
    database::{Database, Pool, testing::TestDatabase},
    disk::simulated::SimDisk,
    event::record::{Event, Refusal},
    ingest::{
        accept::Ingest,
        body::{Content, DeliveryBody},
        refusal_share::RefusalShare,
        registry::Registry,
    },
    operate::replay::{Replay, ReplayReport, ReplayRequest},
    secret::Secret,
    sinks::{Batch, Sink, sql_sink},
    sources::{
        Kind, Limits, Priority, Source, SourceName,
        delivery::RawDelivery,
        key::{Key, KeyRing},
        segment::{Preset, Settings, Users},
    },
    spool::{self, Chunk, Kind as RecordKind, Spool},
    store::{
        cursors,
        events::{self, EventFilter, StoredEvent},
        refusals::{self, RefusalFilter, StoredRefusal},
        retention::{Aim, Prune, Sweep},
        users::UsersDirectory,
    },
};

pub(super) const RECEIVED_AT: i64 = 1_700_000_000_123_456;
const PATH: &str = "/v1/segment/s";

pub(super) struct House {
    pub(super) database: Database,
    pub(super) disk: SimDisk,
    pub(super) spool: Spool,
    pub(super) replay: Replay,
    ingest: Arc<Ingest>,
    registry: Arc<Registry>,
    sink: Arc<dyn Sink>,
}

/// Users must be integers.
pub(super) fn strict() -> Settings {
    Settings { users: Users::Integer, ..Settings::preset(Preset::Segment) }
}

/// Users may be anything.
pub(super) fn lenient() -> Settings {
    Settings::preset(Preset::Segment)
}

pub(super) fn source(settings: Settings) -> Source {
    Source {
        name: SourceName::new("s").unwrap(),
        enabled: true,
        paths: Vec::new(),
        keys: KeyRing::new(vec![Key::new("k".into(), &Secret::new("open".into()), None)]),
        signing_secret: None,
        allowed_networks: Vec::new(),
        priority: Priority::Normal,
        limits: Limits::default(),
        kind: Kind::Segment(Arc::new(settings)),
    }
}

/// A refusal as an older version may have made it.
pub(super) fn refusal(id: u128, rule: &str, content_type: &str, body: Bytes) -> Refusal {
    let mut refusal = Refusal {
        source: "s".into(),
        received_at: RECEIVED_AT,
        rule: rule.into(),
        method: "POST".into(),
        path: PATH.into(),
        host: "h".into(),
        content_type: content_type.into(),
        body,
        ..Refusal::default()
    };
    refusal.set_refusal_id(Uuid::from_u128(id));
    refusal
}

impl House {
    pub(super) async fn new(database: &TestDatabase, sources: Vec<Source>) -> Self {
        Self::with_spool(database, sources, 64 << 20).await
    }

    pub(super) async fn with_spool(database: &TestDatabase, sources: Vec<Source>, spool_bytes: u64) -> Self {
        let database = database.handle();
        database.pool().await.unwrap();
        let disk = SimDisk::new(1);
        let settings =
            spool::Settings { directory: "/spool".into(), max_bytes: spool_bytes, ..Default::default() };
        let (spool, _) = Spool::open(Arc::new(disk.clone()), settings).unwrap();
        let users = Arc::new(UsersDirectory::new(database.clone()));
        let ingest = Arc::new(Ingest::new(spool.clone(), users, RefusalShare::new(u64::MAX)).unwrap());
        let registry = Arc::new(Registry::new(sources, "v1".into()));
        Self {
            replay: Replay::new(database.clone(), Arc::clone(&ingest), Arc::clone(&registry)),
            sink: sql_sink(database.clone(), "storage", Clock::System),
            database,
            disk,
            spool,
            ingest,
            registry,
        }
    }

    pub(super) fn settings(&self, sources: Vec<Source>) {
        self.registry.replace(sources, "v2".into());
    }

    pub(super) fn another_server(&self) -> Replay {
        Replay::new(self.database.clone(), Arc::clone(&self.ingest), Arc::clone(&self.registry))
    }

    pub(super) async fn send(&self, body: &str) {
        self.send_at(body, RECEIVED_AT).await;
    }

    pub(super) async fn send_at(&self, body: &str, received_at: i64) {
        let doors = self.registry.doors();
        let door = Arc::clone(doors.named("s").unwrap());
        let Kind::Segment(settings) = &door.source.kind else { panic!("{:?}", door.source.kind) };
        let raw = RawDelivery {
            source: Arc::clone(&door.source),
            method: "POST".into(),
            path: PATH.into(),
            host: "h".into(),
            content_type: "application/json".into(),
            signature: None,
            received_at,
        };
        let wire = Bytes::copy_from_slice(body.as_bytes());
        let body = DeliveryBody { content: Content::Decoded(Encoding::Identity, wire.clone()), wire };
        let (settings, delivery) = (Arc::clone(settings), raw.authenticate(Some("key=open")).unwrap());
        self.ingest.accept(&door, &settings, delivery, &"v1".into(), body).await.unwrap();
    }

    pub(super) async fn append(&self, refusal: &Refusal) {
        let mut chunk = Chunk::new();
        chunk.push(RecordKind::Refusal, |out| refusal.encode(out).unwrap());
        let _receipt = self.spool.append(chunk).await.unwrap();
    }

    /// Brings to the database whatever is in the spool, as a lane does.
    pub(super) async fn drain(&self) {
        let expected = self.sink.cursor(self.spool.id()).await.unwrap();
        let from = expected.unwrap_or_default();
        let (mut events, mut refusals) = (Vec::new(), Vec::new());
        for record in self.spool.reader(from).read(usize::MAX, usize::MAX).unwrap().records {
            match record.kind {
                1 => events.push(Event::decode(record.payload).unwrap()),
                _ => refusals.push(Refusal::decode(record.payload).unwrap()),
            }
        }
        let batch = Batch {
            spool_id: self.spool.id(),
            expected,
            from,
            to: self.spool.end(),
            events: events.iter().collect(),
            refusals: refusals.iter().collect(),
            dead: 0,
            gaps: 0,
        };
        if batch.to > from {
            self.sink.write(&batch).await.unwrap();
        }
    }

    /// Deletes the events that arrived before this time.
    pub(super) async fn prune_events(&self, before: i64) {
        let prune = Prune { before, user: None, events: true, refusals: false };
        let mut sweep = Sweep::new(prune, Aim::Delete);
        while sweep.step(&self.database, 100).await.unwrap().is_some() {}
    }

    /// Lets every change of a refusal fail, and nothing else.
    pub(super) async fn shut_refusals(&self) {
        let (sqlite, postgres) = (
            "CREATE TRIGGER shut BEFORE UPDATE ON refusals BEGIN SELECT RAISE(ABORT, 'shut'); END",
            "CREATE FUNCTION shut() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'shut'; END$$; \
             CREATE TRIGGER shut BEFORE UPDATE ON refusals EXECUTE FUNCTION shut()",
        );
        self.execute(sqlite, postgres).await;
    }

    /// Lets refusals be changed again.
    pub(super) async fn open_refusals(&self) {
        self.execute("DROP TRIGGER shut", "DROP TRIGGER shut ON refusals").await;
    }

    async fn execute(&self, sqlite: &'static str, postgres: &'static str) {
        match self.database.pool().await.unwrap() {
            Pool::Sqlite(pools) => {
                let mut transaction = pools.begin().await.unwrap();
                sqlx::raw_sql(sqlite).execute(&mut *transaction).await.unwrap();
                transaction.commit().await.unwrap();
            }
            Pool::Postgres(pool) => drop(sqlx::raw_sql(postgres).execute(pool).await.unwrap()),
        }
    }

    /// Returns once somebody waits for a row that somebody else has locked. In SQLite transactions that write follow one
    /// another anyway.
    pub(super) async fn somebody_waits_for_a_row(&self) {
        let waiting = "SELECT EXISTS (SELECT FROM pg_stat_activity \
                       WHERE datname = current_database() AND wait_event_type = 'Lock')";
        if let Pool::Postgres(pool) = self.database.pool().await.unwrap() {
            while !sqlx::query_scalar::<_, bool>(waiting).fetch_one(pool).await.unwrap() {}
        }
    }

    pub(super) async fn replay(&self, request: &ReplayRequest) -> ReplayReport {
        self.replay.run(request).await.unwrap()
    }

    /// The first half of a replay, after which the process dies.
    pub(super) async fn append_without_marking(&self) {
        let filter = RefusalFilter { state: Some(refusals::RefusalState::New), ..RefusalFilter::default() };
        let page = refusals::with_bodies(&self.database, &filter, None, 1000).await.unwrap();
        let doors = self.registry.doors();
        let mut events = Vec::new();
        for stored in page.items {
            let again = self.ingest.judge_again(&doors, &crate::operate::replay::call::kept(stored)).unwrap();
            events.extend(again.events().cloned());
        }
        if !events.is_empty() {
            let _receipt = self.ingest.append_again(&doors, &events).await.unwrap();
        }
    }

    /// All events, by id.
    pub(super) async fn events(&self) -> Vec<StoredEvent> {
        let (mut all, mut before) = (Vec::new(), None);
        loop {
            let page = events::list(&self.database, &EventFilter::default(), before, 1000).await.unwrap();
            all.extend(page.items);
            before = page.next;
            if before.is_none() {
                all.reverse();
                return all;
            }
        }
    }

    /// All refusals, by id.
    pub(super) async fn refusals(&self) -> Vec<StoredRefusal> {
        let page = refusals::list(&self.database, &RefusalFilter::default(), None, 10_000).await.unwrap();
        let mut all = page.items;
        all.reverse();
        all
    }

    /// Events that lanes stored, and those that were there already.
    pub(super) async fn totals(&self) -> (u64, u64) {
        let cursors = cursors::all(&self.database).await.unwrap();
        (
            cursors.iter().map(|cursor| cursor.stored).sum(),
            cursors.iter().map(|cursor| cursor.duplicates).sum(),
        )
    }
}
