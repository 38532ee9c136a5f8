//! What micro-benchmarks measure of a lane, which is private otherwise.

use uuid::Uuid;

use super::{bisect::Bisection, intake};
use crate::{sinks::Batch, spool::ReadBatch};

/// Records that a lane is about to hand to its sink.
pub struct Decoded(Bisection);

impl Decoded {
    /// Decodes what was read.
    pub fn of(read: ReadBatch) -> Self {
        Self(Bisection::new(intake::decoded(read)))
    }

    /// The batch that a lane hands to its sink first; `None` if nothing was read.
    pub fn batch(&self, spool_id: Uuid, expected: Option<u64>) -> Option<Batch<'_>> {
        self.0.portion().map(|portion| portion.batch(spool_id, expected))
    }
}
