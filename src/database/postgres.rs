//! PostgreSQL: how connections are made, and how a transaction begins.
//!
//! Everything works behind PgBouncer in transaction mode, which gives a connection to somebody else after each
//! transaction. So no session state is left behind: settings and locks are of the transaction, statements have no name
//! (`persistent(false)`; a name costs others an error and us a leak), and **whatever binds a value runs in a
//! transaction**, because parsing a statement and running it are two messages. Parsing again costs a fraction of a
//! millisecond a batch.

use std::time::Duration;

use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, PgConnection, PgPool, Postgres, Row, Transaction,
    postgres::{PgConnectOptions, PgPoolOptions},
};
use tokio::time::timeout;

use super::{DatabaseError, Fault, migrations};

/// How long a connection may take to be made, or to come free.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the migrations may take, which rewrite tables of any size.
const MIGRATION_TIMEOUT: Duration = Duration::from_hours(1);

const UNDEFINED_TABLE: &str = "42P01";

const CONNECTIONS: u32 = 6;

/// Connections that [`super::Database::admit`] lends at once; the two others are for lanes and the users directory.
pub(super) const VISITORS: usize = CONNECTIONS as usize - 2;

/// The server gives up a statement after 50 s, before our own [`ANSWER_TIMEOUT`] does, so that nothing of an abandoned
/// transaction goes on. Commits are durable even where the server's default is to lose the last of them.
const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; \
     SET LOCAL statement_timeout = '50s'; \
     SELECT set_config('synchronous_commit', 'on', true) WHERE current_setting('synchronous_commit') = 'off'";

/// How long to wait for a server that may never answer.
pub const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);

/// `tidegate` in ASCII: two servers that start at once migrate one after the other.
const MIGRATION_LOCK: &str = "SELECT pg_advisory_xact_lock(8388346167643173989)";

/// Begins a transaction.
pub async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    pool.begin_with(BEGIN).await
}

/// Begins a transaction that only reads and sees one moment. The server gives up a statement that takes longer.
pub async fn begin_reading(
    pool: &PgPool,
    statement_timeout: Duration,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    // Zero would mean no timeout at all.
    let millis = statement_timeout.as_millis().max(1);
    let begin =
        format!("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = {millis}");
    pool.begin_with(AssertSqlSafe(begin)).await
}

/// Begins a transaction on a connection that the caller answers for.
pub async fn begin_on(connection: &mut PgConnection) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
    connection.begin_with(BEGIN).await
}

/// Waits for an answer, but not for ever.
pub async fn answered<T>(asking: impl Future<Output = Result<T, sqlx::Error>>) -> Result<T, DatabaseError> {
    Ok(timeout(ANSWER_TIMEOUT, asking).await.map_err(|_| no_answer("timeout"))??)
}

/// Brings the tables up to date. The pool connects when it is used.
pub(super) async fn open(options: &PgConnectOptions) -> Result<PgPool, DatabaseError> {
    let options =
        options.clone().statement_cache_capacity(0).extra_float_digits(None).disable_statement_logging();
    let options = match options.get_application_name() {
        Some(_) => options,
        None => options.application_name("tidegate"),
    };
    // Not through the pool, which would hide behind its own timeout why it cannot connect.
    let connecting = timeout(CONNECT_TIMEOUT, options.connect());
    let mut connection = connecting.await.map_err(|_| no_answer("connect_timeout"))??;
    let patience = patience(&mut connection).await?;
    let migrating = timeout(patience, migrate(&mut connection));
    migrating.await.map_err(|_| no_answer("migration_timeout"))??;
    // The tables are as they should be, whatever becomes of this farewell.
    let _ = timeout(CONNECT_TIMEOUT, connection.close()).await;
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS).acquire_timeout(CONNECT_TIMEOUT);
    Ok(pool.connect_lazy_with(options))
}

/// How long the migrations may take: the hour is for those that change something. A connection that goes silent while there
/// is nothing to change, as at nearly every start, is given up like any other.
async fn patience(connection: &mut PgConnection) -> Result<Duration, DatabaseError> {
    let versions = sqlx::raw_sql("SELECT version FROM tidegate_migrations ORDER BY version");
    let rows = match answered(versions.fetch_all(connection)).await {
        Ok(rows) => rows,
        Err(error) if error.code == UNDEFINED_TABLE => return Ok(MIGRATION_TIMEOUT),
        Err(error) => return Err(error),
    };
    let applied = rows.iter().map(|row| row.try_get(0)).collect::<Result<Vec<i64>, _>>()?;
    let is_current = applied.iter().eq(migrations::POSTGRES.iter().map(|(version, _, _)| version));
    Ok(if is_current { ANSWER_TIMEOUT } else { MIGRATION_TIMEOUT })
}

