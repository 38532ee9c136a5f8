//! Looking at a spool that no server has open, without changing a byte of it: what recovery and readers would mend or
//! pass over is told instead.
//!
//! Only a shared lock is taken, and only on a lock file that is there: a spool may be looked at on a file system that
//! cannot be written, and by several people at once. Memory is bounded by a window of 1 MiB or one record.

mod finding;
mod inspection;

pub use finding::{Defect, Finding, FoundRecord, InspectError, InspectedFile};
pub use inspection::Inspection;
