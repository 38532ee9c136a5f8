//! Reading back what was written, deleting what is old, and the users directory.
//!
//! `events` and `refusals` are the tables as operators ask for them, a [`page::Page`] at a time; `cursors` is what the
//! lanes say they wrote; `retention` deletes. They share `range`, a span of time, and three private modules:
//! `statement` is SQL with its bound values in either database's spelling, `transaction` runs it, `row` reads it.

pub mod cursors;
pub mod events;
pub mod json;
pub mod page;
pub mod range;
pub mod refusals;
pub mod retention;
pub mod users;

mod row;
mod statement;
mod transaction;

#[cfg(test)]
mod tests;

pub use transaction::TOO_SLOW;
