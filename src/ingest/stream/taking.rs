//! The records of one stream on their way into the spool: judged one by one, appended chunk by chunk.

use std::{
    collections::VecDeque,
    io::{self, Read},
    sync::Arc,
};

use bytes::Bytes;
use tokio::{runtime::Handle, task::JoinHandle};
use uuid::Uuid;

use super::{Fault, StreamDelivery, record_limits, shed, stream_limits};
use crate::{
    codec::{
        records::{Record, Records, RecordsError, Rest},
        stream,
    },
    ingest::{
        accept::{Ingest, trouble},
        answer::{StreamAnswer, StreamEnd, Trouble},
        delivery_id::{DeliveryId, ELEMENTS_MAX},
        recent::KeyHashes,
        refuser::{Refuser, Rejected, encode},
        tally::Outcomes,
    },
    sources::{
        bof::{
            arrival::Arrival,
            record::{Fate, fate},
        },
        rule::{self, Breach},
    },
    spool::{AppendError, Chunk, Kind as RecordKind, Receipt},
};

/// A chunk is appended when it has grown to this, and may exceed it by one record.
const CHUNK_BYTES: usize = 512 << 10;
const CHUNK_RECORDS: usize = 4096;

/// Chunks whose fsync is awaited while the next one grows.
const CHUNKS_AWAITED_MAX: usize = 2;

/// Records that will be durable together.
#[derive(Default)]
struct Pending {
    chunk: Chunk,
    outcomes: Outcomes,
    keys: KeyHashes,
    refused_rules: Vec<&'static str>,
    refused_bytes: u64,
}

/// A stream that is being taken.
pub(super) struct Taking<'t> {
    ingest: &'t Arc<Ingest>,
    delivery: &'t StreamDelivery,
    runtime: &'t Handle,
    /// As refusals keep it.
    metadata: Bytes,
    receipt: DeliveryId,
    id: DeliveryId,
    records: usize,
    growing: Pending,
    awaited: VecDeque<(Pending, JoinHandle<Result<Receipt, AppendError>>)>,
    counts: Outcomes,
}

impl<'t> Taking<'t> {
    pub(super) fn new(ingest: &'t Arc<Ingest>, delivery: &'t StreamDelivery, runtime: &'t Handle) -> Self {
        let id = ingest.next_id(delivery.delivery.head().received_at);
        Self {
            ingest,
            delivery,
            runtime,
            metadata: delivery.metadata.to_json(),
            receipt: id,
            id,
            records: 0,
            growing: Pending::default(),
            awaited: VecDeque::new(),
            counts: Outcomes::default(),
        }
    }

    pub(super) fn run(&mut self, input: impl Read) -> StreamEnd {
        let mut plain = match stream::open(input, stream_limits(&self.delivery.delivery.source().limits)) {
            Ok(plain) => plain,
            Err(error) => return self.unreadable(error),
        };
        let end = self.take(&mut plain);
        self.delivery.door.state.tally.ignored_bytes(plain.ignored_bytes());
        end
    }

    fn take(&mut self, plain: impl Read) -> StreamEnd {
        let mut records = Records::new(plain, record_limits(&self.delivery.delivery.source().limits));
        while let Some(record) = records.next() {
            match record {
                Ok(Record::Whole(bytes)) => self.judge(&bytes),
                Ok(Record::Oversized { head, .. }) => {
                    self.refuse(&head, true, &rule::RECORD_TOO_LARGE.at(""));
                }
                Err(RecordsError::Broken(rest)) => return self.broken(&rest),
                Err(RecordsError::Read(error)) => return self.unreadable(error),
            }
            if let Err(trouble) = self.append_if_full() {
                self.counts = self.counts + shed(self.delivery, records);
                return StreamEnd::Unavailable(trouble);
            }
        }
        StreamEnd::Complete
    }

    fn judge(&mut self, sent: &Bytes) {
        let head = self.delivery.delivery.head();
        let arrival = Arrival {
            settings: &self.delivery.settings,
            source: head.source.name.as_str(),
            data_center: self.delivery.data_center.as_deref(),
            metadata: &self.delivery.metadata,
            received_at: head.received_at,
            depth_max: head.source.limits.depth,
        };
        match fate(&arrival, sent, &mut ()) {
            Fate::Event(mut event) => {
                event.set_event_id(self.next_element());
                let recent = &self.delivery.door.state.recent;
                let key = event.dedup_key.as_deref().map(|key| recent.hash(key));
                // Keys are remembered once durable; those of the chunks under way are looked for there.
                let own = |key| self.awaited.iter().any(|(pending, _)| pending.keys.contains(&key));
                let duplicate =
                    key.is_some_and(|key| recent.contains(key) || own(key) || !self.growing.keys.insert(key));
                self.growing.chunk.push(RecordKind::Event, |out| encode(event.as_ref(), out));
                let outcomes = &mut self.growing.outcomes;
                *(if duplicate { &mut outcomes.duplicate } else { &mut outcomes.committed }) += 1;
            }
            Fate::Refused(breach) => self.refuse(sent, false, &breach),
            Fate::Filtered(_) => self.growing.outcomes.filtered += 1,
            Fate::SampledOut => self.growing.outcomes.sampled_out += 1,
        }
    }

