//! The process that is killed: the real binary on a data directory of its own, which outlives it.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    ops::Range,
    path::PathBuf,
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

use tempfile::TempDir;
use tokio::time::timeout;

use crate::client::Connection;

/// Name of the only source.
pub(crate) const SOURCE: &str = "app";

/// Its key.
pub(crate) const KEY: &str = "a-key-of-the-crash-proof-0123456789";

/// Longer than any start or stop may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// Where addresses are looked for.
const PORTS: Range<u16> = 5_000..20_000;

/// Small spool files, so that kills also hit the making and the deleting of files.
const SETTINGS: &str = "\
[spool]
file_bytes = \"256KiB\"

[[source]]
name = \"app\"
kind = \"segment\"
secrets = [{ id = \"a\", env = \"SENDER_KEY\" }]
";

/// A data directory, and the process that works on it from time to time.
pub(crate) struct Collector {
    home: TempDir,
    storage_url: Option<String>,
    pub(crate) program: PathBuf,
    /// The data directory.
    pub(crate) data: PathBuf,
    /// More of the environment.
    pub(crate) variables: Vec<(&'static str, OsString)>,
    pub(crate) running: Option<Running>,
}

pub(crate) struct Running {
    pub(crate) process: Child,
    pub(crate) address: SocketAddr,
}

impl Collector {
    /// A collector that stores at this URL, or in SQLite in its data directory. Does not run yet.
    pub(crate) fn new(storage_url: Option<String>) -> Self {
        let home = tempfile::tempdir().unwrap();
        fs::write(home.path().join("tidegate.toml"), SETTINGS).unwrap();
        let (program, data) = (env!("CARGO_BIN_EXE_tidegate").into(), home.path().join("data"));
        Self { home, storage_url, program, data, variables: Vec::new(), running: None }
    }

    /// The file of the SQLite database.
    pub(crate) fn database(&self) -> PathBuf {
        self.data.join("events.db")
    }

    /// Where to store from the next start on; returns where it was.
    pub(crate) fn move_storage(&mut self, url: Option<String>) -> Option<String> {
        std::mem::replace(&mut self.storage_url, url)
    }

    /// Starts the process, and returns without waiting for anything.
    pub(crate) fn launch(&mut self) {
        let _ = self.spawn();
    }

    /// Starts the process, waits until it says that it listens, and sees that it is ready.
    pub(crate) async fn start(&mut self) -> SocketAddr {
        for _ in 0..5 {
            let stdout = self.spawn();
            if timeout(PATIENCE, has_banner(stdout)).await.expect("a process that starts, or that ends") {
                let address = self.running.as_ref().unwrap().address;
                let mut connection = Connection::open(address).await.unwrap();
                assert_eq!(connection.request("GET", "/readyz", "").await.unwrap().status, 200);
                return address;
            }
            let status = self.running.take().unwrap().process.wait().unwrap();
            // Somebody else may have taken a port between our look and its use. Nothing else excuses not to start.
            assert!(
                self.log_end().contains("cannot listen on"),
                "the start failed: {status}\n{}",
                self.log_end()
            );
        }
        panic!("no free port in five attempts");
    }

    /// SIGKILL. The status says whether the process was still there to be killed.
    pub(crate) fn kill(&mut self) -> ExitStatus {
        let mut process = self.running.take().unwrap().process;
        process.kill().unwrap();
        process.wait().unwrap()
    }

    /// SIGTERM, which begins a graceful stop.
    pub(crate) fn terminate(&self) {
        let process = self.running.as_ref().unwrap().process.id();
        let sent = Command::new("sh").arg("-c").arg(format!("kill -TERM {process}")).status().unwrap();
        assert!(sent.success());
    }

    /// A graceful stop to its end.
    pub(crate) async fn stop(&mut self) -> ExitStatus {
        self.terminate();
        let mut process = self.running.take().unwrap().process;
        let ended = tokio::task::spawn_blocking(move || process.wait().unwrap());
        timeout(PATIENCE, ended).await.expect("a stop within its deadline").unwrap()
    }

    pub(crate) fn spawn(&mut self) -> ChildStdout {
        let (collect, operate) = (free_address(), free_address());
        let home = self.home.path();
        let mut log = File::options().create(true).append(true).open(self.log()).unwrap();
        writeln!(log, "--- start").unwrap();
        let mut command = Command::new(&self.program);
        command.args(["serve", "--config", "tidegate.toml"]).current_dir(home).env_clear();
        command.env("TIDEGATE_DATA_DIR", &self.data).env("SENDER_KEY", KEY);
        command.env("TIDEGATE_COLLECT__LISTEN", collect.to_string());
        command.env("TIDEGATE_OPERATE__LISTEN", operate.to_string());
        command.envs(self.storage_url.as_ref().map(|url| ("TIDEGATE_STORAGE__URL", url)));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut process = command.spawn().unwrap();
        let stdout = process.stdout.take().unwrap();
        self.running = Some(Running { process, address: collect });
        stdout
    }

    /// Where it logs.
    pub(crate) fn log(&self) -> PathBuf {
        self.home.path().join("log")
    }

    /// What the process logged last.
    pub(crate) fn log_end(&self) -> String {
        let mut log = File::open(self.log()).unwrap();
        let length = log.metadata().unwrap().len();
        log.seek(SeekFrom::Start(length.saturating_sub(4000))).unwrap();
        let mut bytes = Vec::new();
        log.read_to_end(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        if self.running.is_some() {
            self.kill();
        }
        if thread::panicking() {
            let _ = writeln!(std::io::stderr(), "the end of the collector's log:\n{}", self.log_end());
        }
    }
}

/// The first line of its output comes when everything listens; no line comes if it ends before.
async fn has_banner(stdout: ChildStdout) -> bool {
    let read = move || BufReader::new(stdout).lines().next().is_some();
    tokio::task::spawn_blocking(read).await.unwrap()
}

/// An address that nobody has and that no other collector of this proof is given. Its port is none of those that the
/// kernel gives to outgoing connections: a sender that calls a dead process could otherwise reach itself.
fn free_address() -> SocketAddr {
    static GIVEN: AtomicU32 = AtomicU32::new(0);
    let next = || std::process::id().wrapping_mul(97).wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
    let port = || PORTS.start + u16::try_from(next() % u32::from(PORTS.end - PORTS.start)).unwrap();
    let mut addresses = std::iter::repeat_with(|| SocketAddr::from((Ipv4Addr::LOCALHOST, port()))).take(1000);
    addresses.find(|address| TcpListener::bind(address).is_ok()).expect("a free port")
}
