//! Taking a delivery that is too large to hold: decode, split, judge and append while it still arrives.
//!
//! Runs on a thread that may block, fed from the socket through a bounded queue. Memory is that of a few pieces: the
//! reading buffer, one record, and the chunks whose fsync is awaited. What was appended stays, whatever comes after it;
//! every event counts once its own chunk is durable. `taking` is the work itself.

mod taking;

use std::{
    io::{self, Read},
    sync::Arc,
};

use tokio::runtime::Handle;

use self::taking::Taking;
use super::{
    accept::Ingest,
    answer::{StreamAnswer, StreamEnd, Trouble},
    registry::Door,
    tally::Outcomes,
};
use crate::{
    codec::{
        records::{RecordLimits, Records},
        stream::{self, StreamError, StreamLimits},
    },
    sources::{
        Limits,
        bof::{self, metadata::Metadata},
        delivery::AuthenticDelivery,
    },
};

/// A delivery to be taken as a stream.
pub struct StreamDelivery {
    /// Its sender.
    pub delivery: AuthenticDelivery,
    /// Where it goes.
    pub door: Arc<Door>,
    /// How the source reads records.
    pub settings: Arc<bof::Settings>,
    /// The data center that its path names.
    pub data_center: Option<String>,
    /// What its headers say.
    pub metadata: Metadata,
    /// Which settings are in force.
    pub config_version: Arc<str>,
}

impl Ingest {
    /// Takes a stream. Blocks; run it where that is allowed, and as a task of its own.
    pub fn take_stream(
        self: &Arc<Self>,
        delivery: &StreamDelivery,
        runtime: &Handle,
        input: impl Read,
    ) -> StreamAnswer {
        let mut taking = Taking::new(self, delivery, runtime);
        let end = taking.run(input);
        taking.finish(end)
    }

    /// Reads a stream that is turned away, only to count what it holds: every shed record is counted.
    pub fn shed_stream(&self, delivery: &StreamDelivery, input: impl Read, trouble: Trouble) -> StreamAnswer {
        let limits = &delivery.delivery.source().limits;
        let counts = match stream::open(input, stream_limits(limits)) {
            Ok(plain) => shed(delivery, Records::new(plain, record_limits(limits))),
            Err(_) => Outcomes::default(),
        };
        StreamAnswer { receipt: None, counts, end: StreamEnd::Unavailable(trouble) }
    }
}

/// Reads records for which there is no room, only to count them.
fn shed(delivery: &StreamDelivery, records: Records<impl Read>) -> Outcomes {
    let shed = records.take_while(Result::is_ok).count() as u64;
    let counts = Outcomes { shed, ..Outcomes::default() };
    delivery.door.state.tally.count(counts, &[]);
    counts
}

/// Why a stream cannot be read on.
pub(super) enum Fault {
    /// It stopped coming.
    Input(io::Error),
    /// It exceeds a limit; the word names its setting.
    TooLarge(&'static str),
    /// It is not what its first bytes say.
    Corrupt,
}

impl Fault {
    /// What an error of reading means.
    pub(super) fn of(error: io::Error) -> Self {
        match StreamError::of(&error) {
            None => Self::Input(error),
            Some(StreamError::TooLarge { .. }) => Self::TooLarge("limits.decoded"),
            Some(StreamError::Ratio { .. }) => Self::TooLarge("limits.expansion_ratio"),
            Some(StreamError::BlockTooLarge { .. }) => Self::TooLarge("limits.lzop_block"),
            Some(_) => Self::Corrupt,
        }
    }
}

pub(super) fn stream_limits(limits: &Limits) -> StreamLimits {
    StreamLimits {
        decoded_bytes: limits.decoded_bytes as u64,
        ratio: limits.expansion_ratio,
        block_bytes: limits.lzop_block_bytes,
    }
}

pub(super) fn record_limits(limits: &Limits) -> RecordLimits {
    RecordLimits { record_bytes: limits.record_bytes }
}
