//! Deliveries into a real spool on a simulated disk: what is answered, what is durable, what is turned away.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use futures_util::FutureExt as _;
use prost::Message;

use super::{
    accept::Ingest,
    answer::{Answer, ElementOutcome, Trouble, Turned, Verdict},
    body::{Content, DeliveryBody},
    refusal_share::RefusalShare,
    registry::{Door, Registry},
};
use crate::{
    codec::Encoding,
    database::{Database, DatabaseUrl},
    disk::simulated::{Failure, Operation, SimDisk},
    event::record::{Event, Refusal},
    secret::Secret,
    sources::{
        Kind, Limits, Priority, Source, SourceName,
        delivery::{AuthenticDelivery, RawDelivery},
        key::{Key, KeyRing},
        segment::{Preset, Settings, Users},
    },
    spool::{self, Spool},
    store::users::UsersDirectory,
};

mod again;

const GOOD: &str = r#"{"type":"track","userId":"u","timestamp":"2026-01-02T03:04:05Z"}"#;

struct House {
    disk: SimDisk,
    spool: Spool,
    ingest: Arc<Ingest>,
    registry: Registry,
}

fn source() -> Source {
    Source {
        name: SourceName::new("s").unwrap(),
        enabled: true,
        paths: vec!["/hook".into()],
        keys: KeyRing::new(vec![Key::new("k".into(), &Secret::new("open".into()), None)]),
        signing_secret: None,
        allowed_networks: Vec::new(),
        priority: Priority::Normal,
        limits: Limits::default(),
        kind: Kind::Segment(Arc::new(Settings::preset(Preset::Segment))),
    }
}

impl House {
    fn new(source: Source, spool_bytes: u64, refusal_bytes: u64) -> Self {
        let disk = SimDisk::new(1);
        let settings =
            spool::Settings { directory: "/spool".into(), max_bytes: spool_bytes, ..Default::default() };
        let (spool, _) = Spool::open(Arc::new(disk.clone()), settings).unwrap();
        let users = Arc::new(UsersDirectory::new(Database::new(&DatabaseUrl::sqlite("/nowhere/events.db"))));
        let ingest = Ingest::new(spool.clone(), users, RefusalShare::new(refusal_bytes)).unwrap();
        Self { disk, spool, ingest: Arc::new(ingest), registry: Registry::new(vec![source], "v1".into()) }
    }

    fn door(&self) -> Arc<Door> {
        Arc::clone(self.registry.doors().find("/v1/segment/s").unwrap())
    }

    fn delivery(&self, signature: Option<&str>) -> AuthenticDelivery {
        let raw = RawDelivery {
            source: Arc::clone(&self.door().source),
            method: "POST".into(),
            path: "/v1/segment/s".into(),
            host: "h".into(),
            content_type: "text/plain".into(),
            signature: signature.map(|text| text.as_bytes().to_vec()),
            received_at: 1_700_000_000_000_000,
        };
        raw.authenticate(Some("key=open")).unwrap()
    }

    async fn send(&self, body: &str) -> Result<Answer, Turned> {
        let bytes = Bytes::copy_from_slice(body.as_bytes());
        let body = DeliveryBody { wire: bytes.clone(), content: Content::Decoded(Encoding::Identity, bytes) };
        self.send_body(body, None).await
    }

    async fn send_body(&self, body: DeliveryBody, signature: Option<&str>) -> Result<Answer, Turned> {
        let door = self.door();
        let Kind::Segment(settings) = &door.source.kind else { panic!("{:?}", door.source.kind) };
        let (settings, delivery) = (Arc::clone(settings), self.delivery(signature));
        self.ingest.accept(&door, &settings, delivery, &"v1".into(), body).await
    }

    fn durable(&self) -> (Vec<Event>, Vec<Refusal>) {
        let (mut events, mut refusals) = (Vec::new(), Vec::new());
        for record in self.spool.reader(0).read(usize::MAX, usize::MAX).unwrap().records {
            match record.kind {
                1 => events.push(Event::decode(record.payload).unwrap()),
                _ => refusals.push(Refusal::decode(record.payload).unwrap()),
            }
        }
        (events, refusals)
    }
}

