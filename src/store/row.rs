//! Reading rows of either database. Statements give columns the same form in both: ids and times are text.

use bytes::Bytes;
use serde_json::value::RawValue;
use sqlx::{Error, Row, postgres::PgRow, sqlite::SqliteRow};
use uuid::Uuid;

use super::json;
use crate::{clock::UnixMicros, event::time::parse_rfc3339};

/// What is made of a row.
pub(super) trait FromRow: Sized + Send {
    /// Fails where the tables are not those that the migrations made.
    fn from_row(row: &impl Columns) -> Result<Self, Error>;
}

/// The columns of a row, by name.
pub(super) trait Columns {
    fn text(&self, name: &str) -> Result<String, Error>;
    fn maybe_text(&self, name: &str) -> Result<Option<String>, Error>;
    fn maybe_number(&self, name: &str) -> Result<Option<i64>, Error>;
    fn flag(&self, name: &str) -> Result<bool, Error>;
    fn bytes(&self, name: &str) -> Result<Bytes, Error>;

    /// A sequence, count or size: none is negative.
    fn number(&self, name: &str) -> Result<u64, Error> {
        let number = self.maybe_number(name)?.and_then(|number| u64::try_from(number).ok());
        number.ok_or_else(|| no(name))
    }

    fn id(&self, name: &str) -> Result<Uuid, Error> {
        Uuid::parse_str(&self.text(name)?).map_err(|_| no(name))
    }

    fn time(&self, name: &str) -> Result<UnixMicros, Error> {
        parse_rfc3339(&self.text(name)?).ok_or_else(|| no(name))
    }

    fn json(&self, name: &str) -> Result<Box<RawValue>, Error> {
        Ok(json::verbatim(&self.text(name)?))
    }
}

fn no(name: &str) -> Error {
    Error::ColumnDecode { index: name.to_owned(), source: "not as we write it".into() }
}

macro_rules! columns {
    ($($row:ty)+) => {$(
        impl Columns for $row {
            fn text(&self, name: &str) -> Result<String, Error> {
                self.try_get(name)
            }

            fn maybe_text(&self, name: &str) -> Result<Option<String>, Error> {
                self.try_get(name)
            }

            fn maybe_number(&self, name: &str) -> Result<Option<i64>, Error> {
                self.try_get(name)
            }

            fn flag(&self, name: &str) -> Result<bool, Error> {
                self.try_get(name)
            }

            fn bytes(&self, name: &str) -> Result<Bytes, Error> {
                self.try_get::<Vec<u8>, _>(name).map(Bytes::from)
            }
        }
    )+};
}

columns!(SqliteRow PgRow);
