//! The reference sink: what every sink must do, said in the plainest way, and what tests of other floors write to.
//!
//! It keeps everything in memory and nothing else. `tables` is what it stores and what a batch does to it; `sink` is
//! how a test scripts its failures and looks at what it holds.

mod sink;
mod tables;

pub use sink::{MemorySink, Scripted};
pub use tables::Cursor;
