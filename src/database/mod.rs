//! The SQL database that every installation has: a SQLite file by default, PostgreSQL by URL.
//!
//! [`Database`] is a cheap handle that does no I/O until somebody asks for its [`Pool`]; asking connects, applies the
//! migrations of `/migrations` once, and can be repeated after any failure, so that the server starts while its
//! database is down. `sqlite` and `postgres` know how each is opened and how a transaction begins; `sqlstate` and
//! `sqlite_codes` are the tables of what an error means; `rows` makes statements for many rows. Which rows there are
//! is not known here.

pub mod postgres;
pub mod rows;
pub mod sqlite;

mod error;
mod migrations;
mod pool;
mod sqlite_codes;
mod sqlstate;
mod url;

#[cfg(test)]
pub(crate) mod testing;

pub use error::{DatabaseError, Fault};
pub use pool::{BUSY, Database, Pool};
pub use url::{DatabaseUrl, Kind, UrlError};
