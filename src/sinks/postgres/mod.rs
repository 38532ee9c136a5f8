//! The sink that writes to PostgreSQL: one statement for all rows, their columns as arrays; one transaction a batch.
//!
//! Values are bound with their types. Only what we checked to be JSON, or wrote, is cast by the statement, from text to jsonb.

pub(super) mod columns;
mod sink;

#[cfg(test)]
mod tests;

pub use sink::PostgresSink;
