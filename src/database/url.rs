//! The address of a database, checked before anything connects. No form of printing shows its password.

use std::{fmt, path::PathBuf};

use sqlx::{ConnectOptions, postgres::PgConnectOptions};

/// What PostgreSQL addresses may say after `?`; the driver would log anything else, and it might be a secret.
const PARAMETERS: &[&str] = &[
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file of our own.
    Sqlite,
    /// A server.
    Postgres,
}

/// A checked address: `sqlite://PATH` or `postgres://[USER[:PASSWORD]@]HOST[:PORT]/DATABASE[?PARAMETERS]`.
///
/// A SQLite path is taken as it is written, relative to the working directory unless it begins with a slash. What a
/// PostgreSQL address leaves out comes from `PGHOST`, `PGUSER`, `PGPASSWORD` and their like.
#[derive(Clone)]
pub struct DatabaseUrl(pub(super) Address);

#[derive(Clone)]
pub(super) enum Address {
    Sqlite(PathBuf),
    Postgres(Box<PgConnectOptions>),
}

/// Why a text is no address. Never repeats the text, which may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum UrlError {
    /// Neither of the two schemes.
    #[error("must begin with sqlite:// or postgres://")]
    Scheme,
    /// `sqlite://` and nothing, or a database that does not outlive the process.
    #[error("must name a file after sqlite://; events in memory would not survive the process")]
    NoFile,
    /// `sqlite://…?…`.
    #[error("sqlite:// takes no parameters; a path cannot contain a question mark")]
    SqliteParameters,
    /// A parameter that is not known.
    #[error("has an unknown parameter; known are {}", PARAMETERS.join(", "))]
    UnknownParameter,
    /// Whatever else is wrong with it.
    #[error(
        "is no valid PostgreSQL address; a user or password with special characters must be percent-encoded"
    )]
    Postgres,
}

/// Equal is what leads to the same database by the same credentials.
impl PartialEq for DatabaseUrl {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Address::Sqlite(path), Address::Sqlite(other)) => path == other,
            (Address::Postgres(options), Address::Postgres(other)) => {
                options.to_url_lossy() == other.to_url_lossy()
            }
            _ => false,
        }
    }
}

impl DatabaseUrl {
    /// Checks an address.
    pub fn parse(url: &str) -> Result<Self, UrlError> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            return match path {
                "" | ":memory:" => Err(UrlError::NoFile),
                _ if path.contains('?') => Err(UrlError::SqliteParameters),
                _ => Ok(Self::sqlite(path)),
            };
        }
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(UrlError::Scheme);
        }
        let (_, query) = url.split_once('?').unwrap_or_default();
        let mut names = query.split('&').map(|pair| pair.split_once('=').unwrap_or((pair, "")).0);
        if !query.is_empty() && !names.all(|name| PARAMETERS.contains(&name) || name.starts_with("options["))
        {
            return Err(UrlError::UnknownParameter);
        }
        let options = url.parse().map_err(|_| UrlError::Postgres)?;
        Ok(Self(Address::Postgres(Box::new(options))))
    }

    /// The address of a SQLite file, whatever characters its path has.
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self(Address::Sqlite(path.into()))
    }

    /// Which database it is.
    pub fn kind(&self) -> Kind {
        match self.0 {
            Address::Sqlite(_) => Kind::Sqlite,
            Address::Postgres(_) => Kind::Postgres,
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Address::Sqlite(path) => write!(formatter, "sqlite://{}", path.display()),
            Address::Postgres(options) => {
                let user = options.get_username();
                let host =
                    options.get_socket().map_or(options.get_host().into(), |path| path.to_string_lossy());
                let port = options.get_port();
                let database = options.get_database().unwrap_or(user);
                write!(formatter, "postgres://{user}@{host}:{port}/{database}")
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_are_read_and_printed_without_the_password() {
        for (url, printed) in [
            ("sqlite://data/events.db", "sqlite://data/events.db"),
            ("sqlite:///var/lib/ä b%20.db", "sqlite:///var/lib/ä b%20.db"),
            ("postgres://me:hush%21@db.example:5433/events", "postgres://me@db.example:5433/events"),
            ("postgresql://me@db:1/e?password=hush%21&sslmode=require", "postgres://me@db:1/e"),
            ("postgres://me:hush%21@h:1/?host=/run/postgresql&dbname=e", "postgres://me@/run/postgresql:1/e"),
        ] {
            let parsed = DatabaseUrl::parse(url).unwrap();
            assert_eq!(parsed.to_string(), printed);
            assert!(!format!("{parsed:?}").contains("hush"));
        }
    }

    #[test]
    fn mistakes_are_named_and_never_repeated() {
        for (url, wanted) in [
            ("hush", "Scheme"),
            ("mysql://hush@h/d", "Scheme"),
            ("sqlite:hush", "Scheme"),
            ("sqlite://", "NoFile"),
            ("sqlite://:memory:", "NoFile"),
            ("sqlite://hush?mode=ro", "SqliteParameters"),
            ("postgres://me:hush@h:port/d", "Postgres"),
            ("postgres://me:hu/sh@h/d", "Postgres"),
            ("postgres://me@h/d?passwort=hush", "UnknownParameter"),
            ("postgres://me:hu?sh@h/d", "UnknownParameter"),
            ("postgres://me@h/d?sslmode=hush", "Postgres"),
        ] {
            let error = DatabaseUrl::parse(url).unwrap_err();
            assert_eq!(format!("{error:?}"), wanted, "{url}");
            assert!(!error.to_string().contains("hush"));
        }
    }
}