/// One transaction for all. The migrator names its statements, and a name that somebody left behind, or that we
/// leave, would be an error for whoever gets the connection next.
async fn migrate(connection: &mut PgConnection) -> Result<(), DatabaseError> {
    let mut transaction = connection.begin().await?;
    // The driver would log at every start that the migrations' table is there already.
    sqlx::raw_sql("SET LOCAL client_min_messages = warning").execute(&mut *transaction).await?;
    sqlx::raw_sql("DEALLOCATE ALL").execute(&mut *transaction).await?;
    sqlx::raw_sql(MIGRATION_LOCK).execute(&mut *transaction).await?;
    migrations::apply(migrations::POSTGRES, &mut *transaction).await?;
    sqlx::raw_sql("DEALLOCATE ALL").execute(&mut *transaction).await?;
    Ok(transaction.commit().await?)
}

fn no_answer(code: &str) -> DatabaseError {
    DatabaseError::new(Fault::Transient, code, "the server did not answer in time")
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;
    use crate::database::{
        Database, DatabaseError, DatabaseUrl, Fault,
        testing::{TestDatabase, admin_url, with_database},
    };

    async fn refusal(url: &str) -> DatabaseError {
        Database::new(&DatabaseUrl::parse(url).unwrap()).ready().await.unwrap_err()
    }

    #[tokio::test]
    async fn a_server_that_is_down_is_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        drop(listener);
        let error = refusal(&format!("postgres://me@{address}/events")).await;
        assert_eq!((error.fault, error.code.as_str()), (Fault::Transient, "io"));
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_never_answers_is_given_up() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let error = refusal(&format!("postgres://me@{}/events", listener.local_addr().unwrap())).await;
        assert_eq!((error.fault, error.code.as_str()), (Fault::Transient, "connect_timeout"));
    }

    #[tokio::test]
    async fn wrong_credentials_and_missing_databases_are_for_a_person_to_mend() {
        let admin_url = admin_url();
        let missing = refusal(&with_database(&admin_url, "nowhere")).await;
        assert_eq!((missing.fault, missing.code.as_str()), (Fault::Configuration, "3D000"));
        let (_, server) = admin_url.rsplit_once('@').unwrap();
        let wrong = refusal(&format!("postgres://postgres:wrong@{server}")).await;
        assert_eq!((wrong.fault, wrong.code.as_str()), (Fault::Configuration, "28P01"));
    }

    #[tokio::test]
    async fn only_a_database_with_something_to_migrate_is_waited_for_an_hour() {
        let database = TestDatabase::postgres().await;
        let handle = database.handle();
        let pool = handle.postgres().await.unwrap();
        let mut connection = pool.acquire().await.unwrap();
        assert_eq!(patience(&mut connection).await.unwrap(), ANSWER_TIMEOUT);
        for change in ["DELETE FROM tidegate_migrations", "DROP TABLE tidegate_migrations"] {
            sqlx::raw_sql(change).execute(&mut *connection).await.unwrap();
            assert_eq!(patience(&mut connection).await.unwrap(), MIGRATION_TIMEOUT, "{change}");
        }
    }

    #[tokio::test]
    async fn many_servers_may_start_at_once() {
        let database = TestDatabase::postgres().await;
        let (one, two, three) = (database.stranger(), database.stranger(), database.stranger());
        let (one, two, three) = tokio::join!(one.ready(), two.ready(), three.ready());
        one.and(two).and(three).unwrap();
        let pool = database.handle();
        let migrations: i64 = sqlx::query_scalar("SELECT count(*) FROM tidegate_migrations")
            .fetch_one(pool.postgres().await.unwrap())
            .await
            .unwrap();
        assert_eq!(usize::try_from(migrations).unwrap(), migrations::POSTGRES.len());
    }

    #[tokio::test]
    async fn commits_are_durable_whatever_the_default() {
        let database = TestDatabase::postgres().await;
        let handle = database.handle();
        let pool = handle.postgres().await.unwrap();
        let mut connection = pool.acquire().await.unwrap();
        for (default, wanted) in [("off", "on"), ("local", "local"), ("remote_apply", "remote_apply")] {
            let set = sqlx::query("SELECT set_config('synchronous_commit', $1, false)").bind(default);
            set.execute(&mut *connection).await.unwrap();
            let mut transaction = begin_on(&mut connection).await.unwrap();
            let show = sqlx::query_scalar("SELECT current_setting('synchronous_commit')");
            let value: String = show.fetch_one(&mut *transaction).await.unwrap();
            assert_eq!(value, wanted);
        }
    }
}
