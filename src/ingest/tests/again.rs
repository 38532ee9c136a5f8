//! Refusals judged again and bodies explained, against what acceptance itself makes of the same bytes.

use std::io::Cursor;

use proptest::prelude::*;
use tokio::runtime::{Handle, Runtime};

use super::*;
use crate::{
    ingest::{
        again::{Again, Unfit},
        answer::StreamAnswer,
        explain::{ExplainError, Sample},
        judging::{Fate, Judged},
        stream::StreamDelivery,
    },
    sources::{
        bof::{self, consumer, metadata::Metadata},
        rule::{self, Rule},
        segment::{Allowlist, EventTypeFrom, Required, field::FieldPath},
        witness::{Transcript, Verdict},
    },
};

const RECEIVED_AT: i64 = 1_700_000_000_000_000;

fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn of_kind(kind: Kind) -> Source {
    let limits =
        Limits { depth: 4, decoded_bytes: 4096, batch_events: 4, record_bytes: 512, ..Limits::default() };
    Source { limits, kind, ..source() }
}

/// Settings that differ in everything that decides about an event.
fn segment_settings() -> impl Strategy<Value = Settings> {
    let required = proptest::sample::subsequence(
        vec![
            Required::User,
            Required::UserOrAnonymous,
            Required::Timestamp,
            Required::ReceivedAt,
            Required::EventType,
        ],
        0..=5,
    );
    let allowed =
        || prop::option::of(proptest::sample::subsequence(vec!["web".to_owned(), "track".to_owned()], 0..=2));
    (any::<(bool, bool, bool)>(), required, allowed(), allowed()).prop_map(
        |((is_edx, is_integer, is_call), required, channels, actions)| {
            let preset = if is_edx { Preset::Edx } else { Preset::Segment };
            let event_type_from = match is_call {
                true => EventTypeFrom::Call,
                false => {
                    EventTypeFrom::Fields(vec![FieldPath::properties("event_type"), FieldPath::root("event")])
                }
            };
            Settings {
                required,
                event_type_from,
                users: if is_integer { Users::Integer } else { Users::Any },
                allowed_channels: channels.map(Allowlist::new),
                allowed_actions: actions.map(Allowlist::new),
                ..Settings::preset(preset)
            }
        },
    )
}

/// Members that mostly are there, and mostly have the first of their values, which is right: what is wrong everywhere
/// would be refused for the first of its mistakes, and never be an event. A member whose first value is blank is rare.
fn members(fields: Vec<(&'static str, Vec<&'static str>)>) -> impl Strategy<Value = String> {
    let member = |(name, values): (&'static str, Vec<&'static str>)| {
        let right = values[0];
        let values = prop_oneof![9 => Just(right), 1 => proptest::sample::select(values)];
        prop::option::weighted(0.95, values).prop_map(move |value| {
            value.filter(|value| !value.is_empty()).map(|value| format!("\"{name}\":{value}"))
        })
    };
    let members: Vec<_> = fields.into_iter().map(member).collect();
    members.prop_map(|members| format!("{{{}}}", members.into_iter().flatten().collect::<Vec<_>>().join(",")))
}

