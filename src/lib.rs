//! tidegate: collects events that other systems push over HTTP and gets each of them into storage exactly once.
//!
//! Modules stand on floors and import only from floors beneath; `tests/architecture.rs` holds them to it and
//! `docs/ARCHITECTURE.md` draws the house.

pub mod app;
pub mod cli;
pub mod clock;
pub mod codec;
pub mod config;
pub mod database;
pub mod disk;
pub mod drain;
pub mod event;
#[cfg(any(test, fuzzing))]
pub mod fuzz;
pub mod http;
pub mod ingest;
pub mod operate;
pub mod secret;
pub mod sinks;
pub mod sources;
pub mod spool;
pub mod store;
pub mod telemetry;
