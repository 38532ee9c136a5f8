//! PostgreSQL behind PgBouncer, which lends a server connection for one transaction at a time: whatever would be left behind
//! in a session is missing in the next transaction, or in the way of somebody else's.

use std::{
    env,
    fs::{self, Permissions},
    net::{SocketAddr, TcpStream},
    os::unix::fs::{MetadataExt as _, PermissionsExt as _},
    process::{Child, Command, Stdio},
};

use sqlx::{AssertSqlSafe, Connection as _, PgConnection};
use uuid::Uuid;

use crate::server::{Server, Site, free_address, runtime, track, until, web};

/// Holds the address of a running PostgreSQL, with the rights of a superuser.
const POSTGRES: &str = "TIDEGATE_TEST_POSTGRES";

/// A database of the tests' own server; removed when dropped.
struct Database {
    admin_url: String,
    name: String,
}

impl Database {
    fn new() -> Self {
        let admin_url = env::var(POSTGRES).unwrap_or_else(|_| {
            panic!("{POSTGRES} is not set: run scripts/test, or scripts/with-postgres cargo test")
        });
        let name = format!("bouncer_{}", Uuid::now_v7().simple());
        let database = Self { admin_url, name };
        execute(&database.admin_url, &format!("CREATE DATABASE {}", database.name));
        database
    }

    /// Past PgBouncer.
    fn url(&self) -> String {
        let (server, _) = self.admin_url.rsplit_once('/').unwrap();
        format!("{server}/{}", self.name)
    }

    /// User, password and address.
    fn parts(&self) -> [&str; 4] {
        let rest = self.admin_url.split_once("://").unwrap().1;
        let (login, rest) = rest.split_once('@').unwrap();
        let ((user, password), (address, _)) =
            (login.split_once(':').unwrap(), rest.split_once('/').unwrap());
        let (host, port) = address.split_once(':').unwrap();
        [user, password, host, port]
    }

    fn count(&self, table: &str) -> i64 {
        runtime().block_on(async {
            let mut connection = PgConnection::connect(&self.url()).await.unwrap();
            let sql = format!("SELECT count(*) FROM {table}");
            sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(&mut connection).await.unwrap_or(0)
        })
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        execute(&self.admin_url, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

fn execute(url: &str, sql: &str) {
    runtime().block_on(async {
        let mut connection = PgConnection::connect(url).await.unwrap();
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    });
}

/// A running PgBouncer; ended when dropped.
struct Bouncer {
    child: Child,
    address: SocketAddr,
}

impl Bouncer {
    /// With the settings of `deploy`, but for addresses and users; and with two server connections used in turn, so that
    /// two transactions of one client are seldom on the same one.
    fn before(database: &Database, site: &Site) -> Self {
        let [user, password, host, port] = database.parts();
        let address = free_address();
        let userlist = site.write("userlist.txt", &format!("\"{user}\" \"{password}\"\n"));
        let deployed =
            fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/deploy/pgbouncer.ini")).unwrap();
        let settings = [
            (
                "host=127.0.0.1 port=5432 dbname=tidegate",
                &*format!("host={host} port={port} dbname={}", database.name),
            ),
            ("listen_port = 6432", &format!("listen_port = {}\nunix_socket_dir =", address.port())),
            ("/etc/pgbouncer/userlist.txt", userlist.to_str().unwrap()),
            ("default_pool_size = 6", "default_pool_size = 2\nserver_round_robin = 1"),
        ]
        .iter()
        .fold(deployed, |settings, (from, to)| {
            assert!(settings.contains(from), "deploy/pgbouncer.ini has no {from}");
            settings.replace(from, to)
        });
        let settings = site.write("pgbouncer.ini", &settings);
        // It does not run as root, and has to read its settings as whoever it becomes.
        let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
        if is_root {
            fs::set_permissions(site.path(""), Permissions::from_mode(0o755)).unwrap();
        }
        let spawned = Command::new("/usr/sbin/pgbouncer")
            .args(if is_root { &["--user=nobody"][..] } else { &[] })
            .arg(settings)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        let child = spawned.unwrap_or_else(|error| {
            panic!(
                "pgbouncer cannot be run ({error}): run scripts/test, which installs it, or install Debian's"
            )
        });
        let bouncer = Self { child, address };
        until("pgbouncer listens", || TcpStream::connect(bouncer.address).ok());
        bouncer
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Failed writes of the lane since its start, of every class: trouble that was waited out counts.
fn errors(server: &Server<'_>) -> f64 {
    let metrics = server.metrics();
    metrics
        .samples()
        .filter(|(series, _)| series.starts_with("tidegate_lane_errors_total"))
        .map(|(_, n)| n)
        .sum()
}

#[test]
fn two_servers_share_a_database_behind_a_pooler_of_transactions() {
    let database = Database::new();
    let sites = [(); 2].map(|()| Site::new(""));
    let bouncer = Bouncer::before(&database, &sites[0]);
    let [user, password, ..] = database.parts();
    let storage = format!("[storage]\nurl = \"postgres://{user}:{password}@{}/tidegate\"\n", bouncer.address);
    let directory = "[[source]]\nname = \"learners\"\nkind = \"segment\"\nusers = \"directory\"\nsecrets = [{ id = \"k\", value = \"k\" }]\n";
    for site in &sites {
        site.write_settings(&[&storage, &web(""), directory].concat());
    }
    // Migrations of both at once.
    let [first, second] = &sites;
    let (one, two) = (first.start(), second.start());
    let users = first.write("users.csv", "id,username\n7,ada\n8,grace\n");
    let imported = first.run(&["users", "import", users.to_str().unwrap()]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));

    for round in 0..10 {
        for (index, server) in [&one, &two].into_iter().enumerate() {
            server.post(track(&format!("{index}-{round}"))).expect(200);
            server.post(track(&format!("of both {round}"))).expect(200);
            server.post(r#"{"userId":"u"}"#).expect(400);
        }
        // Each wave is a transaction of its own.
        let rows = 3 * (round + 1);
        until("a wave is stored", || (database.count("events") == rows).then_some(()));
    }
    until("refusals are stored", || (database.count("refusals") == 20).then_some(()));
    until("the directory is seen", || (one.metrics().get("tidegate_users") == Some(2.0)).then_some(()));

    // New client connections meet server connections that others have used.
    one.stop();
    let one = first.start();
    one.post(track("after a restart")).expect(200);
    until("the restarted server stores", || (database.count("events") == 31).then_some(()));
    assert_eq!((errors(&one), errors(&two)), (0.0, 0.0), "{}{}", one.log(), two.log());
    one.stop();
    two.stop();
}
