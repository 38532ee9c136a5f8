//! SQLite: how the file is opened, and how a transaction begins.
//!
//! What is committed survives a power cut (`synchronous=FULL`), people can read the file while we write it (WAL, no
//! exclusive lock), and there is one writer, so that our own transactions queue instead of failing as busy.

use std::{future::ready, io, path::Path, time::Duration};

use sqlx::{
    ConnectOptions, Connection, Sqlite, SqliteConnection, SqlitePool, Transaction,
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};
use tokio::{
    task::spawn_blocking,
    time::{Instant, sleep},
};

use super::{DatabaseError, Fault, migrations};
use crate::disk::{Disk, RealDisk, directory_of};

/// Older versions can lose commits when a write meets the reset of the log.
const OLDEST: [u32; 3] = [3, 51, 3];

/// How long a transaction waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

const BUSY: &str = "SQLITE_BUSY";

const BUSY_RETRY: Duration = Duration::from_millis(20);

/// How long a caller waits for a connection of ours.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(30);

const READERS: u32 = 4;

/// Connections that [`super::Database::admit`] lends at once; the other one is for lanes and the users directory.
pub(super) const VISITORS: usize = READERS as usize - 1;

/// How many steps of SQLite's machine pass between two looks at the clock: about a millisecond.
const STEPS_BETWEEN_LOOKS: i32 = 10_000;

/// Pages that the writer keeps in memory, in KiB: the inner nodes of the indexes of many millions of events.
const WRITER_CACHE_KIB: &str = "-16384";

/// To this size the write-ahead log is cut back after a reader held it up.
const LOG_BYTES: &str = "67108864";

/// Connections to a SQLite file.
#[derive(Debug)]
pub struct SqlitePools {
    writer: SqlitePool,
    readers: SqlitePool,
}

impl SqlitePools {
    /// Begins a transaction that writes. It has the write lock from its beginning: one that asked for it later would
    /// fail at once, whatever the timeout.
    pub async fn begin(&self) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        self.writer.begin_with("BEGIN IMMEDIATE").await
    }

    /// Connections that only read.
    pub fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Begins a transaction that only reads and sees one moment. Its statements are interrupted at the deadline, also
    /// if nobody waits for them any more: a search that runs on would hold up the write-ahead log.
    pub async fn begin_reading(
        &self,
        deadline: std::time::Instant,
    ) -> Result<Transaction<'static, Sqlite>, sqlx::Error> {
        let mut transaction = self.readers.begin().await?;
        let mut handle = transaction.lock_handle().await?;
        handle.set_progress_handler(STEPS_BETWEEN_LOOKS, move || std::time::Instant::now() < deadline);
        drop(handle);
        Ok(transaction)
    }

    /// Closes the readers first: the last connection folds the log back into the file.
    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Opens the file, makes it if it is not there, and brings its tables up to date.
///
/// A new file is turned to WAL under a lock that SQLite does not wait for, so that we do: an import may make the file
/// at the moment when the server does.
pub(super) async fn open(path: &Path) -> Result<SqlitePools, DatabaseError> {
    make_directory(path).await?;
    let give_up_at = Instant::now() + BUSY_TIMEOUT;
    loop {
        match open_once(path).await {
            Err(error) if error.code == BUSY && Instant::now() < give_up_at => sleep(BUSY_RETRY).await,
            outcome => return outcome,
        }
    }
}

/// A connection that still counts a transaction is closed rather than used again. SQLite ends a transaction by itself when
/// the disk fails or fills up; the driver's rollback then fails, and the driver would refuse to begin another for ever.
async fn open_once(path: &Path) -> Result<SqlitePools, DatabaseError> {
    let shared = SqliteConnectOptions::new()
        .filename(path)
        .busy_timeout(BUSY_TIMEOUT)
        .foreign_keys(false)
        .disable_statement_logging();
    let writer = shared
        .clone()
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .pragma("journal_size_limit", LOG_BYTES)
        .pragma("cache_size", WRITER_CACHE_KIB);
    let pool = SqlitePoolOptions::new()
        .acquire_timeout(ACQUIRE_TIMEOUT)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .before_acquire(|connection, _| Box::pin(ready(Ok(!connection.is_in_transaction()))));
    let pools = SqlitePools {
        writer: pool.clone().max_connections(1).connect_lazy_with(writer),
        readers: pool
            .max_connections(READERS)
            .after_release(|connection, _| Box::pin(forget_deadline(connection)))
            .connect_lazy_with(shared.pragma("query_only", "ON")),
    };
    let opened = prepare(&pools).await;
    if opened.is_err() {
        pools.close().await;
    }
    opened.map(|()| pools)
}

