//! The page as its users meet it: Chromium, driven like a person would, before the real binary.
//!
//! [`browser`] drives Chromium and [`page`] knows where things are on the page; each of the other files holds one theme.
//! Servers come from the integration tests. Chromium and its driver are needed (Debian: `chromium`, `chromium-driver`);
//! without them the tests fail, for a test that is skipped shows nothing.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, and what fails is shown"
)]

mod browser;
#[path = "../integration/client.rs"]
#[allow(dead_code, reason = "shared with the integration tests, which use all of it")]
mod client;
mod hostile;
mod keyboard;
mod live;
mod origin;
mod page;
mod refusals;
#[path = "../integration/server.rs"]
#[allow(dead_code, reason = "shared with the integration tests, which use all of it")]
mod server;
mod session;
mod status;
