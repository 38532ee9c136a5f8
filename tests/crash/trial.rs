//! One proof: kills at random moments, and in the end the verdict.

use std::{
    env,
    io::{self, Write as _},
    os::unix::process::ExitStatusExt as _,
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{
    client::Connection,
    collector::Collector,
    load::{Afterwards, Delivery, Load},
    oracle::{Allowance, Oracle, Verdict},
    payload::Element,
    storage::Storage,
};

/// The signal that cannot be caught.
const SIGKILL: i32 = 9;

/// Sets the seed.
const SEED: &str = "TIDEGATE_CRASH_SEED";

/// When a loaded process is killed, in milliseconds from its start.
const UNDER_LOAD_MS: std::ops::Range<u64> = 10..350;

/// When a process is killed that was only just launched: it takes a few milliseconds to come up.
const AT_START_MS: std::ops::Range<u64> = 0..12;

/// When a process is killed that was told to stop.
const WHILE_STOPPING_MS: std::ops::Range<u64> = 0..60;

/// How long the lanes may take for what is left in the spools.
const DRAINED_WITHIN: Duration = Duration::from_mins(1);

/// How often storage is looked at meanwhile.
const LOOKS_EVERY: Duration = Duration::from_millis(50);

/// How many breaches are told; the first few are what one looks at.
const BREACHES_TOLD: usize = 10;

/// A proof under way.
pub(crate) struct Trial {
    name: &'static str,
    pub(crate) storage: Storage,
    seed: u64,
    pub(crate) oracle: Arc<Oracle>,
    pub(crate) rng: fastrand::Rng,
    pub(crate) kills: usize,
}

impl Trial {
    pub(crate) fn new(name: &'static str, storage: Storage) -> Self {
        let seed = env::var(SEED).map_or_else(|_| fastrand::u64(..), |seed| seed.parse().unwrap());
        say(&format!("crash proof of {name}: {SEED}={seed}"));
        let rng = fastrand::Rng::with_seed(seed);
        Self { name, storage, seed, oracle: Arc::default(), rng, kills: 0 }
    }

    /// Ends the load, lets the lanes deliver what is left, stops in order, and compares storage with the ledger.
    pub(crate) async fn verdict(self, mut collectors: Vec<(Collector, Load)>) {
        let verdict = self.judge(&mut collectors, &Allowance::default()).await;
        self.tell(&verdict);
        assert!(verdict.cut_off > 0, "no kill hit a request in flight: the run is invalid");
        assert!(verdict.acked > 0, "nothing was acknowledged: the run is invalid");
        let told: Vec<_> = verdict.breaches.iter().take(BREACHES_TOLD).map(String::as_str).collect();
        let (breaches, seed) = (verdict.breaches.len(), self.seed);
        assert!(told.is_empty(), "{breaches} breaches of the promise (seed {seed}):\n{}", told.join("\n"));
        assert!(verdict.duplicates > 0, "nothing was sent twice: the run is invalid");
        self.storage.remove().await;
    }

    /// [`Self::verdict`] without its consequences.
    pub(crate) async fn judge(&self, collectors: &mut [(Collector, Load)], allowance: &Allowance) -> Verdict {
        for (collector, load) in &mut *collectors {
            load.finish().await;
            let probe = self.probe(collector).await;
            self.wait_for(probe).await;
            assert_eq!(collector.stop().await.code(), Some(0), "a graceful stop with nothing left to do");
        }
        let stored = self.storage.read().await;
        // What nobody sent has no content that would be right.
        let content = |element: Option<Element>| element.unwrap_or(Element(0)).content();
        let contents = stored.events.iter().map(|row| content(row.element)).collect();
        let contents = self.storage.unaltered(contents).await;
        self.oracle.judge(&stored, &contents, collectors.len(), allowance)
    }

    /// The first event after the last start. A lane keeps the order of its spool: when this one is stored, everything
    /// before it is settled.
    pub(crate) async fn probe(&self, collector: &mut Collector) -> Element {
        let mut connection = Connection::open(collector.start().await).await.unwrap();
        let probe = Delivery::probe(&self.oracle);
        let sent = probe.send(&self.oracle, &mut connection).await;
        assert_eq!(sent, Afterwards::Next, "the probe was to be answered");
        probe.element()
    }

    pub(crate) async fn wait_for(&self, probe: Element) {
        let started = Instant::now();
        while !self.storage.has(probe).await {
            assert!(started.elapsed() < DRAINED_WITHIN, "the lane has not drained within {DRAINED_WITHIN:?}");
            sleep(LOOKS_EVERY).await;
        }
    }

    pub(crate) fn tell(&self, verdict: &Verdict) {
        let Verdict {
            cut_off, turned_away, sent, acked, stored, duplicates, lost, invented, refusals, ..
        } = verdict;
        say(&format!(
            "| {:<24} | kills {:>3} | cut off in flight {cut_off:>4} | turned away {turned_away} | sent {sent:>6} | acked {acked:>6} \
             | stored {stored:>6} | duplicates {duplicates:>5} | lost {lost} | invented {invented} \
             | refusals {refusals:>5} |",
            self.name, self.kills,
        ));
    }
}

/// Starts the collector, loads it and kills it, again and again; every fifth time while it comes up. Returns how
/// many times it was killed.
pub(crate) async fn kill_under_load(
    collector: &mut Collector,
    load: &Load,
    mut rng: fastrand::Rng,
    kills: usize,
) -> usize {
    for kill in 0..kills {
        let at_start = kill % 5 == 4;
        if at_start {
            collector.launch();
            moment(&mut rng, AT_START_MS).await;
        } else {
            load.open(collector.start().await);
            moment(&mut rng, UNDER_LOAD_MS).await;
        }
        load.close();
        assert_eq!(collector.kill().signal(), Some(SIGKILL), "the process had ended by itself");
    }
    kills
}

/// Starts the collector, loads it, tells it to stop, and kills it if it is still there a moment later. Returns how many
/// times it was.
pub(crate) async fn kill_while_stopping(
    collector: &mut Collector,
    load: &Load,
    mut rng: fastrand::Rng,
    stops: usize,
) -> usize {
    let mut kills = 0;
    for _ in 0..stops {
        load.open(collector.start().await);
        moment(&mut rng, UNDER_LOAD_MS).await;
        load.close();
        collector.terminate();
        moment(&mut rng, WHILE_STOPPING_MS).await;
        let ended = collector.kill();
        assert!(
            ended.signal() == Some(SIGKILL) || ended.code() == Some(0),
            "a stop that came to its end: {ended}"
        );
        kills += usize::from(ended.code().is_none());
    }
    kills
}

/// Sleeps. Nothing waits for anything by this: the random moment of the kill is what is being tried.
pub(crate) async fn moment(rng: &mut fastrand::Rng, range_ms: std::ops::Range<u64>) {
    sleep(Duration::from_millis(rng.u64(range_ms))).await;
}

/// Writes a line that the test runner does not keep to itself: the summary is what the proof is run for.
pub(crate) fn say(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
