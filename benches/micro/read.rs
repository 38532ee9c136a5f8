//! From the spool to what a lane hands to its sink: reading (from the page cache), decoding, the batch.

use std::sync::Arc;

use divan::{
    Bencher, black_box,
    counter::{BytesCount, ItemsCount},
};
use tempfile::TempDir;
use tidegate::{
    drain::{self, micro::Decoded},
    ingest::micro,
    spool::{Chunk, ReadBatch, Settings, Spool},
};

use crate::{input, measured, unsynced::Unsynced};

/// As many as a lane reads at once by default.
const EVENTS: usize = 5_000;

struct Spooled {
    spool: Spool,
    /// Lives as long as the spool in it.
    _directory: TempDir,
}

impl Spooled {
    fn new(events: usize) -> Self {
        let directory = TempDir::with_prefix("tidegate-micro-").unwrap();
        let settings = Settings { directory: directory.path().join("spool"), ..Settings::default() };
        let (spool, _) = Spool::open(Arc::new(Unsynced), settings).unwrap();
        let mut chunk = Chunk::new();
        for event in input::events(events) {
            micro::encode(&event, &mut chunk);
        }
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert!(runtime.block_on(spool.append(chunk)).is_ok());
        Self { spool, _directory: directory }
    }

    fn read(&self) -> ReadBatch {
        let drain::Settings { events, bytes, .. } = drain::Settings::default();
        self.spool.reader(self.spool.oldest()).read(events, bytes).unwrap()
    }
}

fn bytes(read: &ReadBatch) -> BytesCount {
    BytesCount::new(read.records.iter().map(|record| record.payload.len()).sum::<usize>())
}

#[divan::bench(args = [EVENTS])]
fn spool(bencher: Bencher<'_, '_>, events: usize) {
    let spooled = Spooled::new(events);
    let read = spooled.read();
    assert_eq!(read.records.len(), events);
    bencher
        .counter(ItemsCount::new(events))
        .counter(bytes(&read))
        .bench(|| measured(|| black_box(&spooled).read()));
}

#[divan::bench(args = [EVENTS])]
fn decode(bencher: Bencher<'_, '_>, events: usize) {
    let read = Spooled::new(events).read();
    bencher
        .counter(ItemsCount::new(events))
        .counter(bytes(&read))
        .with_inputs(|| read.clone())
        .bench_values(|read| measured(|| Decoded::of(read)));
}

#[divan::bench(args = [EVENTS])]
fn batch(bencher: Bencher<'_, '_>, events: usize) {
    let spooled = Spooled::new(events);
    let (id, decoded) = (spooled.spool.id(), Decoded::of(spooled.read()));
    let batch = || black_box(&decoded).batch(id, None).unwrap();
    assert_eq!(batch().events.len(), events);
    bencher.counter(ItemsCount::new(events)).bench(|| measured(batch));
}
