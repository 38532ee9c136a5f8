//! What must hold for any bytes: one check for every parser that meets the network or the disk.
//!
//! Compiled for fuzzing and for tests only, and named the same in both: `fuzz/` hands a check the bytes that a fuzzer
//! thinks of, `tests` hands it every file of the corpus that fuzzing left behind, and cases with small changes. Not
//! panicking is the least of what is asked; each check says at its function what else must be true. `model` reads
//! events in the plainest way that the contract allows, and slowly, for comparison.
//!
//! What is private to a module is checked by a `fuzz` of its own, beside what it checks.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a check speaks by panicking"
)]

mod bid_opportunities;
mod delivery;
mod encodings;
mod events;
mod json;
mod letters;
mod model;
mod settings;
mod spool;
mod streams;
mod times;

#[cfg(test)]
mod tests;

/// A check: panics where something does not hold.
pub type Check = fn(&[u8]);

/// Every check, by the name of its corpus.
pub const CHECKS: &[(&str, Check)] = &[
    ("head", crate::http::server::fuzz::requests),
    ("key", delivery::key),
    ("signature", delivery::signature),
    ("segment", events::segment),
    ("bof", bid_opportunities::bof),
    ("json", json::json),
    ("times", times::times),
    ("codec", encodings::codec),
    ("stream", streams::stream),
    ("spool", spool::spool),
    ("letter", letters::letter),
    ("row", crate::sinks::fuzz::row),
    ("settings", settings::settings),
    ("users", crate::store::users::fuzz::users),
];

/// Runs the check of this name.
pub fn check(name: &str, bytes: &[u8]) {
    let (_, check) = CHECKS.iter().find(|(known, _)| *known == name).expect("a check of this name");
    check(bytes);
}
