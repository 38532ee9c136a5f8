//! The server's life: build everything in order, run until told to stop, stop in the reverse order under a deadline.
//!
//! `build` makes the parts, `run` waits and stops, `reload` replaces what may change while it runs.

mod build;
mod reload;
pub mod run;
