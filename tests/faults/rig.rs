//! A trial, a collector and its load, held together while a fault is played.

use std::{
    fs,
    net::SocketAddr,
    path::Path,
    process::{Command, ExitStatus},
    time::{Duration, Instant},
};

use tokio::time::sleep;

use crate::{
    cases::Context,
    client::Connection,
    collector::Collector,
    load::{Afterwards, Delivery, Load},
    oracle::Allowance,
    report::Finding,
    storage::Storage,
    trial::Trial,
};

/// Longer than anything takes on a busy machine, a lane's longest wait included.
pub(crate) const PATIENCE: Duration = Duration::from_secs(100);

/// How long a sender rests after an answer: what piles up while a fault lasts has to be delivered afterwards.
const REST: Duration = Duration::from_millis(20);

const LOOKS_EVERY: Duration = Duration::from_millis(10);

/// One fault's stage.
pub(crate) struct Rig {
    pub(crate) trial: Trial,
    pub(crate) collector: Collector,
    pub(crate) load: Load,
}

impl Rig {
    /// Stores in SQLite, in the data directory.
    pub(crate) fn sqlite(name: &'static str, context: &Context) -> Self {
        let mut collector = Collector::new(None);
        collector.program.clone_from(&context.program);
        let storage = Storage::sqlite(collector.database());
        Self::new(name, collector, storage)
    }

    /// As [`Self::sqlite`], with its data beneath this directory.
    pub(crate) fn sqlite_at(name: &'static str, context: &Context, directory: &Path) -> Self {
        let mut collector = Collector::new(None);
        collector.program.clone_from(&context.program);
        collector.data = directory.join("data");
        // Small file systems never have the default to spare.
        collector.variables.push(("TIDEGATE_SPOOL__MIN_FREE", "1KiB".into()));
        let storage = Storage::sqlite(collector.database());
        Self::new(name, collector, storage)
    }

    /// Stores in a database of its own.
    pub(crate) async fn postgres(name: &'static str, context: &Context) -> Self {
        let storage = Storage::postgres_at(context.server().url()).await;
        let mut collector = Collector::new(storage.url());
        collector.program.clone_from(&context.program);
        Self::new(name, collector, storage)
    }

    fn new(name: &'static str, collector: Collector, storage: Storage) -> Self {
        let mut trial = Trial::new(name, storage);
        let load = Load::start(&trial.oracle, trial.rng.fork(), REST);
        Self { trial, collector, load }
    }

    /// Starts the collector and lets the load in.
    pub(crate) async fn start(&mut self) -> SocketAddr {
        let address = self.collector.start().await;
        self.load.open(address);
        address
    }

    /// Waits until so many more elements were answered.
    pub(crate) async fn answers(&self, more: usize) {
        let due = self.trial.oracle.answered_count() + more;
        until("answers to the load", || async { self.trial.oracle.answered_count() >= due }).await;
    }

    /// Waits until so many more requests were answered 503.
    pub(crate) async fn turns_away(&self, more: usize) {
        let due = self.trial.oracle.turned_away_count() + more;
        until("requests turned away", || async { self.trial.oracle.turned_away_count() >= due }).await;
    }

    /// Waits until the collector's log holds these words once more than it did at `mark`.
    pub(crate) async fn logs(&self, words: &str, mark: usize) {
        until(words, || async { self.collector.log_count(words) > mark }).await;
    }

    /// Waits until everything that was taken before is in storage.
    pub(crate) async fn delivers(&self) {
        self.delivers_within(PATIENCE).await;
    }

    /// [`Self::delivers`], for a lane that has much to do.
    pub(crate) async fn delivers_within(&self, patience: Duration) {
        let address = self.collector.running.as_ref().unwrap().address;
        let mut connection = Connection::open(address).await.unwrap();
        let probe = Delivery::probe(&self.trial.oracle);
        let sent = probe.send(&self.trial.oracle, &mut connection).await;
        assert_eq!(sent, Afterwards::Next, "the probe was to be answered");
        // A lane keeps the order of its spool.
        until_within(patience, "delivery", || async { self.trial.storage.has(probe.element()).await }).await;
    }

    /// Ends the process if there is one, lets the lanes deliver what is left, and compares.
    pub(crate) async fn judge(self, fired: usize, note: impl Into<String>) -> Finding {
        self.judge_allowing(fired, note, &Allowance::default()).await
    }

    /// [`Self::judge`], where the fault may cost something.
    pub(crate) async fn judge_allowing(
        mut self,
        fired: usize,
        note: impl Into<String>,
        allowance: &Allowance,
    ) -> Finding {
        if self.collector.running.is_some() {
            // By itself, without the help of a restart.
            self.delivers().await;
            self.load.close();
            let ended = self.collector.stop().await;
            assert_eq!(ended.code(), Some(0), "a graceful stop");
        }
        self.load.close();
        let mut pair = [(self.collector, self.load)];
        let verdict = self.trial.judge(&mut pair, allowance).await;
        self.trial.tell(&verdict);
        self.trial.storage.remove().await;
        Finding { fired, verdict, note: note.into() }
    }
}

impl Collector {
    /// The process at work.
    pub(crate) fn process(&self) -> u32 {
        self.running.as_ref().unwrap().process.id()
    }

    /// Sends the process a signal.
    pub(crate) fn signal(&self, signal: &str) {
        run("kill", &["-s", signal, &self.process().to_string()]);
    }

    /// Stops the process where it stands, and waits until all of it does.
    pub(crate) async fn freeze(&self) {
        self.signal("STOP");
        let tasks = format!("/proc/{}/task", self.process());
        until("a stopped process", || async {
            fs::read_dir(&tasks).unwrap().all(|task| {
                let status = fs::read_to_string(task.unwrap().path().join("stat"));
                status.is_ok_and(|status| status.rsplit_once(')').unwrap().1.starts_with(" T"))
            })
        })
        .await;
    }

    /// Waits until the process ends by itself.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let process = &mut self.running.as_mut().unwrap().process;
        let ends_at = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = process.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < ends_at, "the process goes on");
            sleep(LOOKS_EVERY).await;
        };
        self.running = None;
        status
    }

    /// Starts the process, which is to end before it listens.
    pub(crate) async fn refuses_to_start(&mut self) -> ExitStatus {
        let _ = self.spawn();
        self.ended().await
    }

    /// The status that a path is answered with.
    pub(crate) async fn status_of(&self, path: &str) -> u16 {
        let address = self.running.as_ref().unwrap().address;
        let mut connection = Connection::open(address).await.unwrap();
        connection.request("GET", path, "").await.unwrap().status
    }

    /// How often the log holds these words.
    pub(crate) fn log_count(&self, words: &str) -> usize {
        fs::read_to_string(self.log()).unwrap().matches(words).count()
    }
}

/// Asks until the answer is yes.
pub(crate) async fn until<Answer: Future<Output = bool>>(what: &str, ask: impl FnMut() -> Answer) {
    until_within(PATIENCE, what, ask).await;
}

/// [`until`], for what may take longer.
pub(crate) async fn until_within<Answer: Future<Output = bool>>(
    patience: Duration,
    what: &str,
    mut ask: impl FnMut() -> Answer,
) {
    let ends_at = Instant::now() + patience;
    while !ask().await {
        assert!(Instant::now() < ends_at, "waited in vain: {what}");
        sleep(LOOKS_EVERY).await;
    }
}

/// Runs a command that must succeed.
pub(crate) fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {}: {said}", arguments.join(" "));
}
