//! Whatever an operator, a sender, lanes and crashes do in whatever order: nothing is lost, and nothing is stored twice.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::{
    event, everything,
    house::{House, lenient, source, strict},
};
use crate::{
    database::testing::TestDatabase,
    store::refusals::{RefusalState, find},
};

#[derive(Clone, Debug)]
enum Step {
    /// A delivery with these keys; a key comes with several contents. None is no key.
    Send(Vec<(Option<u8>, bool)>),
    Settings {
        is_strict: bool,
    },
    Drain,
    Replay,
    ReplayTwiceAtOnce,
    AppendAndCrash,
}

fn step() -> impl Strategy<Value = Step> {
    let element = (prop::option::weighted(0.7, 0u8..4), any::<bool>());
    prop_oneof![
        3 => proptest::collection::vec(element, 1..4).prop_map(Step::Send),
        2 => any::<bool>().prop_map(|is_strict| Step::Settings { is_strict }),
        2 => Just(Step::Drain),
        1 => Just(Step::Replay),
        1 => Just(Step::ReplayTwiceAtOnce),
        1 => Just(Step::AppendAndCrash),
    ]
}

async fn run(steps: Vec<Step>) {
    let database = TestDatabase::sqlite();
    let house = House::new(&database, vec![source(strict())]).await;
    let (mut keyless, mut keys, mut sent) = (0, BTreeSet::new(), 0);
    for step in steps {
        match step {
            Step::Send(elements) => {
                let mut bodies = Vec::new();
                for (key, is_integer) in elements {
                    sent += 1;
                    let user = if is_integer { format!("{sent}") } else { format!("u{sent}") };
                    bodies.push(match key {
                        Some(key) => event(&format!("k{key}"), &user),
                        None => event("", &user),
                    });
                    keys.extend(key.map(|key| format!("k{key}")));
                    keyless += u64::from(key.is_none());
                }
                house.send(&format!("[{}]", bodies.join(","))).await;
            }
            Step::Settings { is_strict } => {
                house.settings(vec![source(if is_strict { strict() } else { lenient() })]);
            }
            Step::Drain => house.drain().await,
            Step::Replay => drop(house.replay(&everything()).await),
            Step::ReplayTwiceAtOnce => {
                let other = house.another_server();
                let request = everything();
                let (one, two) = tokio::join!(house.replay.run(&request), other.run(&request));
                assert!(one.is_ok() && two.is_ok());
            }
            Step::AppendAndCrash => house.append_without_marking().await,
        }
    }
    house.settings(vec![source(lenient())]);
    for _ in 0..2 {
        house.drain().await;
        house.replay(&everything()).await;
    }
    house.drain().await;
    all_is_there_once(&house, keyless, &keys).await;
}

async fn all_is_there_once(house: &House, keyless: u64, keys: &BTreeSet<String>) {
    let mut by_key: BTreeMap<Option<String>, u64> = BTreeMap::new();
    let mut users = BTreeSet::new();
    for event in house.events().await {
        assert!(users.insert(event.user_id.clone()), "the same event twice: {event:?}");
        *by_key.entry(event.dedup_key).or_default() += 1;
    }
    assert_eq!(by_key.remove(&None).unwrap_or_default(), keyless, "each event without a key is stored");
    let stored: BTreeSet<_> = by_key.keys().flatten().cloned().collect();
    assert_eq!(&stored, keys, "of each key one event is stored");
    assert!(by_key.values().all(|count| *count == 1));
    for refusal in house.refusals().await {
        let (_, body) = find(&house.database, refusal.refusal_id).await.unwrap().unwrap();
        assert!(!body.is_empty(), "no refusal loses its bytes");
        let is_conflict = refusal.rule == "dedup.conflict";
        assert!(is_conflict || refusal.state == RefusalState::Replayed, "{refusal:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_is_lost_and_nothing_is_stored_twice(steps in proptest::collection::vec(step(), 1..20)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(run(steps));
    }
}
