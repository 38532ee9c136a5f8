//! Canonical events into the chunk that is appended.

use divan::{
    Bencher, black_box,
    counter::{BytesCount, ItemsCount},
};
use tidegate::{event::record::Event, ingest::micro, spool::Chunk};

use crate::{input, measured};

#[divan::bench(args = [1, 100])]
fn chunk(bencher: Bencher<'_, '_>, events: usize) {
    let canonical = input::events(events);
    bencher
        .counter(ItemsCount::new(events))
        .counter(BytesCount::new(encoded(&canonical).payload_bytes()))
        .bench(|| measured(|| encoded(black_box(&canonical))));
}

fn encoded(events: &[Event]) -> Chunk {
    let mut chunk = Chunk::new();
    for event in events {
        micro::encode(event, &mut chunk);
    }
    chunk
}
