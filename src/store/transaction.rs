//! A transaction on either database: one that reads sees one moment, none lasts for ever, and there are never so many
//! that a lane would find no connection.

use std::time::{Duration, Instant};

use sqlx::{Postgres, Sqlite};
use tokio::{runtime::Handle, sync::OwnedSemaphorePermit, time::timeout_at};

use super::{row::FromRow, statement::Statement};
use crate::database::{Database, DatabaseError, Fault, Kind, Pool, postgres};

/// How long a search may take. It reads whole tables where its filter is of no help, and then gives up.
pub(super) const SEARCH: Duration = Duration::from_secs(10);

/// How long a reader waits for others who ask. Readers come again.
const READER_PATIENCE: Duration = Duration::from_secs(3);

/// How long a writer waits for them: longer than a search takes, because what it has to write may be the end of work
/// that is done.
const WRITER_PATIENCE: Duration = postgres::ANSWER_TIMEOUT;

/// What follows a time that the database itself should have kept.
const GRACE: Duration = Duration::from_secs(5);

/// What a database says that gave up at our deadline.
const GIVEN_UP: [&str; 2] = ["57014", "SQLITE_INTERRUPT"];

/// Code of the error of what takes too long; less has to be asked for.
pub const TOO_SLOW: &str = "too_slow";

pub(super) struct Transaction {
    /// `None` once it is over.
    open: Option<Open>,
    kind: Kind,
    give_up_at: tokio::time::Instant,
}

struct Open {
    connection: Connection,
    /// To be dropped after the connection was given back.
    admission: OwnedSemaphorePermit,
}

enum Connection {
    Sqlite(sqlx::Transaction<'static, Sqlite>),
    Postgres(sqlx::Transaction<'static, Postgres>),
}

impl Transaction {
    /// Begins a transaction that only reads. Its statements are given up after `at_most`, by the database itself, also
    /// if nobody waits for them any more.
    pub(super) async fn read(database: &Database, at_most: Duration) -> Result<Self, DatabaseError> {
        let admission = database.admit(READER_PATIENCE).await?;
        let connection = match database.pool().await? {
            Pool::Sqlite(pools) => Connection::Sqlite(pools.begin_reading(Instant::now() + at_most).await?),
            Pool::Postgres(pool) => {
                let beginning = postgres::begin_reading(pool, at_most);
                Connection::Postgres(postgres::answered(beginning).await?)
            }
        };
        Ok(Self::new(database, connection, admission, at_most + GRACE))
    }

    /// Begins a transaction that writes. Nothing is changed unless it is committed.
    pub(super) async fn write(database: &Database) -> Result<Self, DatabaseError> {
        let admission = database.admit(WRITER_PATIENCE).await?;
        let connection = match database.pool().await? {
            Pool::Sqlite(pools) => Connection::Sqlite(pools.begin().await?),
            Pool::Postgres(pool) => Connection::Postgres(postgres::answered(postgres::begin(pool)).await?),
        };
        Ok(Self::new(database, connection, admission, postgres::ANSWER_TIMEOUT))
    }

    fn new(
        database: &Database,
        connection: Connection,
        admission: OwnedSemaphorePermit,
        at_most: Duration,
    ) -> Self {
        Self {
            open: Some(Open { connection, admission }),
            kind: database.kind(),
            give_up_at: tokio::time::Instant::now() + at_most,
        }
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// All rows of an answer.
    pub(super) async fn rows<T: FromRow>(&mut self, statement: &Statement) -> Result<Vec<T>, DatabaseError> {
        let give_up_at = self.give_up_at;
        let reading = async {
            match connection(&mut self.open)? {
                Connection::Sqlite(transaction) => {
                    let rows = statement.sqlite().fetch_all(&mut **transaction).await?;
                    rows.iter().map(T::from_row).collect()
                }
                Connection::Postgres(transaction) => {
                    let rows = statement.postgres().fetch_all(&mut **transaction).await?;
                    rows.iter().map(T::from_row).collect()
                }
            }
        };
        before(give_up_at, reading).await
    }

    /// Changes rows, and counts them.
    pub(super) async fn execute(&mut self, statement: &Statement) -> Result<u64, DatabaseError> {
        let give_up_at = self.give_up_at;
        let changing = async {
            match connection(&mut self.open)? {
                Connection::Sqlite(transaction) => {
                    Ok(statement.sqlite().execute(&mut **transaction).await?.rows_affected())
                }
                Connection::Postgres(transaction) => {
                    Ok(statement.postgres().execute(&mut **transaction).await?.rows_affected())
                }
            }
        };
        before(give_up_at, changing).await
    }

    pub(super) async fn commit(mut self) -> Result<(), DatabaseError> {
        let Open { connection, admission: _admission } = self.open.take().ok_or_else(over)?;
        let committing = async {
            match connection {
                Connection::Sqlite(transaction) => transaction.commit().await,
                Connection::Postgres(transaction) => transaction.commit().await,
            }
        };
        before(self.give_up_at, committing).await
    }
}

/// What is under way is waited for, until the database gives it up: who leaves early, again and again, must not hold
/// all connections.
impl Drop for Transaction {
    fn drop(&mut self) {
        if let (Some(Open { connection, admission }), Ok(runtime)) = (self.open.take(), Handle::try_current())
        {
            runtime.spawn(async move {
                // A connection that cannot do it is closed by its pool.
                let _ = match connection {
                    Connection::Sqlite(transaction) => transaction.rollback().await,
                    Connection::Postgres(transaction) => transaction.rollback().await,
                };
                drop(admission);
            });
        }
    }
}

fn connection(open: &mut Option<Open>) -> Result<&mut Connection, sqlx::Error> {
    open.as_mut().map(|open| &mut open.connection).ok_or_else(over)
}

/// Nothing can be asked any more.
fn over() -> sqlx::Error {
    sqlx::Error::PoolClosed
}

async fn before<T>(
    give_up_at: tokio::time::Instant,
    asking: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, DatabaseError> {
    let too_slow = |message: String| DatabaseError::new(Fault::Transient, TOO_SLOW, message);
    let answer = timeout_at(give_up_at, asking).await;
    let answer = answer.map_err(|_| too_slow("the database did not answer in time".to_owned()))?;
    answer.map_err(|error| {
        let error = DatabaseError::from(error);
        if GIVEN_UP.contains(&error.code.as_str()) { too_slow(error.message) } else { error }
    })
}
