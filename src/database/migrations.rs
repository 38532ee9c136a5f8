//! The migrations, embedded. Both databases have the same numbers; a migration that was released is never changed.

use std::borrow::Cow;

use sqlx::{
    SqlSafeStr,
    migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator},
};

/// Beside the tables of others in a shared database, ours says whose it is.
const TABLE: &str = "tidegate_migrations";

pub(super) const SQLITE: &[(i64, &str, &str)] = &[
    (1, "tables", include_str!("../../migrations/sqlite/0001_tables.sql")),
    (2, "prunings", include_str!("../../migrations/sqlite/0002_prunings.sql")),
];

pub(super) const POSTGRES: &[(i64, &str, &str)] = &[
    (1, "tables", include_str!("../../migrations/postgres/0001_tables.sql")),
    (2, "prunings", include_str!("../../migrations/postgres/0002_prunings.sql")),
];

/// Applies what is missing. The caller holds a transaction that no other migrator can hold at the same time.
pub(super) async fn apply(
    scripts: &'static [(i64, &'static str, &'static str)],
    connection: &mut impl Migrate,
) -> Result<(), MigrateError> {
    let migration = |&(version, name, sql): &(i64, &'static str, &'static str)| {
        Migration::new(version, Cow::Borrowed(name), MigrationType::Simple, sql.into_sql_str(), false)
    };
    let mut migrator = Migrator::with_migrations(scripts.iter().map(migration).collect());
    migrator.dangerous_set_table_name(TABLE);
    migrator.set_locking(false);
    migrator.run_direct(None, connection, false).await
}

#[cfg(test)]
mod tests {
    use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row, raw_sql, sqlite::SqliteConnectOptions};

    use super::*;
    use crate::database::{testing::TestDatabase, url::Address};

    /// Of two events one was deleted by hand. Of three refusals, one of them a conflict, one was there already.
    const OLD_ROWS: &str = "
        INSERT INTO events (event_id, source, kind, action, event_type, name, event_source, time, received_at, host, \
            agent, ip, event, context, sanitised) VALUES \
            ('01900000-0000-7000-8000-000000000001', 's', '', '', '', '', '', '2026-01-01T00:00:00.000000Z', \
            '2026-01-01T00:00:00.000000Z', '', '', '', '1', '{}', FALSE);
        INSERT INTO refusals (refusal_id, source, received_at, rule, pointer, message, method, path, host, \
            content_type, config_version, body, truncated, body_hash) VALUES \
            ('01900000-0000-7000-8000-000000000002', 's', '2026-01-01T00:00:00.000000Z', 'r', '', '', '', '', '', \
            '', '', @, FALSE, @), \
            ('01900000-0000-7000-8000-000000000003', 's', '2026-01-01T00:00:00.000000Z', 'r', '', '', '', '', '', \
            '', '', @, FALSE, @);
        INSERT INTO cursors (spool_id, lane, first_sequence, next_sequence, stored, duplicates, conflicts, dead, \
            refusals, gaps, updated_at) VALUES ('01900000-0000-7000-8000-000000000009', 'storage', 0, 5, 2, 0, 1, 0, \
            2, 0, '2026-01-01T00:00:00.000000Z')";

    const COUNTED: &str = "SELECT CAST(p.events AS bigint), CAST(p.refusals AS bigint), \
        (SELECT CAST(sum(refusal_rows) AS bigint) FROM cursors), \
        (SELECT count(*) FROM refusals WHERE CAST(metadata AS text) = '{}') FROM prunings AS p";

    /// Rows missing from `events` and from `refusals`; rows of refusals that lanes wrote; rows without metadata.
    const ACCOUNTED: [i64; 4] = [1, 1, 3, 2];

    #[tokio::test]
    async fn sqlite_accounts_for_the_rows_of_version_1() {
        let database = TestDatabase::sqlite();
        let handle = database.handle();
        let Address::Sqlite(path) = &handle.url().0 else { panic!("a file") };
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        apply(&SQLITE[..1], &mut connection).await.unwrap();
        raw_sql(AssertSqlSafe(OLD_ROWS.replace('@', "x'00'"))).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let counted = raw_sql(COUNTED).fetch_one(handle.sqlite().await.unwrap().readers()).await.unwrap();
        assert_eq!([0, 1, 2, 3].map(|column| counted.get::<i64, _>(column)), ACCOUNTED);
    }

    #[tokio::test]
    async fn postgres_accounts_for_the_rows_of_version_1() {
        let database = TestDatabase::postgres().await;
        let handle = database.handle();
        let Address::Postgres(options) = &handle.url().0 else { panic!("a server") };
        let mut connection = options.clone().extra_float_digits(None).connect().await.unwrap();
        apply(&POSTGRES[..1], &mut connection).await.unwrap();
        raw_sql(AssertSqlSafe(OLD_ROWS.replace('@', "'\\x00'"))).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        let counted = raw_sql(COUNTED).fetch_one(handle.postgres().await.unwrap()).await.unwrap();
        assert_eq!([0, 1, 2, 3].map(|column| counted.get::<i64, _>(column)), ACCOUNTED);
    }

    #[test]
    fn both_databases_have_the_same_numbers_in_order() {
        let numbers =
            |scripts: &[(i64, &str, &str)]| scripts.iter().map(|script| script.0).collect::<Vec<_>>();
        assert_eq!(numbers(SQLITE), numbers(POSTGRES));
        assert!(numbers(SQLITE).is_sorted_by(|one, next| one < next));
    }
}
