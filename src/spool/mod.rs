//! The durable buffer: what was appended and answered with a [`Receipt`] is on disk, fsynced, and is read in order by
//! every lane until all lanes have it in their sinks. The spool does not look into its records.
//!
//! # The directory
//!
//! | name | what it is |
//! |---|---|
//! | `LOCK` | held (flock) while the spool is open; its contents mean nothing |
//! | `id` | the spool's id, and how far it has got, as text |
//! | `00000000000000000042.spool` | the records from sequence 42 up to the next file |
//! | `*.tmp` | a file in the making; deleted or written over at the next start |
//! | `*.corrupt` | `<file's first sequence>.<offset>.corrupt`: a copy of bytes that are no frame |
//! | `*.unreadable` | a file whose header is damaged, that is of a later version, or that bears another file's name |
//!
//! Other files are left alone. `*.corrupt` and `*.unreadable` are for a person to look at and to delete.
//!
//! # The format, version 1
//!
//! Numbers are little-endian. A spool file begins with its header, twice, so that damage to one byte does not cost
//! the file. A copy of the header has 48 bytes:
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 8 | `tidegate` |
//! | 8 | 4 | version, 1; a later version has magic and version in the same places |
//! | 12 | 4 | salt, random |
//! | 16 | 16 | id of the spool when the file was made |
//! | 32 | 8 | sequence of the first record, as in the file's name |
//! | 40 | 4 | zeros |
//! | 44 | 4 | CRC-32C of the 44 bytes before |
//!
//! Frames follow, from offset 96, one for each record:
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 4 | length of the payload |
//! | 4 | 4 | CRC-32C of length, kind, sequence and payload, in this order, with the salt as initial value |
//! | 8 | 1 | kind: 1 event, 2 refusal; others are handed to the reader as they are |
//! | 9 | 8 | sequence |
//! | 17 | … | payload |
//!
//! Because of the salt, payload bytes cannot pass for a frame: no sender knows it.
//!
//! The file `id` has a title, the lines `id <UUID>` and `newest <first sequence of the newest file>`, a line
//! `end <sequence after the last record>` if nothing more will be appended to that file, and a checksum.
//!
//! # Writing
//!
//! One thread, the writer, changes the directory; nobody else does. It takes what is queued, up to 4,096 records or
//! 4 MiB, never dividing a chunk; gives out sequences, writes, calls fdatasync once, shows the records to the
//! readers and answers everybody who waits. There is no timer: while one batch is synced the next one gathers.
//!
//! A file is made in three durable steps before its first record is written: the file with its header, its name, and
//! the note in `id` that it is there. It is closed when it is large enough. Files that were there when the spool was
//! opened are never appended to.
//!
//! If space runs out, the unfinished part is cut off, the batch is refused, and the next append tries again. Any other
//! failed write, and any failed fsync, poisons the spool: after it the kernel may drop what it could not write, show it
//! all the same, and call the next fsync a success. So nothing more is written but, if that is still possible, the
//! durable end into `id`; the next start cuts off what lies behind it.
//!
//! A chunk is seen by readers whole. After a crash before its answer any part of it may be there: what was not
//! answered may be there once or not at all, and is kept if it is there.
//!
//! # Deleting
//!
//! A file goes when it is closed and all registered lanes have released all of its records; while a registered lane
//! has not spoken, nothing goes. Oldest first, and each durably before the next, so that a crash leaves no hole. If it
//! is the newest file, `id` is told its end first. A file that comes back by a crash holds only what all lanes have.
//!
//! # Recovery
//!
//! From any prefix, flipped bit or missing file it starts, and loses no intact record.
//!
//! - Bytes that are no frame are passed over up to the next intact frame whose sequence may follow. They are copied to
//!   a `*.corrupt` file, counted and logged. In the newest file this is done at the start, in others when a reader
//!   comes to them, so that the start does not depend on how much is in the spool. Readers count sequences that they
//!   do not find as gaps, and go on.
//! - The newest file may end in a frame that is cut short. An fsynced frame is not, so nobody was told that it is
//!   durable: this torn tail is cut off, and no word is lost about it.
//! - What is left of the newest file is fsynced before anybody sees it: a killed process may have left it to the kernel.
//! - A sequence is never given out twice under one id, because a lane that has it already would not take it again.
//!   It could be given out again if we did not know how far we had got. We know if `id` has an `end` (the spool
//!   was closed, or its newest file deleted) or if the newest file that `id` names is there and ends with an intact
//!   frame or a torn tail. Otherwise (`id` is missing or damaged, the newest file is missing or has no readable header,
//!   or its end is damaged) the spool takes a new id before anything else, and lanes start over at the oldest record;
//!   sinks know what they have by the ids of the events. What is left is a disk that cut an fsynced file at a frame's
//!   end without a trace, or that was set back to an earlier state: there a lane's cursor lies beyond the end,
//!   and the lane calls [`Spool::renew_id`].

mod active_file;
mod chunk;
mod commit_metrics;
mod damage;
mod directory;
mod file_header;
mod frame;
mod handle;
mod identity;
mod inbox;
mod index;
pub mod inspect;
mod lanes;
mod reader;
mod receipt;
mod recovery;
mod report;
mod scan;
mod settings;
mod shared;
mod status;
mod writer;

pub use chunk::{Chunk, Kind};
pub use handle::{CloseError, Queued, RenewError, Spool};
pub use reader::{ReadBatch, ReadError, Reader, Record};
pub use receipt::{AppendError, Receipt};
pub use report::{NewId, OpenError, Recovery};
pub use settings::Settings;
pub use shared::Phase;
pub use status::Status;

use shared::locked;

#[cfg(test)]
mod tests;
