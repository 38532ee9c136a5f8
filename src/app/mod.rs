//! The server's life: build everything in order, run until told to stop, stop in the reverse order under a deadline.
//!
//! `build` makes the parts, `run` waits and stops, `reload` replaces what may change while it runs,
//! `file_handles` shares out what the system lends.

mod build;
mod file_handles;
mod reload;
pub mod run;
