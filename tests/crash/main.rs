//! The crash proof: the real binary is loaded, killed with SIGKILL at random moments, and started again on the same
//! data directory, many times in a row. Afterwards storage must hold what the senders were told, and nothing else.
//!
//! | module | what it is |
//! |---|---|
//! | `payload` | every element that is ever sent, as a function of its number |
//! | `oracle` | who was told what, and whether storage agrees |
//! | `client` | one keep-alive connection |
//! | `load` | several of them, sending until told to stop |
//! | `collector` | the process that is killed |
//! | `storage` | what the database holds in the end |
//! | `trial` | one proof from its first start to its verdict |
//!
//! SIGKILL leaves the kernel and its caches alive: that an fsync came before the answer is for the spool's tests on a
//! simulated disk to show. Here it is that nothing between the socket and the table is lost or done twice.
//!
//! The moments are drawn from a seed, which is printed; `TIDEGATE_CRASH_SEED` sets it. What a sender gets to send
//! before the kill is up to the machine, so that a seed repeats the moments, but not the run.
//! PostgreSQL is the one that `TIDEGATE_TEST_POSTGRES` names (`scripts/with-postgres`).

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may, also in its helpers"
)]

mod client;
mod collector;
mod load;
mod oracle;
mod payload;
mod storage;
mod trial;

use std::time::Duration;

use collector::Collector;
use load::Load;
use storage::Storage;
use trial::Trial;

/// Senders send again as soon as they are answered.
const FULL_SPEED: Duration = Duration::ZERO;

/// A port that is reserved and that nobody listens on.
const NOBODY: &str = "postgres://nobody@127.0.0.1:1/nothing";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_holds_every_acknowledged_event_once_after_many_kills() {
    let mut collector = Collector::new(None);
    let mut trial = Trial::new("sqlite", Storage::sqlite(collector.database()));
    let load = Load::start(&trial.oracle, trial.rng.fork(), FULL_SPEED);
    trial.kills += trial::kill_under_load(&mut collector, &load, trial.rng.fork(), 40).await;
    trial.verdict(vec![(collector, load)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_holds_every_acknowledged_event_once_after_many_kills() {
    let storage = Storage::postgres().await;
    let mut collector = Collector::new(storage.url());
    let mut trial = Trial::new("postgres", storage);
    let load = Load::start(&trial.oracle, trial.rng.fork(), FULL_SPEED);
    trial.kills += trial::kill_under_load(&mut collector, &load, trial.rng.fork(), 40).await;
    trial.verdict(vec![(collector, load)]).await;
}

/// The spool alone carries what is sent while PostgreSQL cannot be reached, across kills.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_taken_while_the_sink_was_down_is_delivered_once_when_it_is_back() {
    let storage = Storage::postgres().await;
    let mut collector = Collector::new(storage.url());
    let mut trial = Trial::new("postgres, away and back", storage);
    let load = Load::start(&trial.oracle, trial.rng.fork(), FULL_SPEED);
    trial.kills += trial::kill_under_load(&mut collector, &load, trial.rng.fork(), 3).await;

    let back = collector.move_storage(Some(NOBODY.into()));
    let answered = trial.oracle.answered_count();
    trial.kills += trial::kill_under_load(&mut collector, &load, trial.rng.fork(), 6).await;
    assert!(
        trial.oracle.answered_count() > answered,
        "nothing was taken while the sink was down: the run is invalid"
    );
    assert_eq!(trial.oracle.turned_away_count(), 0, "senders were turned away because of the sink");

    collector.move_storage(back);
    trial.verdict(vec![(collector, load)]).await;
}

/// The second signal of an impatient supervisor.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_graceful_stop_that_is_cut_short_by_a_kill_loses_nothing() {
    let mut collector = Collector::new(None);
    let mut trial = Trial::new("sqlite, stopping", Storage::sqlite(collector.database()));
    let load = Load::start(&trial.oracle, trial.rng.fork(), FULL_SPEED);
    trial.kills += trial::kill_while_stopping(&mut collector, &load, trial.rng.fork(), 12).await;
    assert!(trial.kills > 0, "every stop was over before its kill: the run is invalid");
    trial.verdict(vec![(collector, load)]).await;
}

/// One database, one name of a source, the same messageIds through both.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_collectors_that_share_a_database_store_each_message_once() {
    let storage = Storage::postgres().await;
    let (mut one, mut other) = (Collector::new(storage.url()), Collector::new(storage.url()));
    let mut trial = Trial::new("postgres, two collectors", storage);
    let (at_one, at_other) = (
        Load::start(&trial.oracle, trial.rng.fork(), FULL_SPEED),
        Load::start(&trial.oracle, trial.rng.fork(), FULL_SPEED),
    );
    let (kills_of_one, kills_of_other) = tokio::join!(
        trial::kill_under_load(&mut one, &at_one, trial.rng.fork(), 10),
        trial::kill_under_load(&mut other, &at_other, trial.rng.fork(), 10),
    );
    trial.kills += kills_of_one + kills_of_other;
    trial.verdict(vec![(one, at_one), (other, at_other)]).await;
}
