//! What an error of a database means for whoever asked.

use sqlx::{migrate::MigrateError, postgres::PgDatabaseError, sqlite::SqliteError};

use super::{sqlite_codes, sqlstate};

/// What to do about an error. Whatever is in no table is [`Fault::Transient`]: to wait is always safe.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It may pass by itself.
    Transient,
    /// A person has to mend it.
    Configuration,
    /// A value that this database can never store.
    BadRow,
    /// The conversation broke off. Transient, unless something was being committed: then nobody knows the outcome.
    Interrupted,
}

/// An error of the database. `message` may repeat row data: it never belongs in a log.
#[derive(Debug, thiserror::Error)]
#[error("{fault:?} ({code})")]
pub struct DatabaseError {
    /// What it means.
    pub fault: Fault,
    /// SQLSTATE, SQLite result code, or a word of ours; safe to log.
    pub code: String,
    /// The driver's words.
    pub message: String,
}

impl DatabaseError {
    /// An error with this meaning.
    pub fn new(fault: Fault, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { fault, code: code.into(), message: message.into() }
    }
}

impl From<sqlx::Error> for DatabaseError {
    fn from(error: sqlx::Error) -> Self {
        let (fault, code) = match &error {
            sqlx::Error::Database(error) => return of_server(&**error),
            sqlx::Error::Migrate(_) => (Fault::Configuration, "migration"),
            sqlx::Error::Io(_) => (Fault::Interrupted, "io"),
            sqlx::Error::Protocol(_) => (Fault::Interrupted, "protocol"),
            sqlx::Error::WorkerCrashed => (Fault::Interrupted, "worker_crashed"),
            sqlx::Error::Configuration(_) => (Fault::Configuration, "options"),
            sqlx::Error::Tls(_) => (Fault::Configuration, "tls"),
            // The tables are not those that the migrations made.
            sqlx::Error::ColumnNotFound(_)
            | sqlx::Error::ColumnIndexOutOfBounds { .. }
            | sqlx::Error::ColumnDecode { .. }
            | sqlx::Error::Decode(_)
            | sqlx::Error::TypeNotFound { .. }
            | sqlx::Error::RowNotFound => (Fault::Configuration, "schema"),
            sqlx::Error::Encode(_) => (Fault::BadRow, "encode"),
            sqlx::Error::PoolTimedOut => (Fault::Transient, "pool_timeout"),
            sqlx::Error::PoolClosed => (Fault::Transient, "pool_closed"),
            _ => (Fault::Transient, "other"),
        };
        Self::new(fault, code, error.to_string())
    }
}

fn of_server(error: &(dyn sqlx::error::DatabaseError + 'static)) -> DatabaseError {
    let code = error.code().unwrap_or_default();
    let (fault, code) = if error.try_downcast_ref::<PgDatabaseError>().is_some() {
        (sqlstate::fault(&code), code.into_owned())
    } else if error.try_downcast_ref::<SqliteError>().is_some() {
        sqlite_codes::fault(&code, error.message())
    } else {
        (Fault::Transient, code.into_owned())
    };
    DatabaseError::new(fault, code, error.message())
}

impl From<MigrateError> for DatabaseError {
    fn from(error: MigrateError) -> Self {
        let code = match error {
            MigrateError::Execute(error) | MigrateError::ExecuteMigration(error, _) => {
                return error.into();
            }
            MigrateError::VersionMissing(_) => "schema_newer",
            MigrateError::VersionMismatch(_) => "schema_changed",
            _ => "migration",
        };
        Self::new(Fault::Configuration, code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn what_a_person_must_mend_is_told_from_what_passes() {
        for (error, fault) in [
            (sqlx::Error::Io(io::ErrorKind::ConnectionReset.into()), Fault::Interrupted),
            (sqlx::Error::PoolTimedOut, Fault::Transient),
            (sqlx::Error::Tls("no".into()), Fault::Configuration),
            (sqlx::Error::Encode("no".into()), Fault::BadRow),
            (sqlx::Error::BeginFailed, Fault::Transient),
        ] {
            assert_eq!(DatabaseError::from(error).fault, fault);
        }
        assert_eq!(DatabaseError::from(MigrateError::VersionMissing(9)).code, "schema_newer");
    }

    #[test]
    fn what_is_printed_leaves_the_message_out() {
        let error = DatabaseError::new(Fault::BadRow, "22P05", "row data");
        assert_eq!(error.to_string(), "BadRow (22P05)");
    }
}
