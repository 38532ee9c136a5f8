//! A stream of plain bytes, split into JSON records while it is read.
//!
//! The first byte that is no blank decides the form: `[` begins an array whose elements are the records; `{` begins
//! objects that follow each other, on lines of their own or not (JSONL, concatenated, a single one). Nothing else is
//! understood, a byte order mark neither. No bytes, or blanks alone, are no records.
//!
//! Splitting follows strings and nesting, and nothing else: whether a record is JSON is found when it is parsed, once,
//! by whoever takes it. For JSON the two agree about where a record ends. Of what is no JSON there are two kinds. A
//! record that nests and quotes properly is handed out, refused alone, and does not harm the next. Where nesting or
//! quoting is lost, the end of the record cannot be known: splitting ends, and what remains is one refusal.
//!
//! Memory is bounded by a few times the limit of a record, whatever the stream. A longer record is skipped, however
//! long, and only its beginning is handed out.

mod record;
mod split;
mod value;
mod window;

#[cfg(test)]
mod proptests;
#[cfg(test)]
mod tests;

pub use record::{Record, RecordLimits, RecordsError, Rest};
pub use split::Records;
