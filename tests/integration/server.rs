//! Servers for tests: a directory with a settings file, and the processes that run in it.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use sqlx::{
    AssertSqlSafe, Connection as _, FromRow, SqliteConnection,
    sqlite::{SqliteConnectOptions, SqliteRow},
};
use tempfile::TempDir;
use tokio::runtime::Runtime;

use crate::client::{Answer, Request};

/// The secret of the source `web`.
pub(crate) const KEY: &str = "5dd1d0a5b1c54b0e9a2f7c3d8e6f4a1b";

/// Longer than anything takes, however busy the machine is.
const DEADLINE: Duration = Duration::from_mins(1);
const POLLED_EVERY: Duration = Duration::from_millis(10);

/// How often a start is tried: a port that was free a moment ago may be taken.
const STARTS: usize = 10;

/// A Segment source named `web` that opens to [`KEY`], with more settings of its own.
pub(crate) fn web(more: &str) -> String {
    source("web", &format!("secrets = [{{ id = \"k\", value = \"{KEY}\" }}]\n{more}"))
}

/// A Segment source.
pub(crate) fn source(name: &str, more: &str) -> String {
    format!("[[source]]\nname = \"{name}\"\nkind = \"segment\"\n{more}\n")
}

/// Settings of a database that nobody serves: no test and no other program is ever given port 1.
pub(crate) fn sink_down() -> String {
    "[storage]\nurl = \"postgres://nobody@127.0.0.1:1/nothing\"\n".into()
}

/// An event that a Segment source takes.
pub(crate) fn track(message_id: &str) -> String {
    format!(
        r#"{{"type":"track","event":"Ordered","userId":"u1","timestamp":"2026-01-31T12:00:00Z","messageId":"{message_id}"}}"#
    )
}

/// Asks until there is an answer.
#[track_caller]
pub(crate) fn until<T>(what: &str, mut ask: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(answer) = ask() {
            return answer;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        thread::sleep(POLLED_EVERY);
    }
}

/// A directory with a settings file, its data beneath it.
pub(crate) struct Site {
    directory: TempDir,
    environment: BTreeMap<String, String>,
}

impl Site {
    /// A directory with these settings.
    pub(crate) fn new(settings: &str) -> Self {
        let site = Self::empty();
        site.write_settings(settings);
        site
    }

    /// A directory with nothing in it.
    pub(crate) fn empty() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), environment: BTreeMap::new() }
    }

    /// Sets a variable for everything that runs here.
    pub(crate) fn with_variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        path
    }

    /// Replaces the settings; a running server sees them when it is told to reload.
    pub(crate) fn write_settings(&self, settings: &str) {
        self.write("tidegate.toml", &format!("data_dir = \"./data\"\n{settings}"));
    }

    /// A command in this directory, which finds `tidegate.toml` by itself and nothing of the environment of the tests.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tidegate"));
        command.args(arguments).current_dir(self.directory.path()).stdin(Stdio::null());
        command.env_clear().envs(&self.environment);
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Starts a server and waits until it is ready.
    pub(crate) fn start(&self) -> Server<'_> {
        self.start_with(&["serve"])
    }

    /// Starts a server by this command line and waits until it is ready. The addresses come by the environment, so
    /// that the settings stay as they are when a port is taken.
    pub(crate) fn start_with(&self, arguments: &[&str]) -> Server<'_> {
        for _ in 0..STARTS {
            let (collect, operate) = (free_address(), free_address());
            let mut server = self.spawn(arguments, collect, operate);
            let started = until("the server starts or ends", || match server.child.try_wait().unwrap() {
                Some(_) => Some(false),
                // The banner is this process's own word; the port alone could be answered by another.
                None => (server.out().contains("  collect  ") && server.is_ready()).then_some(true),
            });
            if started {
                return server;
            }
            assert!(server.log().contains("cannot listen on"), "the server did not start: {}", server.log());
        }
        panic!("no port stayed free in {STARTS} attempts");
    }

    /// Starts a server at these addresses and waits for nothing.
    pub(crate) fn spawn(&self, arguments: &[&str], collect: SocketAddr, operate: SocketAddr) -> Server<'_> {
        let output = |name| File::options().create(true).append(true).open(self.path(name)).unwrap();
        let child = self
            .command(arguments)
            .env("TIDEGATE_COLLECT__LISTEN", collect.to_string())
            .env("TIDEGATE_OPERATE__LISTEN", operate.to_string())
            .stdout(output("out"))
            .stderr(output("log"))
            .spawn()
            .unwrap();
        Server { site: self, child, collect, operate }
    }

    /// Rows of the SQLite database, which may belong to a running server.
    #[track_caller]
    pub(crate) fn rows<Row>(&self, sql: &str) -> Vec<Row>
    where
        Row: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
    {
        self.try_rows(sql).unwrap_or_else(|error| panic!("{sql}: {error}"))
    }

    /// The one row of a query.
    #[track_caller]
    pub(crate) fn row<Row>(&self, sql: &str) -> Row
    where
        Row: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
    {
        let mut rows = self.rows(sql);
        assert_eq!(rows.len(), 1, "{sql}");
        rows.remove(0)
    }

    /// Keeps everybody else from writing to the SQLite database until dropped.
    pub(crate) fn lock_database(&self) -> DatabaseLock {
        let runtime = runtime();
        let connection = runtime.block_on(async {
            let mut connection = self.connect().await.unwrap();
            sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
            connection
        });
        DatabaseLock { runtime, connection: Some(connection) }
    }

    /// Changes the SQLite database behind the server's back.
    pub(crate) fn execute(&self, sql: &str) {
        runtime().block_on(async {
            let mut connection = self.connect().await.unwrap();
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
            connection.close().await.unwrap();
        });
    }

    async fn connect(&self) -> Result<SqliteConnection, sqlx::Error> {
        let options =
            SqliteConnectOptions::new().filename(self.path("data/events.db")).busy_timeout(DEADLINE);
        SqliteConnection::connect_with(&options).await
    }

    fn try_rows<Row>(&self, sql: &str) -> Result<Vec<Row>, sqlx::Error>
    where
        Row: for<'r> FromRow<'r, SqliteRow> + Send + Unpin,
    {
        runtime().block_on(async {
            let mut connection = self.connect().await?;
            let rows = sqlx::query_as(AssertSqlSafe(sql)).fetch_all(&mut connection).await;
            connection.close().await?;
            rows
        })
    }

    /// Rows in a table; none while the table is not there yet.
    pub(crate) fn count(&self, table: &str) -> i64 {
        self.try_rows::<(i64,)>(&format!("SELECT count(*) FROM {table}")).map_or(0, |rows| rows[0].0)
    }

    /// Waits until a table holds so many rows, and insists that it never holds more.
    #[track_caller]
    pub(crate) fn wait_until_stored(&self, table: &str, rows: i64) {
        until(&format!("{rows} rows in {table}"), || {
            let found = self.count(table);
            assert!(found <= rows, "{found} rows in {table}, {rows} expected");
            (found == rows).then_some(())
        });
    }
}

