//! The handle that everybody shares, and how it becomes a pool of connections.

use std::{fmt, sync::Arc};

use sqlx::PgPool;
use tokio::sync::OnceCell;

use super::{
    DatabaseError, DatabaseUrl, Fault, Kind, postgres,
    sqlite::{self, SqlitePools},
    url::Address,
};

/// A handle to the database. Cheap to clone; clones share their connections.
#[derive(Clone)]
pub struct Database {
    shared: Arc<Shared>,
}

struct Shared {
    url: DatabaseUrl,
    pool: OnceCell<Pool>,
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
        Self { shared: Arc::new(Shared { url: url.clone(), pool: OnceCell::new() }) }
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
