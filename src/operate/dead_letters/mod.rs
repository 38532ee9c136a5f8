//! Dead letters, for an operator: list and show them (`listing`), give them a second chance or discard them (`disposal`).
//!
//! What a list or a failure says is safe to be written anywhere. Only a letter that is shown holds its record and the
//! words of the sink, which may repeat it.

mod disposal;
mod listing;

#[cfg(test)]
mod tests;

use std::io;

pub use disposal::{Discarded, LETTERS_MAX, RequeueFailure, Requeued, Selection, discard, requeue};
pub use listing::{LetterItem, LetterPage, ShownLetter, list, show};

pub(super) use listing::{describe, read_record};

use super::lanes::UnknownSink;
use crate::drain::{dead_letters::ReadLetterError, letter::DecodeError};

/// Why nothing was listed or changed.
#[derive(Debug, thiserror::Error)]
pub enum LettersError {
    /// There is no such sink.
    #[error(transparent)]
    Sink(#[from] UnknownSink),
    /// The cursor is none of ours.
    #[error("the cursor is none that a list has given")]
    Cursor,
    /// So many at once are not handled.
    #[error("at most {LETTERS_MAX} dead letters are handled at once")]
    TooMany,
    /// There is no such letter.
    #[error("there is no such dead letter")]
    Missing,
    /// The letter cannot be read.
    #[error("the dead letter cannot be read")]
    Unreadable(#[source] ReadLetterError),
    /// The disk failed; some letters may be gone.
    #[error("the dead letters could not be removed")]
    Disk(#[source] io::Error),
}

fn code(error: &ReadLetterError) -> &'static str {
    match error {
        ReadLetterError::Disk(error) if error.kind() == io::ErrorKind::NotFound => "missing",
        ReadLetterError::Disk(_) => "disk",
        ReadLetterError::Decode(DecodeError::Unknown) => "letter_version",
        ReadLetterError::Decode(DecodeError::Damaged) => "letter_damaged",
        ReadLetterError::Decode(DecodeError::Malformed(_)) => "letter_malformed",
    }
}

fn is_missing(error: &ReadLetterError) -> bool {
    matches!(error, ReadLetterError::Disk(error) if error.kind() == io::ErrorKind::NotFound)
}