    fn refuse(&mut self, sent: &[u8], is_cut: bool, breach: &Breach) {
        let head = self.delivery.delivery.head();
        let ingest = self.ingest;
        let config_version = &self.delivery.config_version;
        let metadata = self.metadata.clone();
        let maker = Refuser { head, config_version, metadata, room: &|| ingest.refusal_room() };
        let element = Some(self.records);
        let rejected = Rejected { bytes: sent, is_cut, content_type: head.content_type.clone(), element };
        let awaited: u64 = self.awaited.iter().map(|(pending, _)| pending.refused_bytes).sum();
        let taken_before = awaited + self.growing.refused_bytes;
        let (refusal, taken) = maker.refuse(self.next_element(), rejected, breach, taken_before);
        self.growing.chunk.push(RecordKind::Refusal, |out| encode(&refusal, out));
        self.growing.outcomes.refused += 1;
        self.growing.refused_rules.push(breach.rule.id);
        self.growing.refused_bytes += taken;
    }

    /// The id of the next record. One delivery id numbers so many records; a longer delivery takes another.
    fn next_element(&mut self) -> Uuid {
        let index = self.records % ELEMENTS_MAX;
        if index == 0 && self.records > 0 {
            self.id = self.ingest.next_id(self.delivery.delivery.head().received_at);
        }
        self.records += 1;
        self.id.element(index)
    }

    /// The JSON lost its structure: what came before is taken, the rest is one refusal.
    fn broken(&mut self, rest: &Rest) -> StreamEnd {
        let breach = rule::DELIVERY_MALFORMED.at("");
        self.refuse(&rest.bytes, rest.is_cut, &breach);
        StreamEnd::Broken(breach)
    }

    /// Reading failed: the stream is compressed wrongly, exceeds a limit, or stopped coming.
    fn unreadable(&mut self, error: io::Error) -> StreamEnd {
        match Fault::of(error) {
            Fault::Input(error) => StreamEnd::Input(error),
            Fault::TooLarge(limit) => StreamEnd::TooLarge(limit),
            Fault::Corrupt => {
                let breach = rule::ENCODING_CORRUPT.at("");
                self.refuse(&[], true, &breach);
                StreamEnd::Broken(breach)
            }
        }
    }

    fn append_if_full(&mut self) -> Result<(), Trouble> {
        if self.growing.chunk.payload_bytes() < CHUNK_BYTES && self.growing.chunk.len() < CHUNK_RECORDS {
            return Ok(());
        }
        self.append();
        while self.awaited.len() > CHUNKS_AWAITED_MAX {
            self.settle()?;
        }
        Ok(())
    }

    fn append(&mut self) {
        let mut pending = std::mem::take(&mut self.growing);
        let (chunk, spool) = (std::mem::take(&mut pending.chunk), self.ingest.spool().clone());
        let append = self.runtime.spawn(async move { spool.append(chunk).await });
        self.awaited.push_back((pending, append));
    }

    /// Waits for the oldest chunk under way, and counts what has become of it.
    fn settle(&mut self) -> Result<(), Trouble> {
        let Some((pending, append)) = self.awaited.pop_front() else { return Ok(()) };
        let appended = self.runtime.block_on(append).unwrap_or(Err(AppendError::Poisoned));
        let tally = &self.delivery.door.state.tally;
        match appended {
            Ok(receipt) => {
                let keys: Vec<u64> = pending.keys.into_iter().collect();
                self.delivery.door.state.recent.remember(&keys);
                self.ingest.hold_refusals(&receipt, pending.refused_bytes);
                tally.count(pending.outcomes, &pending.refused_rules);
                self.counts = self.counts + pending.outcomes;
                Ok(())
            }
            Err(error) => {
                // What was filtered out is dealt with, durable or not.
                let outcomes = pending.outcomes.shed();
                tally.count(outcomes, &[]);
                self.counts = self.counts + outcomes;
                Err(trouble(error))
            }
        }
    }

    /// Appends what is left, waits for every fsync, and says what became of the delivery.
    pub(super) fn finish(mut self, mut end: StreamEnd) -> StreamAnswer {
        self.append();
        while !self.awaited.is_empty() {
            if let Err(trouble) = self.settle() {
                end = StreamEnd::Unavailable(trouble);
            }
        }
        self.delivery.door.state.rate.owe(self.counts.total());
        StreamAnswer { receipt: Some(self.receipt), counts: self.counts, end }
    }
}