/// What asks a database in a test that is not async.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

/// The write lock of a SQLite database.
pub(crate) struct DatabaseLock {
    runtime: Runtime,
    connection: Option<SqliteConnection>,
}

impl Drop for DatabaseLock {
    fn drop(&mut self) {
        // Closing rolls back.
        self.connection.take().map(|connection| self.runtime.block_on(connection.close()));
    }
}

/// A running server; killed when dropped.
pub(crate) struct Server<'s> {
    pub(crate) site: &'s Site,
    pub(crate) child: Child,
    pub(crate) collect: SocketAddr,
    pub(crate) operate: SocketAddr,
}

impl Server<'_> {
    /// Sends a request to the collect listener.
    #[track_caller]
    pub(crate) fn send(&self, request: &Request) -> Answer {
        request.send(self.collect).unwrap_or_else(|error| panic!("{error}; the log: {}", self.log()))
    }

    /// Posts to the source `web` with its key.
    #[track_caller]
    pub(crate) fn post(&self, body: impl Into<Vec<u8>>) -> Answer {
        self.send(&Request::post(&format!("/v1/segment/web?key={KEY}"), body))
    }

    /// Asks the operate listener.
    pub(crate) fn ask(&self, target: &str) -> io::Result<Answer> {
        Request::new("GET", target).send(self.operate)
    }

    fn is_ready(&self) -> bool {
        self.ask("/readyz").is_ok_and(|answer| answer.status == 200)
    }

    /// The metrics as they stand.
    #[track_caller]
    pub(crate) fn metrics(&self) -> Metrics {
        Metrics(self.ask("/metrics").unwrap().expect(200).text())
    }

    /// Everything that went to standard output.
    pub(crate) fn out(&self) -> String {
        fs::read_to_string(self.site.path("out")).unwrap_or_default()
    }

    /// Everything that went to standard error.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.site.path("log")).unwrap_or_default()
    }

    /// The most memory that the process ever held.
    pub(crate) fn peak_memory_bytes(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Sends a signal by its name, such as `TERM`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -s {name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success(), "{kill}");
    }

    /// Waits for the end.
    #[track_caller]
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let child = &mut self.child;
        until("the server ends", || child.try_wait().unwrap())
    }

    /// Stops it in order, which must succeed.
    #[track_caller]
    pub(crate) fn stop(mut self) {
        self.signal("TERM");
        let status = self.wait();
        assert_eq!(status.code(), Some(0), "{}", self.log());
    }

    /// Kills it, as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Server<'_> {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An exposition of metrics.
pub(crate) struct Metrics(pub(crate) String);

impl Metrics {
    /// Every sample: name with labels, and value.
    pub(crate) fn samples(&self) -> impl Iterator<Item = (&str, f64)> {
        let lines = self.0.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
        lines.map(|line| {
            let (series, value) = line.rsplit_once(' ').unwrap();
            (series, value.parse().unwrap())
        })
    }

    /// The value of a series, such as `tidegate_ready` or `tidegate_events_total{source="web",outcome="shed"}`.
    pub(crate) fn get(&self, series: &str) -> Option<f64> {
        self.samples().find(|(found, _)| *found == series).map(|(_, value)| value)
    }
}

/// The members of an answer that must be as here; it may have others.
#[track_caller]
pub(crate) fn assert_has(answer: &Answer, expected: &Value) {
    let found = answer.json();
    for (name, value) in expected.as_object().unwrap() {
        assert_eq!(&found[name], value, "{name} in {found}");
    }
}

/// Ends a load of senders with its scope, also where a test fails in the midst of it: else they would send for ever.
pub(crate) struct EndsLoad<'f>(pub(crate) &'f AtomicBool);

impl Drop for EndsLoad<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// An address that nobody listens on at this moment.
pub(crate) fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}
