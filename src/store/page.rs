//! Part of a long answer: bounded by a number of rows and by bytes, whatever the rows hold.

use sqlx::Error;
use uuid::Uuid;

use super::{
    row::{Columns, FromRow},
    statement::{Statement, Value},
    transaction::{SEARCH, Transaction},
};
use crate::database::{Database, DatabaseError};

/// Bytes that the rows of a page may hold together. One row alone may have more.
const PAGE_BYTES: u64 = 8 << 20;

/// Part of an answer. It may be shorter than was asked for and not be the last: only `next` tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page<T> {
    /// The rows, in the order of their ids.
    pub items: Vec<T>,
    /// Where to go on: the id of the last row, if there are more behind it.
    pub next: Option<Uuid>,
}

/// How large a row is.
pub(super) struct Size {
    pub(super) id: Uuid,
    pub(super) bytes: u64,
}

impl FromRow for Size {
    fn from_row(row: &impl Columns) -> Result<Self, Error> {
        Ok(Self { id: row.id("id")?, bytes: row.number("bytes")? })
    }
}

/// Reads a page of at most `limit` rows: `sizes` finds their `id` and `bytes` and ends in its conditions; `rows` ends in
/// `WHERE`, and reads those of them that fit.
pub(super) async fn read<T: FromRow>(
    database: &Database,
    mut sizes: Statement,
    mut rows: Statement,
    id: &'static str,
    order: &'static str,
    limit: usize,
) -> Result<Page<T>, DatabaseError> {
    let limit = limit.max(1);
    // One more than wanted, to know whether there are more.
    sizes.push(order).push(" LIMIT ").bind(Value::Number(limit as u64 + 1));
    let mut transaction = Transaction::read(database, SEARCH).await?;
    let found: Vec<Size> = transaction.rows(&sizes).await?;
    let (ids, next) = fill(&found, limit);
    rows.bind_any(id, Value::Ids(ids)).push(order);
    Ok(Page { items: transaction.rows(&rows).await?, next })
}

/// The rows that make up a page of at most `limit`, and where to go on. At least one, so that every row can be had.
pub(super) fn fill(sizes: &[Size], limit: usize) -> (Vec<Uuid>, Option<Uuid>) {
    let mut bytes = 0_u64;
    let fits = |size: &&Size| {
        bytes = bytes.saturating_add(size.bytes);
        bytes <= PAGE_BYTES
    };
    let count = sizes.iter().take(limit).take_while(fits).count().max(1);
    let ids: Vec<Uuid> = sizes.iter().take(count).map(|size| size.id).collect();
    let next = ids.last().copied().filter(|_| ids.len() < sizes.len());
    (ids, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(bytes: &[u64], limit: usize) -> (usize, Option<u128>) {
        let sizes: Vec<Size> =
            bytes.iter().zip(1..).map(|(&bytes, id)| Size { id: Uuid::from_u128(id), bytes }).collect();
        let (ids, next) = fill(&sizes, limit);
        (ids.len(), next.map(|id| id.as_u128()))
    }

    #[test]
    fn a_page_ends_at_its_limit_or_when_it_is_full_and_has_at_least_one_row() {
        for (bytes, limit, want) in [
            (&[][..], 10, (0, None)),
            (&[1, 1], 2, (2, None)),
            (&[1, 1, 1], 2, (2, Some(2))),
            (&[PAGE_BYTES - 1, 1, 1], 10, (2, Some(2))),
            (&[PAGE_BYTES, 1], 10, (1, Some(1))),
            (&[u64::MAX, u64::MAX], 10, (1, Some(1))),
            (&[u64::MAX], 10, (1, None)),
        ] {
            assert_eq!(filled(bytes, limit), want, "{bytes:?}");
        }
    }
}