async fn prepare(pools: &SqlitePools) -> Result<(), DatabaseError> {
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&pools.writer).await?;
    if !is_recent(&version) {
        let message = format!("SQLite {version} can lose commits; 3.51.3 is the oldest that does not");
        return Err(DatabaseError::new(Fault::Configuration, "sqlite_version", message));
    }
    let mut transaction = pools.begin().await?;
    migrations::apply(migrations::SQLITE, &mut *transaction).await?;
    Ok(transaction.commit().await?)
}

/// Whoever gets the connection next has a time of its own.
async fn forget_deadline(connection: &mut SqliteConnection) -> Result<bool, sqlx::Error> {
    connection.lock_handle().await?.remove_progress_handler();
    Ok(true)
}

fn is_recent(version: &str) -> bool {
    let numbers: Vec<u32> = version.split('.').map_while(|number| number.parse().ok()).collect();
    numbers >= OLDEST.to_vec()
}

/// SQLite makes the file but not its directory. What we make is for its owner only: events are about people.
async fn make_directory(path: &Path) -> Result<(), DatabaseError> {
    let directory = directory_of(path).to_owned();
    let making = spawn_blocking(move || RealDisk.create_dir_all(&directory, true));
    making.await.map_err(io::Error::other).flatten().map_err(|error| {
        let message = format!("cannot make the directory of {}: {error}", path.display());
        DatabaseError::new(Fault::Configuration, "directory", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_as_numbers() {
        for (version, recent) in
            [("3.51.3", true), ("3.100.0", true), ("4.0", true), ("3.51.2", false), ("3.9.9", false)]
        {
            assert_eq!(is_recent(version), recent, "{version}");
        }
        assert!(!is_recent("unknown"));
    }

    #[tokio::test]
    async fn the_file_is_made_with_its_directory_and_opened_again() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("deep/er/events.db");
        for _ in 0..2 {
            let pools = open(&path).await.unwrap();
            let modes: (String, i64) =
                sqlx::query_as("SELECT (SELECT journal_mode FROM pragma_journal_mode), (SELECT synchronous FROM pragma_synchronous)")
                    .fetch_one(&pools.writer)
                    .await
                    .unwrap();
            assert_eq!(modes, ("wal".into(), 2));
            let refused = sqlx::query("DELETE FROM users_version").execute(pools.readers()).await;
            assert_eq!(DatabaseError::from(refused.unwrap_err()).fault, Fault::Configuration);
            pools.close().await;
        }
    }

    #[tokio::test]
    async fn a_transaction_that_sqlite_ended_by_itself_is_not_the_last() {
        let directory = tempfile::tempdir().unwrap();
        let pools = open(&directory.path().join("events.db")).await.unwrap();
        for _ in 0..3 {
            let mut transaction = pools.begin().await.unwrap();
            // Behind the driver's back, as SQLite does it.
            sqlx::raw_sql("ROLLBACK").execute(&mut *transaction).await.unwrap();
            transaction.commit().await.unwrap_err();
        }
        pools.begin().await.unwrap().commit().await.unwrap();
    }

    #[tokio::test]
    async fn what_is_no_database_is_for_a_person_to_mend() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("notes.txt");
        std::fs::write(&file, "x".repeat(5_000)).unwrap();
        for path in [file.clone(), file.join("events.db"), directory.path().to_owned()] {
            assert_eq!(open(&path).await.unwrap_err().fault, Fault::Configuration, "{}", path.display());
        }
        assert_eq!(std::fs::read(&file).unwrap().len(), 5_000);
    }

    #[tokio::test]
    async fn tables_of_a_newer_version_are_left_alone() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.db");
        let pools = open(&path).await.unwrap();
        let newer = "INSERT INTO tidegate_migrations (version, description, success, checksum, execution_time) \
                     VALUES (9999, 'later', 1, x'00', 0)";
        sqlx::query(newer).execute(&pools.writer).await.unwrap();
        pools.close().await;
        assert_eq!(open(&path).await.unwrap_err().code, "schema_newer");
    }

    #[tokio::test]
    async fn many_processes_may_make_the_file_at_once() {
        for _ in 0..10 {
            let directory = tempfile::tempdir().unwrap();
            let path = directory.path().join("events.db");
            let (one, two, three) = tokio::join!(open(&path), open(&path), open(&path));
            for opened in [one, two, three] {
                opened.unwrap().close().await;
            }
        }
    }
}
