//! The migrations, embedded. Both databases have the same numbers; a migration that was released is never changed.

use std::borrow::Cow;

use sqlx::{
    SqlSafeStr,
    migrate::{Migrate, MigrateError, Migration, MigrationType, Migrator},
};

/// Beside the tables of others in a shared database, ours says whose it is.
const TABLE: &str = "tidegate_migrations";

pub(super) const SQLITE: &[(i64, &str, &str)] =
    &[(1, "tables", include_str!("../../migrations/sqlite/0001_tables.sql"))];

pub(super) const POSTGRES: &[(i64, &str, &str)] =
    &[(1, "tables", include_str!("../../migrations/postgres/0001_tables.sql"))];

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
    use super::*;

    #[test]
    fn both_databases_have_the_same_numbers_in_order() {
        let numbers =
            |scripts: &[(i64, &str, &str)]| scripts.iter().map(|script| script.0).collect::<Vec<_>>();
        assert_eq!(numbers(SQLITE), numbers(POSTGRES));
        assert!(numbers(SQLITE).is_sorted_by(|one, next| one < next));
    }
}
