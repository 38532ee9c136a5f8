//! The handle that everybody shares, and how it becomes a pool of connections.

use std::{fmt, sync::Arc, time::Duration};

use sqlx::PgPool;
use tokio::{
    sync::{OnceCell, OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use super::{
    DatabaseError, DatabaseUrl, Fault, Kind, postgres,
    sqlite::{self, SqlitePools},
    url::Address,
};

/// Code of the error of whoever waited too long for others who ask.
pub const BUSY: &str = "busy";

/// A handle to the database. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    url: DatabaseUrl,
    pool: OnceCell<Pool>,
    visitors: Arc<Semaphore>,
}

/// Connections to a database whose tables are up to date.
#[derive(Debug)]
pub enum Pool {
    /// To a SQLite file.
    Sqlite(SqlitePools),
    /// To a PostgreSQL server.
    Postgres(PgPool),
}

impl Database {
    /// A handle to the database at this address. Does no I/O.
    pub fn new(url: &DatabaseUrl) -> Self {
        let visitors = match url.kind() {
            Kind::Sqlite => sqlite::VISITORS,
            Kind::Postgres => postgres::VISITORS,
        };
        let visitors = Arc::new(Semaphore::new(visitors));
        Self { shared: Arc::new(Shared { url: url.clone(), pool: OnceCell::new(), visitors }) }
    }

    /// Which database it is.
    pub fn kind(&self) -> Kind {
        self.shared.url.kind()
    }

    /// Its address, which prints without its password.
    pub fn url(&self) -> &DatabaseUrl {
        &self.shared.url
    }

    /// Connects and applies the migrations, unless that is done already. A failure is tried again by the next call.
    pub async fn ready(&self) -> Result<(), DatabaseError> {
        self.pool().await.map(|_| ())
    }

    /// The connections, once the database is ready.
    pub async fn pool(&self) -> Result<&Pool, DatabaseError> {
        self.shared.pool.get_or_try_init(|| Box::pin(open(&self.shared.url))).await
    }

    /// Leave to use one connection, for whoever is neither a lane nor the users directory: however many ask at once,
    /// those two find one. It must be kept until the connection is given back.
    pub async fn admit(&self, patience: Duration) -> Result<OwnedSemaphorePermit, DatabaseError> {
        let waiting = timeout(patience, Arc::clone(&self.shared.visitors).acquire_owned());
        waiting.await.ok().and_then(Result::ok).ok_or_else(|| {
            DatabaseError::new(Fault::Transient, BUSY, "too much is asked of the database at once")
        })
    }

    /// The connections of a SQLite database.
    pub async fn sqlite(&self) -> Result<&SqlitePools, DatabaseError> {
        match self.pool().await? {
            Pool::Sqlite(pools) => Ok(pools),
            Pool::Postgres(_) => Err(wrong_kind()),
        }
    }

    /// The connections of a PostgreSQL database.
    pub async fn postgres(&self) -> Result<&PgPool, DatabaseError> {
        match self.pool().await? {
            Pool::Postgres(pool) => Ok(pool),
            Pool::Sqlite(_) => Err(wrong_kind()),
        }
    }

    /// Closes the connections, once those in use are given back. A later call for the pool gets a closed one.
    pub async fn close(&self) {
        match self.shared.pool.get() {
            Some(Pool::Sqlite(pools)) => pools.close().await,
            Some(Pool::Postgres(pool)) => pool.close().await,
            None => {}
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Database({})", self.shared.url)
    }
}

async fn open(url: &DatabaseUrl) -> Result<Pool, DatabaseError> {
    let opened = match &url.0 {
        Address::Sqlite(path) => sqlite::open(path).await.map(Pool::Sqlite),
        Address::Postgres(options) => postgres::open(options).await.map(Pool::Postgres),
    };
    opened.map_err(|error| match error.fault {
        // Migrations are safe to repeat, so that no outcome is in doubt.
        Fault::Interrupted => DatabaseError { fault: Fault::Transient, ..error },
        _ => error,
    })
}

fn wrong_kind() -> DatabaseError {
    DatabaseError::new(Fault::Configuration, "kind", "another kind of database than this needs")
}
