//! The server as its users meet it: the real binary, real sockets, a real database. Of the library only the lists of
//! routes and metrics are used, to compare them with what the binary does.
//!
//! Every test starts a server of its own in a directory of its own, so all of them run at once. [`server`] starts and
//! stops servers, [`client`] speaks HTTP without knowing better than the test, and each of the other files holds one
//! theme of the contract. Nothing sleeps to wait for something: what takes time is asked for until a deadline.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test fails by panicking, and what fails is shown"
)]

mod batches;
mod bof;
mod cases;
mod cli_ask;
mod cli_real;
mod cli_send;
mod cli_spool;
mod cli_stub;
mod client;
mod commands;
mod encodings;
mod json;
mod limits;
mod monitoring;
mod openapi;
mod operations;
mod operator;
mod packaging;
mod pgbouncer;
mod refusals;
mod reload;
mod secrets;
mod segment_preset;
mod server;
mod signatures;
mod stop;
