//! Replay: refusals are judged again by the settings in force, and what passes is stored after all.
//!
//! *What passes* is appended to the spool like any event, under the id that it had under its receipt, with the time, path,
//! host and headers of then. Where the events of so long ago are deleted by age (`storage.keep`), it is deleted with them,
//! within the hour. Only when the spool's receipt is there is the refusal's new state committed. A crash in between, a
//! second replay or one by another process appends the same ids once more, and lanes store each once. A database that
//! cannot be written to stops a replay before anything is appended.
//!
//! *What is a duplicate.* A sender that was told 400 may have mended its event and sent it again, or have sent the refused
//! one several times. So an event whose key is taken by another event, in the tables or earlier in the same replay, is
//! not appended: the sender's own word for "the same" settles it. The refusal counts as replayed, for nothing of it is
//! missing, and keeps its bytes.
//!
//! *Who has the last word.* A key may be taken by an event that a lane still has before it, where no look-up finds it. The
//! replay then says *stored*, and the lane finds that it cannot be: of other content, it makes the refusal new again in
//! the transaction in which it drops the event, so that the next replay sees the key taken.
//!
//! *What stays new.* A refusal is replayed when each of its elements is stored or a duplicate. One that is refused again,
//! or that nobody wants by the settings of today, stays in the list with its bytes until a later replay, or until it is
//! discarded: a replay never makes anything disappear. Of a whole body with several elements the good ones are stored all
//! the same, and found to be duplicates next time. A `dedup.conflict` is an event that only lacked its key: it is stored
//! when the key is free, and stays refused as long as other content has it.
//!
//! The rate of the source does not apply, and a source that is switched off is shut to its sender only. Deliveries go
//! first: above four fifths of the spool a replay stops, as it does where the users directory is needed and not loaded.

mod call;
mod portion;
mod report;

#[cfg(test)]
mod tests;

pub use call::{Replay, ReplayError, ReplayRequest};
pub use report::{NotReplayable, ReplayReport};
