//! The users directory: names by id, imported from a file into the table `users` and held in memory by every server.
//!
//! `directory` is what a server asks; `import` is what an operator does; `table` is how both databases hold it. An
//! import bumps a version in its own transaction, servers poll the version, and load everything when it moved.

mod directory;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod import;
mod table;

#[cfg(test)]
mod tests;

pub use directory::{Lookup, UsersDirectory};
pub use import::{ImportError, ImportSummary, RowProblem, import};
