//! The table `refusals`, read back, and the state of its rows.
//!
//! `stored` is a row, `reading` finds rows by a filter, `summary` counts them, and `marking` changes their state. A
//! search goes along the primary key, as that of [`events`](super::events) does.

mod marking;
mod reading;
mod stored;
mod summary;

pub use marking::{Marking, mark, mark_all};
pub use reading::{RefusalFilter, between, find, list, with_bodies};
pub use stored::{RefusalState, StoredRefusal};
pub use summary::{RefusalCount, count, summary};
