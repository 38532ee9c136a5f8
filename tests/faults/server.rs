//! A PostgreSQL server of its own, which syncs as any other, and can be stopped, killed and changed.

use std::{
    fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use tempfile::TempDir;

use crate::{
    rig::{run, until},
    volume::path_str,
};

/// Where Debian keeps what is not in the path.
const DEBIAN: &str = "/usr/lib/postgresql";

/// The server.
pub(crate) struct Server {
    programs: PathBuf,
    home: TempDir,
    data: PathBuf,
    port: u16,
}

/// How a server is told to stop.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    /// In order, but without waiting for anybody to leave.
    Fast,
    /// As a crash: it recovers when it starts.
    Immediate,
}

impl Server {
    /// Makes and starts one; `None` where there is no PostgreSQL.
    pub(crate) async fn start() -> Option<Self> {
        let programs = programs()?;
        let home = tempfile::tempdir().unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let data = home.path().join("data");
        let server = Self { programs, home, data, port };
        give_to_owner(server.home.path());
        let made = server.run(
            "initdb",
            &["-D", server.data(), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"],
        );
        assert!(made, "initdb failed");
        // Passwords are asked for over TCP, and for others than the superuser.
        let access = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n";
        fs::write(server.data.join("pg_hba.conf"), access).unwrap();
        server.start_again().await;
        Some(server)
    }

    /// Its address, with the rights of a superuser.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Starts it, and waits until it lets somebody in.
    pub(crate) async fn start_again(&self) {
        let options = format!(
            "-c port={} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections=50 \
             -c shared_buffers=64MB",
            self.port
        );
        let log = self.home.path().join("log");
        // After a kill, what is left of the old server may be in the way for a moment.
        until("PostgreSQL to start", || async {
            self.run(
                "pg_ctl",
                &["start", "-D", self.data(), "-l", path_str(&log), "-o", &options, "-w", "-s"],
            )
        })
        .await;
        until("PostgreSQL to let us in", || async { PgConnection::connect(&self.url()).await.is_ok() }).await;
    }

    pub(crate) fn stop(&self, stop: Stop) {
        let mode = match stop {
            Stop::Fast => "fast",
            Stop::Immediate => "immediate",
        };
        assert!(self.run("pg_ctl", &["stop", "-D", self.data(), "-m", mode, "-w", "-s"]), "pg_ctl stop");
    }

    /// SIGKILL to its first process, whose children then leave by themselves.
    pub(crate) fn kill(&self) {
        let first = fs::read_to_string(self.data.join("postmaster.pid")).unwrap();
        run("kill", &["-s", "KILL", first.lines().next().unwrap()]);
    }

    /// Runs statements as superuser, in a database of its own.
    pub(crate) async fn sql(&self, database: &str, statements: &str) {
        self.try_sql(database, statements).await.unwrap_or_else(|error| panic!("{statements}: {error}"));
    }

    /// As [`Self::sql`], for what may not work yet.
    pub(crate) async fn try_sql(&self, database: &str, statements: &str) -> sqlx::Result<()> {
        let url = format!("postgres://postgres@127.0.0.1:{}/{database}", self.port);
        let mut connection = PgConnection::connect(&url).await?;
        sqlx::raw_sql(AssertSqlSafe(statements.to_owned())).execute(&mut connection).await?;
        connection.close().await
    }

    /// Ends all connections to a database but ours.
    pub(crate) async fn disconnect(&self, database: &str) {
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                   WHERE datname = current_database() AND pid <> pg_backend_pid()";
        self.sql(database, end).await;
    }

    fn data(&self) -> &str {
        path_str(&self.data)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> bool {
        let program = self.programs.join(program);
        // PostgreSQL refuses to run as root.
        let mut command = match is_root() {
            true => {
                let mut command = Command::new("runuser");
                command.args(["-u", "postgres", "--", path_str(&program)]);
                command
            }
            false => Command::new(program),
        };
        let log = fs::File::create(self.home.path().join("commands")).unwrap();
        command.args(arguments).current_dir(self.home.path()).env("LC_ALL", "C.UTF-8");
        command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        command.status().unwrap().success()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.run("pg_ctl", &["stop", "-D", self.data(), "-m", "immediate", "-s"]);
    }
}

/// Gives a directory to the user that a server runs as.
pub(crate) fn give_to_owner(directory: &Path) {
    if is_root() {
        run("chown", &["postgres", path_str(directory)]);
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The directory of the newest server there is.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir(DEBIAN).ok()?.flatten().map(|version| version.path().join("bin"));
    versions.filter(|programs| programs.join("initdb").exists()).max()
}
