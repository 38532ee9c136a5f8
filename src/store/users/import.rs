//! Importing a file of users: strict, all or nothing, and the same file twice changes nothing the second time.

use std::{
    collections::HashSet,
    io::{self, Read},
};

use super::table::Change;
use crate::database::{Database, DatabaseError};

/// Rows written at once.
const CHUNK: usize = 5_000;

/// A longer name is a mistake of the file, such as a quotation mark that is never closed.
pub(super) const USERNAME_CHARS_MAX: usize = 255;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// What an import did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ImportSummary {
    /// Users that were not there before.
    pub added: u64,
    /// Users whose name was another.
    pub updated: u64,
    /// Users that were there already.
    pub unchanged: u64,
}

/// Why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The first line is not the header.
    #[error("line 1: must be id,username")]
    Header,
    /// A line is not as it should be.
    #[error("line {line}: {problem}")]
    Row {
        /// Which line of the file, from 1.
        line: u64,
        /// What is wrong with it.
        problem: RowProblem,
    },
    /// The file could not be read to its end.
    #[error("the file cannot be read")]
    Read(#[source] io::Error),
    /// The database did not take it.
    #[error("the database did not take it")]
    Database(#[from] DatabaseError),
}

/// What is wrong with a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowProblem {
    /// Too few or too many columns.
    #[error("must have two columns")]
    Columns,
    /// Not a 64-bit integer in its plain form.
    #[error("the id must be an integer, without sign, blanks or leading zeros")]
    Id,
    /// The id stands in an earlier line as well.
    #[error("the id occurs a second time")]
    Twice,
    /// Empty, too long, not UTF-8, or with control characters or blanks around it.
    #[error(
        "the username must have 1 to 255 characters of UTF-8, no control characters, and no blanks around it"
    )]
    Username,
}

/// Imports `id,username` lines and calls `progress` with the number of rows so far. Users that are not in the file
/// stay. Works beside running servers, which load the directory again.
pub async fn import(
    database: &Database,
    reader: impl Read + Send,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<ImportSummary, ImportError> {
    let mut rows = Rows::new(reader)?;
    let mut change = Change::begin(database).await?;
    let before = change.count().await?;
    let (mut total, mut changed) = (0, 0);
    loop {
        let chunk = rows.next_chunk()?;
        if chunk.is_empty() {
            break;
        }
        total += chunk.len() as u64;
        changed += change.upsert(&chunk).await?;
        progress(total);
    }
    let added = change.count().await?.saturating_sub(before);
    if changed > 0 {
        change.commit().await?;
    }
    Ok(ImportSummary {
        added,
        updated: changed.saturating_sub(added),
        unchanged: total.saturating_sub(changed),
    })
}

/// The checked rows of a file.
pub(super) struct Rows<R> {
    /// Lines end at a line feed and only there; that the file's last line has one makes lines countable.
    reader: csv::Reader<io::Chain<R, &'static [u8]>>,
    record: csv::ByteRecord,
    seen: HashSet<i64>,
}

impl<R: Read> Rows<R> {
    pub(super) fn new(reader: R) -> Result<Self, ImportError> {
        // The header is read as any other row and the number of columns is checked here, with our own words.
        let reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .terminator(csv::Terminator::Any(b'\n'))
            .from_reader(reader.chain(b"\n".as_slice()));
        let mut rows = Self { reader, record: csv::ByteRecord::new(), seen: HashSet::new() };
        rows.advance()?;
        let mut columns = rows.record.iter();
        let first = columns.next().map(|name| name.strip_prefix(BYTE_ORDER_MARK).unwrap_or(name));
        match (first, columns.next().map(without_return), columns.next()) {
            (Some(b"id"), Some(b"username"), None) => Ok(rows),
            _ => Err(ImportError::Header),
        }
    }

    fn advance(&mut self) -> Result<bool, ImportError> {
        // Bytes in flexible rows: nothing but the reading itself can fail.
        self.reader.read_byte_record(&mut self.record).map_err(|error| ImportError::Read(error.into()))
    }

    pub(super) fn next_chunk(&mut self) -> Result<Vec<(i64, String)>, ImportError> {
        let mut chunk = Vec::with_capacity(CHUNK);
        while chunk.len() < CHUNK && self.advance()? {
            let is_blank = self.record.as_slice() == b"\r";
            if !is_blank {
                chunk.push(self.user().map_err(|problem| ImportError::Row { line: self.line(), problem })?);
            }
        }
        Ok(chunk)
    }

    /// Where the record begins. The reader only knows where it began to look for it, which may be at blank lines
    /// before it, and where it ended.
    fn line(&self) -> u64 {
        let looked_from = self.record.position().map_or(0, csv::Position::line);
        let lines = self.record.as_slice().split(|byte| *byte == b'\n').count() as u64;
        self.reader.position().line().saturating_sub(lines).max(looked_from)
    }

    fn user(&mut self) -> Result<(i64, String), RowProblem> {
        let mut columns = self.record.iter();
        let (Some(id), Some(name), None) = (columns.next(), columns.next(), columns.next()) else {
            return Err(RowProblem::Columns);
        };
        let id = plain_integer(id).ok_or(RowProblem::Id)?;
        let name = std::str::from_utf8(without_return(name)).map_err(|_| RowProblem::Username)?;
        let fits = (1..=USERNAME_CHARS_MAX).contains(&name.chars().count());
        if !fits || name.trim() != name || name.chars().any(char::is_control) {
            return Err(RowProblem::Username);
        }
        let name = name.to_owned();
        if self.seen.insert(id) { Ok((id, name)) } else { Err(RowProblem::Twice) }
    }
}

/// Lines may end as they do on Windows.
fn without_return(last_column: &[u8]) -> &[u8] {
    last_column.strip_suffix(b"\r").unwrap_or(last_column)
}

/// One number has one form, so that `7` and `007` cannot be taken for two users.
fn plain_integer(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let number: i64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}