#[tokio::test]
async fn a_committed_event_is_durable_under_the_receipt() {
    let house = House::new(source(), 1 << 20, 1 << 20);
    let answer = house.send(GOOD).await.unwrap();
    assert!(matches!(answer.verdict, Verdict::Committed { duplicate: false, .. }));
    let (events, refusals) = house.durable();
    assert_eq!((events.len(), refusals.len()), (1, 0));
    assert_eq!(events[0].event_id(), answer.receipt.element(0));
    assert_eq!(events[0].event, GOOD.as_bytes());
    assert_eq!((events[0].host.as_str(), events[0].received_at), ("h", 1_700_000_000_000_000));
}

#[tokio::test]
async fn what_the_spool_has_taken_is_counted_though_its_request_is_cut_off() {
    let house = House::new(source(), 1 << 20, 1 << 20);
    let mut left = 0;
    for _ in 0..100 {
        // Polled once and dropped: queued, and hardly ever durable yet.
        left += u64::from(Box::pin(house.send(GOOD)).now_or_never().is_none());
    }
    assert!(left > 0, "each was durable at once");
    let counted = async {
        while house.door().outcomes().committed < 100 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), counted).await.expect("a delivery was never counted");
    assert_eq!(house.durable().0.len(), 100);
}

/// The task that was to count what its request had left was dropped at once, and made another one, without end.
#[test]
fn a_runtime_that_ends_with_a_delivery_under_way_ends() {
    let house = House::new(source(), 1 << 20, 1 << 20);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (ingest, door, delivery) = (Arc::clone(&house.ingest), house.door(), house.delivery(None));
    let sending = async move {
        let Kind::Segment(settings) = &door.source.kind else { panic!("{:?}", door.source.kind) };
        let bytes = Bytes::from_static(GOOD.as_bytes());
        let body = DeliveryBody { wire: bytes.clone(), content: Content::Decoded(Encoding::Identity, bytes) };
        ingest.accept(&door, settings, delivery, &"v1".into(), body).await
    };
    house.disk.held(|| {
        let sending = runtime.spawn(sending);
        runtime.block_on(tokio::task::yield_now());
        assert!(!sending.is_finished(), "it waits for the disk");
        drop(runtime);
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(house.spool.close()).unwrap();
    assert_eq!(house.durable().0.len(), 1, "what the spool had taken stays");
}

#[tokio::test]
async fn what_fails_after_it_was_queued_is_counted_once_and_as_shed() {
    let house = House::new(source(), 1 << 20, 1 << 20);
    house.disk.fail(Operation::Sync, 1, Failure::Io);
    assert_eq!(house.send(GOOD).await.unwrap_err(), Turned::Unavailable(Trouble::SpoolPoisoned));
    let outcomes = house.door().outcomes();
    assert_eq!((outcomes.shed, outcomes.total()), (1, 1));
}

#[tokio::test]
async fn what_nobody_wants_is_answered_and_not_kept() {
    let mut source = source();
    let mut settings = Settings::preset(Preset::Segment);
    settings.allowed_channels = Some(crate::sources::segment::Allowlist::new(["server".to_owned()]));
    source.kind = Kind::Segment(Arc::new(settings));
    let house = House::new(source, 1 << 20, 1 << 20);
    let answer = house.send(GOOD).await.unwrap();
    assert!(matches!(answer.verdict, Verdict::Ignored(breach) if breach.rule.id == "channel.ignored"));
    assert_eq!(house.spool.end(), 0);
}

#[tokio::test]
async fn each_element_of_a_batch_has_its_own_fate() {
    let house = House::new(source(), 1 << 20, 1 << 20);
    let keyed = GOOD.replace("\"track\"", "\"track\",\"messageId\":\"m\"");
    let answer = house.send(&format!("[{keyed}, 7, {{}}, {keyed}, {GOOD}]")).await.unwrap();
    let Verdict::Batch(batch) = &answer.verdict else { panic!("{answer:?}") };
    assert_eq!((batch.committed, batch.refused, batch.ignored, batch.duplicates), (3, 2, 0, 1));
    let indices: Vec<usize> = batch.results.iter().map(|result| result.index).collect();
    assert_eq!(indices, [1, 2, 3]);
    assert!(matches!(batch.results[2].outcome, ElementOutcome::Duplicate));
    let (events, refusals) = house.durable();
    assert_eq!(
        events.iter().map(Event::event_id).collect::<Vec<_>>(),
        [0, 3, 4].map(|i| answer.receipt.element(i))
    );
    assert_eq!((refusals[0].element, refusals[0].body.as_ref()), (Some(1), &b"7"[..]));
    assert_eq!((refusals[1].element, refusals[1].refusal_id()), (Some(2), answer.receipt.element(2)));
    let again = house.send(&keyed).await.unwrap();
    assert!(
        matches!(again.verdict, Verdict::Committed { duplicate: true, .. }),
        "told, and appended all the same"
    );
}

#[tokio::test]
async fn a_refused_body_is_kept_as_it_was_sent() {
    let house = House::new(source(), 8 << 20, 8 << 20);
    let (wire, limit) = (format!("{{ {}", "x".repeat(2 << 20)), 1 << 20);
    let answer = house.send(&wire).await.unwrap();
    assert!(matches!(answer.verdict, Verdict::Refused { breach, .. } if breach.rule.id == "body.malformed"));
    let body =
        DeliveryBody { wire: Bytes::from_static(b"\x1f\x8b?"), content: Content::Corrupt(Encoding::Gzip) };
    house.send_body(body, None).await.unwrap();
    let (_, refusals) = house.durable();
    assert_eq!((refusals[0].body.len(), refusals[0].truncated), (limit, true));
    assert_eq!((refusals[0].rule.as_str(), refusals[0].config_version.as_str()), ("body.malformed", "v1"));
    assert_eq!(refusals[1].body, &b"\x1f\x8b?"[..]);
    assert_eq!(refusals[1].content_type, "text/plain; content-encoding=gzip");
}

#[tokio::test]
async fn beyond_their_share_refusals_lose_their_body_only() {
    let house = House::new(source(), 1 << 20, 10);
    house.send("{\"a\": 1}").await.unwrap();
    house.send("{\"b\": 2}").await.unwrap();
    let (_, refusals) = house.durable();
    assert_eq!((refusals[0].body.len(), refusals[0].truncated), (8, false));
    assert_eq!((refusals[1].body.len(), refusals[1].truncated), (0, true));
    assert_eq!((refusals[1].rule.as_str(), refusals[1].body_hash.len()), ("user.missing", 32));
}

#[tokio::test]
async fn a_signature_covers_the_body_or_the_first_element() {
    let house =
        House::new(Source { signing_secret: Some(Secret::new("Jefe".into())), ..source() }, 1 << 20, 1 << 20);
    let body = |text: &'static str| {
        let bytes = Bytes::from_static(text.as_bytes());
        DeliveryBody { wire: bytes.clone(), content: Content::Decoded(Encoding::Identity, bytes) }
    };
    let sign = |text: &str| {
        use hmac::{Hmac, KeyInit as _, Mac as _};
        let mut mac = Hmac::<sha1::Sha1>::new_from_slice(b"Jefe").unwrap();
        mac.update(text.as_bytes());
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat()
    };
    for (text, signed) in
        [(r#"{"a":1}"#, r#"{"a":1}"#), (r#"[ {"a":1} , {"b":2}]"#, r#"{"a":1}"#), ("no json", "no json")]
    {
        assert!(house.send_body(body(text), Some(&sign(signed))).await.is_ok(), "{text}");
        assert_eq!(house.send_body(body(text), Some(&sign("x"))).await.unwrap_err(), Turned::Unsigned);
        assert_eq!(house.send_body(body(text), None).await.unwrap_err(), Turned::Unsigned);
    }
    assert_eq!(house.durable().1.len(), 4, "what is not signed leaves no refusal");
}

#[tokio::test]
async fn what_cannot_be_durable_is_turned_away() {
    let house = House::new(source(), 4096, 1 << 20);
    let large = GOOD.replace("\"u\"", &format!("\"{}\"", "u".repeat(8000)));
    assert_eq!(house.send(&large).await.unwrap_err(), Turned::Unavailable(Trouble::SpoolFull));
    house.disk.fail(Operation::Sync, 1, Failure::Io);
    assert_eq!(house.send(GOOD).await.unwrap_err(), Turned::Unavailable(Trouble::SpoolPoisoned));
    assert_eq!(
        house.send(GOOD).await.unwrap_err(),
        Turned::Unavailable(Trouble::SpoolPoisoned),
        "and stays so"
    );
}

#[tokio::test]
async fn batches_and_rates_have_their_limits() {
    let limits = Limits { batch_events: 2, events_per_second: Some(1), ..Limits::default() };
    let house = House::new(Source { limits, ..source() }, 1 << 20, 1 << 20);
    assert_eq!(house.send("[1,2,3]").await.unwrap_err(), Turned::TooLarge("limits.batch"));
    assert!(house.send("[1,2]").await.is_ok(), "a full bucket lets any one batch pass");
    let Turned::TooFast { retry_after } = house.send(GOOD).await.unwrap_err() else { panic!() };
    assert!(
        retry_after > Duration::from_millis(1500) && retry_after <= Duration::from_secs(2),
        "{retry_after:?}"
    );
}

#[tokio::test]
async fn admission_comes_before_the_body() {
    let house = House::new(Source { enabled: false, ..source() }, 1 << 20, 1 << 20);
    assert_eq!(house.ingest.admit(&house.door()), Err(Trouble::SourceDisabled));

    let mut settings = Settings::preset(Preset::Segment);
    settings.users = Users::Directory;
    let house = House::new(Source { kind: Kind::Segment(Arc::new(settings)), ..source() }, 1 << 20, 1 << 20);
    assert_eq!(house.ingest.admit(&house.door()), Err(Trouble::DirectoryNotLoaded));

    let house = House::new(Source { priority: Priority::Low, ..source() }, 8000, 1 << 20);
    assert_eq!(house.ingest.admit(&house.door()), Ok(()));
    house.send(&GOOD.replace("\"u\"", &format!("\"{}\"", "u".repeat(3200)))).await.unwrap();
    assert_eq!(house.ingest.admit(&house.door()), Err(Trouble::ShedEarly));
}

/// What an operator reads of a source must not begin anew with each change of the settings.
#[tokio::test]
async fn totals_and_the_last_use_of_secrets_outlive_a_reload() {
    let key = |id: &str| Key::new(id.into(), &Secret::new(id.into()), Some(5));
    let with_keys =
        |ids: &[&str]| Source { keys: KeyRing::new(ids.iter().map(|id| key(id)).collect()), ..source() };
    let house = House::new(source(), 1 << 20, 1 << 20);
    house.registry.replace(vec![with_keys(&["a", "b"])], "v2".into());
    assert_eq!(house.door().secrets_last_used(), [None, None]);
    house.door().key_used(1, 7);
    house.registry.replace(vec![with_keys(&["b", "c"])], "v3".into());
    assert_eq!(house.door().secrets_last_used(), [Some(7), None], "by name, not by place");

    let mut opened = source();
    opened.keys = KeyRing::new(vec![Key::new("k".into(), &Secret::new("open".into()), None)]);
    house.registry.replace(vec![opened.clone()], "v4".into());
    house.send(&format!("[{GOOD}, 1, 2]")).await.unwrap();
    house.registry.replace(vec![opened], "v5".into());
    house.send(GOOD).await.unwrap();
    let outcomes = house.door().outcomes();
    assert_eq!((outcomes.committed, outcomes.refused, outcomes.total()), (2, 2, 4));
    assert_eq!(house.door().paths(), ["/v1/segment/s", "/hook"]);
}

#[test]
fn a_reload_keeps_what_a_source_remembers_and_forgets_removed_ones() {
    let registry = Registry::new(vec![source()], "v1".into());
    let before = Arc::clone(registry.doors().find("/hook").unwrap());
    registry.replace(vec![Source { paths: Vec::new(), ..source() }], "v2".into());
    let doors = registry.doors();
    assert!(doors.find("/hook").is_none());
    assert!(Arc::ptr_eq(&before.state, &doors.find("/v1/segment/s").unwrap().state));
    assert_eq!(&*doors.config_version, "v2");
}

mod streams {
    use std::io::Read;

    use tokio::runtime::Handle;

    use super::*;
    use crate::{
        ingest::{
            answer::{StreamAnswer, StreamEnd},
            stream::StreamDelivery,
            tally::Outcomes,
        },
        sources::bof::{self, metadata::Metadata},
    };

    fn bof_source() -> Source {
        Source {
            kind: Kind::Bof(Arc::new(bof::Settings::default())),
            limits: Limits { record_bytes: 8 << 10, ..Limits::streamed() },
            ..source()
        }
    }

    fn record(auction: usize, padding: usize) -> String {
        let padding = "x".repeat(padding);
        format!(
            r#"{{"AuctionId":{auction},"ExchangeId":"9","ChannelType":"VIDEO","Body":{{"imp":[]}},"p":"{padding}"}}"#
        )
    }

    async fn send(house: &House, input: impl Read + Send + 'static) -> StreamAnswer {
        let door = Arc::clone(house.registry.doors().find("/v1/bof/s").unwrap());
        let Kind::Bof(settings) = &door.source.kind else { panic!("{:?}", door.source.kind) };
        let raw = RawDelivery {
            source: Arc::clone(&door.source),
            method: "POST".into(),
            path: "/v1/bof/s".into(),
            host: "h".into(),
            content_type: String::new(),
            signature: None,
            received_at: 1_700_000_000_000_000,
        };
        let stream = StreamDelivery {
            delivery: raw.authenticate(Some("key=open")).unwrap(),
            settings: Arc::clone(settings),
            door,
            data_center: Some("ewr".into()),
            metadata: Metadata::default(),
            config_version: "v1".into(),
        };
        let (ingest, runtime) = (Arc::clone(&house.ingest), Handle::current());
        tokio::task::spawn_blocking(move || ingest.take_stream(&stream, &runtime, input)).await.unwrap()
    }

    #[tokio::test]
    async fn every_record_has_its_fate_and_what_is_taken_is_durable() {
        let house = House::new(bof_source(), 64 << 20, 1 << 20);
        // Many chunks, a duplicate, one that lacks its auction id, one over the limit of a record.
        let mut lines: Vec<String> = (0..3000).map(|auction| record(auction, 1000)).collect();
        lines.extend([record(7, 0), r#"{"ChannelType":"VIDEO"}"#.into(), record(1, 9000), record(3000, 0)]);
        let answer = send(&house, std::io::Cursor::new(lines.join("\n"))).await;
        assert!(matches!(answer.end, StreamEnd::Complete), "{answer:?}");
        let want = Outcomes { committed: 3001, duplicate: 1, refused: 2, ..Outcomes::default() };
        assert_eq!(answer.counts, want);
        let (events, refusals) = house.durable();
        assert_eq!((events.len(), refusals.len()), (3002, 2), "duplicates are the lane's to remove");
        assert_eq!(events[0].event_id(), answer.receipt.unwrap().element(0));
        assert_eq!(refusals[0].rule, "auction_id.missing");
        assert_eq!(
            (refusals[1].rule.as_str(), refusals[1].body.len(), refusals[1].truncated),
            ("record.too_large", 1024, true)
        );
    }

    #[tokio::test]
    async fn what_came_before_a_break_stays_and_the_rest_is_one_refusal() {
        let house = House::new(bof_source(), 1 << 20, 1 << 20);
        let text = format!("[{},{},{{\"AuctionId\": \"x, {}]", record(1, 0), record(2, 0), record(3, 0));
        let answer = send(&house, std::io::Cursor::new(text)).await;
        assert!(
            matches!(&answer.end, StreamEnd::Broken(breach) if breach.rule.id == "delivery.malformed"),
            "{answer:?}"
        );
        assert_eq!((answer.counts.committed, answer.counts.refused), (2, 1));
        let (events, refusals) = house.durable();
        assert_eq!((events.len(), refusals.len()), (2, 1));
        assert!(refusals[0].body.ends_with(b"]"));
    }

    #[tokio::test]
    async fn a_sender_that_leaves_takes_back_nothing() {
        struct Leaves(std::io::Cursor<String>);
        impl Read for Leaves {
            fn read(&mut self, output: &mut [u8]) -> std::io::Result<usize> {
                match self.0.read(output)? {
                    0 => Err(std::io::ErrorKind::ConnectionReset.into()),
                    read => Ok(read),
                }
            }
        }
        let house = House::new(bof_source(), 1 << 20, 1 << 20);
        let answer =
            send(&house, Leaves(std::io::Cursor::new(format!("{}\n{}\n{{", record(1, 0), record(2, 0)))))
                .await;
        assert!(matches!(answer.end, StreamEnd::Input(_)), "{answer:?}");
        assert_eq!((answer.counts.committed, answer.counts.refused, house.durable().0.len()), (2, 0, 2));
    }

    #[tokio::test]
    async fn records_that_find_no_room_are_counted_as_shed() {
        let house = House::new(bof_source(), 1 << 20, 1 << 20);
        let lines: Vec<String> = (0..2000).map(|auction| record(auction, 1000)).collect();
        let answer = send(&house, std::io::Cursor::new(lines.join("\n"))).await;
        assert!(matches!(answer.end, StreamEnd::Unavailable(Trouble::SpoolFull)), "{answer:?}");
        assert!(answer.counts.shed > 0 && answer.counts.committed > 0, "{:?}", answer.counts);
        assert_eq!(house.durable().0.len() as u64, answer.counts.committed);
    }
}
