//! The canonical event and the refusal: what the spool carries, the lanes move and the sinks write.
//!
//! `record` is the wire form of both; `json` reads a sender's bytes without altering them; `time` reads and writes
//! timestamps. Nothing here knows where an event came from or where it goes.

pub mod json;
pub mod record;
pub mod time;
