//! The tables `users` and `users_version` in both databases.

use sqlx::{Postgres, Row, Sqlite, Transaction};

use crate::database::{Database, DatabaseError, Pool, postgres, rows::RowStatement};

/// Rows read at once.
const PAGE: usize = 10_000;

const VERSION: &str = "SELECT version FROM users_version";

/// No value is bound: one message, so that no transaction is needed.
pub(super) async fn version(database: &Database) -> Result<i64, DatabaseError> {
    let version = match database.pool().await? {
        Pool::Sqlite(pools) => sqlx::raw_sql(VERSION).fetch_one(pools.readers()).await?.try_get(0),
        Pool::Postgres(pool) => postgres::answered(sqlx::raw_sql(VERSION).fetch_one(pool)).await?.try_get(0),
    };
    Ok(version?)
}

/// Calls `user` for all users, in ascending order of their ids.
pub(super) async fn read(database: &Database, mut user: impl FnMut(i64, &str)) -> Result<(), DatabaseError> {
    let sql = "SELECT id, username FROM users WHERE id >= $1 ORDER BY id LIMIT 10000";
    let mut next = Some(i64::MIN);
    while let Some(from) = next {
        let page: Vec<(i64, String)> = match database.pool().await? {
            Pool::Sqlite(pools) => sqlx::query_as(sql).bind(from).fetch_all(pools.readers()).await?,
            Pool::Postgres(pool) => {
                let fetch = async {
                    let mut transaction = postgres::begin(pool).await?;
                    sqlx::query_as(sql).persistent(false).bind(from).fetch_all(&mut *transaction).await
                };
                postgres::answered(fetch).await?
            }
        };
        for (id, name) in &page {
            user(*id, name);
        }
        let full = page.len() == PAGE;
        next = page.last().filter(|_| full).and_then(|(id, _)| id.checked_add(1));
    }
    Ok(())
}

/// A change of the table. Nothing is changed unless it is committed.
pub(super) enum Change {
    Sqlite(Transaction<'static, Sqlite>, RowStatement),
    Postgres(Transaction<'static, Postgres>),
}

impl Change {
    /// Begins a change; a second one waits until this is over.
    pub(super) async fn begin(database: &Database) -> Result<Self, DatabaseError> {
        match database.pool().await? {
            Pool::Sqlite(pools) => {
                let upsert = RowStatement::new(
                    "INSERT INTO users (id, username) VALUES ",
                    "(?, ?)",
                    " ON CONFLICT (id) DO UPDATE SET username = excluded.username \
                     WHERE users.username <> excluded.username",
                );
                Ok(Self::Sqlite(pools.begin().await?, upsert))
            }
            Pool::Postgres(pool) => {
                let mut transaction = postgres::begin(pool).await?;
                sqlx::raw_sql("SELECT version FROM users_version FOR UPDATE")
                    .execute(&mut *transaction)
                    .await?;
                Ok(Self::Postgres(transaction))
            }
        }
    }

    /// How many users there are.
    pub(super) async fn count(&mut self) -> Result<u64, DatabaseError> {
        let count = sqlx::raw_sql("SELECT count(*) FROM users");
        let count: i64 = match self {
            Self::Sqlite(transaction, _) => count.fetch_one(&mut **transaction).await?.try_get(0)?,
            Self::Postgres(transaction) => count.fetch_one(&mut **transaction).await?.try_get(0)?,
        };
        Ok(count.unsigned_abs())
    }

    /// Adds these users or changes their names, and says how many were not as given. No id may occur twice.
    pub(super) async fn upsert(&mut self, users: &[(i64, String)]) -> Result<u64, DatabaseError> {
        match self {
            Self::Sqlite(transaction, upsert) => {
                let mut changed = 0;
                for (sql, users) in upsert.pieces(users) {
                    let statement = users.iter().fold(sqlx::query(sql), |statement, (id, name)| {
                        statement.bind(*id).bind(name.as_str())
                    });
                    changed += statement.execute(&mut **transaction).await?.rows_affected();
                }
                Ok(changed)
            }
            Self::Postgres(transaction) => {
                let (ids, names): (Vec<i64>, Vec<&str>) =
                    users.iter().map(|(id, name)| (*id, name.as_str())).unzip();
                let sql = "INSERT INTO users (id, username) SELECT * FROM UNNEST($1::bigint[], $2::text[]) \
                     ON CONFLICT (id) DO UPDATE SET username = excluded.username \
                     WHERE users.username <> excluded.username";
                let statement = sqlx::query(sql).persistent(false).bind(ids).bind(names);
                Ok(statement.execute(&mut **transaction).await?.rows_affected())
            }
        }
    }

    /// Makes the change real, and tells running servers.
    pub(super) async fn commit(self) -> Result<(), DatabaseError> {
        let bump = sqlx::raw_sql("UPDATE users_version SET version = version + 1");
        match self {
            Self::Sqlite(mut transaction, _) => {
                bump.execute(&mut *transaction).await?;
                transaction.commit().await?;
            }
            Self::Postgres(mut transaction) => {
                bump.execute(&mut *transaction).await?;
                transaction.commit().await?;
            }
        }
        Ok(())
    }
}
