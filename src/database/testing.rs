//! Databases for tests: each test makes its own, and it is gone afterwards.

use std::{env, thread};

use sqlx::{ConnectOptions, Connection, postgres::PgConnectOptions};
use tempfile::TempDir;
use uuid::Uuid;

use super::{Database, DatabaseUrl};

/// Holds the address of a running server, with the rights of a superuser.
const SERVER: &str = "TIDEGATE_TEST_POSTGRES";

/// A database of one test.
pub(crate) struct TestDatabase {
    database: Database,
    home: Home,
}

enum Home {
    File(#[expect(dead_code, reason = "the directory lives as long as this")] TempDir),
    Server { admin_url: String, name: String },
}

impl TestDatabase {
    pub(crate) fn sqlite() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let url = DatabaseUrl::sqlite(directory.path().join("events.db"));
        Self { database: Database::new(&url), home: Home::File(directory) }
    }

    pub(crate) async fn postgres() -> Self {
        let admin_url = admin_url();
        let name = format!("test_{}", Uuid::now_v7().simple());
        execute(&admin_url, &format!("CREATE DATABASE {name}")).await;
        let url = DatabaseUrl::parse(&with_database(&admin_url, &name)).unwrap();
        Self { database: Database::new(&url), home: Home::Server { admin_url, name } }
    }

    /// A handle that shares its connections with others.
    pub(crate) fn handle(&self) -> Database {
        self.database.clone()
    }

    /// A handle with connections of its own, as another process would have.
    pub(crate) fn stranger(&self) -> Database {
        Database::new(self.database.url())
    }
}

/// Removes a server's database, also where the test failed: a thread of its own, because dropping cannot wait.
impl Drop for TestDatabase {
    fn drop(&mut self) {
        if let Home::Server { admin_url, name } = &self.home {
            let (admin_url, sql) =
                (admin_url.clone(), format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
            let remove = move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                runtime.block_on(execute(&admin_url, &sql));
            };
            let removed = thread::spawn(remove).join();
            assert!(removed.is_ok() || thread::panicking(), "the database of a test could not be removed");
        }
    }
}

/// The address of the tests' own server. A test that needs it fails without it, rather than pass unseen.
pub(crate) fn admin_url() -> String {
    env::var(SERVER).unwrap_or_else(|_| {
        panic!("{SERVER} is not set: run scripts/test, or scripts/with-postgres cargo test")
    })
}

/// The same server, another database.
pub(crate) fn with_database(admin_url: &str, name: &str) -> String {
    let (server, _) = admin_url.rsplit_once('/').unwrap();
    format!("{server}/{name}")
}

async fn execute(url: &str, sql: &str) {
    let options: PgConnectOptions = url.parse().unwrap();
    let mut connection = options.extra_float_digits(None).connect().await.unwrap();
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
}
