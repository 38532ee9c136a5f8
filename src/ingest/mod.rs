//! From a delivery to durable events: the one joint between sources, the users directory and the spool.
//!
//! `registry` finds the source of a path and keeps what outlives a reload of the settings, `prepare` turns bytes into
//! what is appended (pure, and moved off the runtime's workers when large), `accept` appends it, `underway` sees to it that
//! it is counted, `stream` does all of it for deliveries that are never held whole. `judging` says what would become of bytes, for refusals that are looked
//! at `again` and for `explain`. Nothing is answered before the spool's receipt; whatever is counted as an outcome is
//! counted as received in the same breath.

pub mod accept;
pub mod again;
pub mod answer;
pub mod body;
pub mod delivery_id;
pub mod explain;
pub mod judging;
#[cfg(feature = "micro-benchmarks")]
pub mod micro;
mod prepare;
mod rate;
mod recent;
pub mod refusal_share;
mod refuser;
pub mod registry;
pub mod stream;
pub mod tally;
mod underway;

#[cfg(test)]
mod tests;
