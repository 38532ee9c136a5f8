//! The sink that writes to PostgreSQL: one statement for all rows, their columns as arrays; one transaction a batch.
//!
//! Values are bound with their types. Only the event and its context are cast, from text to jsonb, by the statement.

mod columns;
mod sink;

#[cfg(test)]
mod tests;

pub use sink::PostgresSink;