fn segment_element() -> impl Strategy<Value = String> {
    let time = r#""2026-01-02T03:04:05.123456789Z""#;
    let event = members(vec![
        ("type", vec![r#""track""#, r#""page""#, "null", "7"]),
        ("event", vec![r#""Hello""#, r#""""#, "{}"]),
        ("channel", vec![r#""web""#, r#""server""#, "[]"]),
        ("userId", vec!["7", r#"" 8 ""#, r#""u""#, "true", r#""""#]),
        ("anonymousId", vec![r#""a""#]),
        ("messageId", vec![r#""m1""#, r#""m2""#, "{}"]),
        ("timestamp", vec![time, r#""never""#, "null"]),
        ("receivedAt", vec![time, "0"]),
        ("context", vec![r#"{"userAgent":"\u0000"}"#, "1"]),
        (
            "properties",
            vec![r#"{"event_type":"t","context":{"a":[1.0]}}"#, r#"{"event_type":3,"context":7}"#, "[]"],
        ),
        ("x", vec!["", "1e999", "[[[[[[1]]]]]]"]),
    ]);
    prop_oneof![8 => event, 1 => Just("7".to_owned()), 1 => Just("{]".to_owned())]
}

fn segment_body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        3 => segment_element().prop_map(String::into_bytes),
        3 => proptest::collection::vec(segment_element(), 0..6)
            .prop_map(|elements| format!("[{}]", elements.join(",")).into_bytes()),
        1 => Just(Vec::new()),
        1 => Just(b"\xff{}".to_vec()),
    ]
}

fn bof_settings() -> impl Strategy<Value = bof::Settings> {
    (any::<[bool; 6]>(), 0u32..3).prop_map(|([auction, channel, zero, drop, filter, deals], rate)| {
        let mut settings = bof::Settings::default();
        settings.required.auction_id = auction;
        settings.required.channel_type = channel;
        settings.consumer.drop_zero_uid = zero;
        settings.consumer.drop_body = drop;
        let some = |ids: &[&str]| Some(ids.iter().map(|id| (*id).to_owned()).collect());
        settings.consumer.filters.geo_ids = some(&["60231"]).filter(|_| filter);
        settings.consumer.filters.deal_ids = some(&["D1"]).filter(|_| deals);
        settings.consumer.sampling = consumer::Sampling::percent(f64::from(rate) * 50.0).unwrap();
        settings
    })
}

fn bof_record() -> impl Strategy<Value = String> {
    let record = members(vec![
        ("AuctionId", vec!["1", r#""2""#, "{}", "3"]),
        ("ExchangeId", vec!["15"]),
        ("ChannelType", vec![r#""VIDEO""#, r#""""#]),
        ("Geo", vec!["60231", "1"]),
        ("DealIds", vec![r#"["D1"]"#, r#""D2""#]),
        ("MMUUID", vec![r#""u""#, "0"]),
        ("Body", vec![r#"{"imp":[]}"#, r#""{\"imp\":[{}]}""#, r#""{\"a\":[[[[[]]]]]}""#, "7"]),
        ("x", vec!["", "1e999", "[[[[[[1]]]]]]", r#""\u0000""#]),
    ]);
    prop_oneof![8 => record, 1 => Just("{\"a\":}".to_owned()), 1 => Just(format!("{{\"a\":\"{}\"}}", "x".repeat(600)))]
}

/// Records that are split; with something behind them that is none.
fn bof_body() -> impl Strategy<Value = Vec<u8>> {
    let end = prop_oneof![4 => Just(""), 1 => Just("]"), 1 => Just("{\"AuctionId\": \"x")];
    (proptest::collection::vec(bof_record(), 0..6), end)
        .prop_map(|(records, end)| (records.join("\n") + end).into_bytes())
}

fn metadata() -> impl Strategy<Value = Metadata> {
    let header = |name, values: Vec<&'static str>| {
        prop::option::of(proptest::sample::select(values).prop_map(move |value| (name, value)))
    };
    [
        header("X-Mm-Channel-Type", vec!["VIDEO"]),
        header("x-mm-geo", vec!["60231", "2"]),
        header("X-MM-Deal-Id", vec!["D1, D3"]),
        header("X-Mm-Zone", vec!["z"]),
    ]
    .prop_map(|headers| {
        Metadata::new(headers.iter().flatten().map(|(name, value)| (*name, value.as_bytes())))
    })
}

impl House {
    /// What acceptance makes of a body.
    async fn take(&self, body: &[u8], metadata: &Metadata, data_center: Option<&str>) -> Result<(), Turned> {
        let door = Arc::clone(self.registry.doors().named("s").unwrap());
        match &door.source.kind {
            Kind::Segment(_) => {
                let bytes = Bytes::copy_from_slice(body);
                let content = Content::Decoded(Encoding::Identity, bytes.clone());
                self.send_body(DeliveryBody { wire: bytes, content }, None).await.map(drop)
            }
            Kind::Bof(settings) => {
                let path = data_center.map_or("/v1/bof/s".into(), |name| format!("/v1/bof/s/{name}"));
                let delivery = RawDelivery {
                    source: Arc::clone(&door.source),
                    method: "POST".into(),
                    path,
                    host: "h".into(),
                    content_type: "text/plain".into(),
                    signature: None,
                    received_at: RECEIVED_AT,
                };
                let stream = StreamDelivery {
                    delivery: delivery.authenticate(Some("key=open")).unwrap(),
                    settings: Arc::clone(settings),
                    data_center: data_center.map(str::to_owned),
                    metadata: metadata.clone(),
                    config_version: "v1".into(),
                    door,
                };
                let (ingest, body) = (Arc::clone(&self.ingest), body.to_vec());
                let runtime = Handle::current();
                let taking = move || ingest.take_stream(&stream, &runtime, Cursor::new(body));
                let _answer: StreamAnswer = tokio::task::spawn_blocking(taking).await.unwrap();
                Ok(())
            }
        }
    }

    fn again(&self, refusal: &Refusal) -> Again {
        self.ingest.judge_again(&self.registry.doors(), refusal).unwrap()
    }

    fn explain(&self, body: &[u8], metadata: &Metadata) -> Result<Vec<Judged<Transcript>>, ExplainError> {
        let doors = self.registry.doors();
        let sample = Sample {
            host: "h".into(),
            content_encoding: None,
            metadata: metadata.clone(),
            received_at: RECEIVED_AT,
            body: Bytes::copy_from_slice(body),
        };
        self.ingest.explain(doors.named("s").unwrap(), &sample)
    }
}

fn without_id(mut event: Event) -> Event {
    event.set_event_id(uuid::Uuid::nil());
    event
}

/// What acceptance makes of one body by these settings: the events, and the rules of the refusals.
async fn accepted(kind: &Kind, body: &[u8], metadata: &Metadata) -> (Vec<Event>, Vec<String>) {
    let house = House::new(of_kind(kind.clone()), 1 << 20, 1 << 20);
    house.take(body, metadata, Some("ewr")).await.unwrap();
    let (events, refusals) = house.durable();
    (events.into_iter().map(without_id).collect(), refusals.into_iter().map(|refusal| refusal.rule).collect())
}

/// Whatever was refused by one kind of settings, judged again by another, is what the other makes of it at once.
async fn a_replay_is_as_good_as_an_acceptance(before: Kind, after: Kind, body: &[u8], metadata: &Metadata) {
    let house = House::new(of_kind(before), 1 << 20, 1 << 20);
    if house.take(body, metadata, Some("ewr")).await.is_err() {
        return;
    }
    let (_, refusals) = house.durable();
    house.registry.replace(vec![of_kind(after.clone())], "v2".into());
    for refusal in refusals {
        let fates = match house.again(&refusal) {
            Again::Judged(fates) => fates,
            again => {
                assert!(
                    refusal.truncated && again == Again::Unfit(Unfit::Truncated),
                    "{again:?} of {refusal:?}"
                );
                continue;
            }
        };
        let (want_events, want_rules) = accepted(&after, &refusal.body, metadata).await;
        let (mut events, mut rules) = (Vec::new(), Vec::new());
        for (index, fate) in (0u128..).zip(fates) {
            match fate {
                Fate::Event(event) => {
                    assert_eq!(event.event_id().as_u128(), refusal.refusal_id().as_u128() + index);
                    events.push(without_id(*event));
                }
                Fate::Refused(breach) => rules.push(breach.rule.id),
                Fate::Ignored(_) | Fate::Filtered(_) | Fate::SampledOut => {}
            }
        }
        assert_eq!(
            (&events, rules),
            (&want_events, want_rules.iter().map(String::as_str).collect()),
            "{refusal:?}"
        );
    }
}

/// What is explained is what happens, and the verdicts lead to it.
async fn an_explanation_is_what_happens(kind: Kind, body: &[u8], metadata: &Metadata) {
    let rules = kind.rules();
    let house = House::new(of_kind(kind.clone()), 1 << 20, 1 << 20);
    let explained = house.explain(body, metadata);
    assert_eq!(house.spool.end(), 0, "nothing is stored");
    let taken = house.take(body, metadata, None).await;
    let explained = match (taken, explained) {
        (Ok(()), Ok(explained)) => explained,
        (Err(Turned::TooLarge(limit)), Err(ExplainError::TooLarge(named))) => {
            return assert_eq!(limit, named);
        }
        (taken, explained) => panic!("{taken:?}, {explained:?}"),
    };
    let (events, refusals) = house.durable();
    let (mut events, mut refusals) = (events.into_iter(), refusals.into_iter());
    for Judged { fate, witness } in explained {
        let broken = match fate {
            Fate::Event(event) => {
                assert_eq!(*event, without_id(events.next().unwrap()));
                None
            }
            Fate::Refused(breach) => {
                let refusal = refusals.next().unwrap();
                assert_eq!((breach.rule.id, &breach.pointer), (refusal.rule.as_str(), &refusal.pointer));
                Some(breach.rule)
            }
            Fate::Ignored(breach) => Some(breach.rule),
            Fate::Filtered(rule) => Some(rule),
            Fate::SampledOut => Some(rule::SAMPLING),
        };
        verdicts_lead_to(rules, broken, &witness);
    }
    assert!(events.next().is_none() && refusals.next().is_none());
}

fn verdicts_lead_to(rules: &[Rule], broken: Option<Rule>, witness: &Transcript) {
    let places: Vec<_> =
        witness.heard_of().map(|rule| rules.iter().position(|known| *known == rule).unwrap()).collect();
    assert!(places.is_sorted() && places.windows(2).all(|pair| pair[0] < pair[1]), "{witness:?}");
    let verdicts = witness.verdicts(rules, broken);
    assert_eq!(verdicts.len(), rules.len());
    let first_broken = verdicts.iter().position(|(_, verdict)| *verdict == Verdict::Broken);
    assert_eq!(first_broken.map(|place| verdicts[place].0), broken, "{verdicts:?}");
    let (before, behind) = verdicts.split_at(first_broken.unwrap_or(verdicts.len()));
    for (rule, verdict) in before {
        // One pass looks for both, and stops at the first.
        let is_cut_short = *rule == rule::DEPTH && broken == Some(rule::NUMBER_RANGE);
        assert!(matches!(verdict, Verdict::Passed | Verdict::Off) || is_cut_short, "{rule:?}: {verdicts:?}");
    }
    assert!(behind.iter().skip(1).all(|(_, verdict)| *verdict == Verdict::NotReached), "{verdicts:?}");
}

fn kinds(settings: Settings) -> Kind {
    Kind::Segment(Arc::new(settings))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn refused_webhooks_become_what_they_would_be_now(
        before in segment_settings(),
        after in segment_settings(),
        body in segment_body(),
    ) {
        let (before, after) = (kinds(before), kinds(after));
        runtime().block_on(a_replay_is_as_good_as_an_acceptance(before, after, &body, &Metadata::default()));
    }

    #[test]
    fn refused_opportunities_become_what_they_would_be_now(
        before in bof_settings(),
        after in bof_settings(),
        body in bof_body(),
        metadata in metadata(),
    ) {
        let (before, after) = (Kind::Bof(Arc::new(before)), Kind::Bof(Arc::new(after)));
        runtime().block_on(a_replay_is_as_good_as_an_acceptance(before, after, &body, &metadata));
    }

    #[test]
    fn webhooks_are_explained_as_they_are_judged(settings in segment_settings(), body in segment_body()) {
        runtime().block_on(an_explanation_is_what_happens(kinds(settings), &body, &Metadata::default()));
    }

    #[test]
    fn opportunities_are_explained_as_they_are_judged(
        settings in bof_settings(),
        body in bof_body(),
        metadata in metadata(),
    ) {
        runtime().block_on(an_explanation_is_what_happens(Kind::Bof(Arc::new(settings)), &body, &metadata));
    }
}
