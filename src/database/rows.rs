//! Statements for many rows at once, in few sizes, so that each is prepared once and then found in the cache.

use std::sync::Arc;

use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

/// Rows of the largest statement: from here on a larger one is no faster.
const MOST: usize = 250;

/// What remains is written in powers of two, so that no number of rows needs a statement of its own.
const SIZES: [usize; 9] = [MOST, 128, 64, 32, 16, 8, 4, 2, 1];

/// A statement with a list of rows in its middle, in few sizes.
#[derive(Debug)]
pub struct RowStatement {
    statements: Vec<(usize, SqlStr)>,
}

impl RowStatement {
    /// `before`, then `row` as often as there are rows, then `after`. All three are constants of the program:
    /// values are bound, never written into a statement.
    pub fn new(before: &'static str, row: &'static str, after: &'static str) -> Self {
        let statement = |rows| {
            let sql = format!("{before}{}{after}", vec![row; rows].join(", "));
            (rows, AssertSqlSafe(Arc::<str>::from(sql)).into_sql_str())
        };
        Self { statements: SIZES.map(statement).into() }
    }

    /// Cuts rows into pieces, each with the statement of its size.
    pub fn pieces<'a, T>(&'a self, mut rows: &'a [T]) -> impl Iterator<Item = (SqlStr, &'a [T])> {
        std::iter::from_fn(move || {
            let (size, statement) = self.statements.iter().find(|(size, _)| *size <= rows.len())?;
            let (piece, rest) = rows.split_at_checked(*size)?;
            rows = rest;
            Some((statement.clone(), piece))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_in_exactly_one_piece_and_in_order() {
        let statement = RowStatement::new("VALUES ", "(?)", " END");
        for count in [0, 1, 3, 249, 250, 251, 1_027] {
            let rows: Vec<usize> = (0..count).collect();
            let pieces: Vec<_> = statement.pieces(&rows).collect();
            assert_eq!(pieces.iter().flat_map(|(_, piece)| piece.iter().copied()).collect::<Vec<_>>(), rows);
            for (sql, piece) in pieces {
                assert_eq!(sql.as_str().matches('?').count(), piece.len());
            }
        }
        let (sql, _) = statement.pieces(&[7, 8]).next().unwrap();
        assert_eq!(sql.as_str(), "VALUES (?), (?) END");
    }
}
