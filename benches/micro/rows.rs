//! Rows of the two SQL sinks: what is bound, without a database, and one whole write into a SQLite file.

use divan::{
    Bencher, black_box,
    counter::{BytesCount, ItemsCount},
};
use prost::Message;
use tempfile::TempDir;
use tidegate::{
    clock::Clock,
    database::{Database, DatabaseUrl},
    event::record::Event,
    sinks::{Batch, Sink, micro, sqlite::SqliteSink},
};
use uuid::Uuid;

use crate::{input, measured};

/// As many as a lane hands over at once by default.
const EVENTS: usize = 5_000;
/// Rows of the SQLite sink's largest statement.
const STATEMENT_ROWS: usize = 250;

fn bytes(events: &[Event]) -> BytesCount {
    BytesCount::new(events.iter().map(Message::encoded_len).sum::<usize>())
}

#[divan::bench(args = [EVENTS])]
fn by_key(bencher: Bencher<'_, '_>, events: usize) {
    let events_kept = input::events(events);
    let rows: Vec<&Event> = events_kept.iter().collect();
    bencher.counter(ItemsCount::new(events)).bench(|| measured(|| micro::by_key(black_box(&rows))));
}

#[divan::bench(args = [STATEMENT_ROWS])]
fn sqlite_statement(bencher: Bencher<'_, '_>, events: usize) {
    let kept = input::events(events);
    let rows: Vec<&Event> = kept.iter().collect();
    assert!(micro::sqlite_statement(&rows).is_ok());
    bencher
        .counter(ItemsCount::new(events))
        .counter(bytes(&kept))
        .bench_local(|| measured(|| micro::sqlite_statement(black_box(&rows))));
}

#[divan::bench(args = [EVENTS])]
fn postgres_statement(bencher: Bencher<'_, '_>, events: usize) {
    let kept = input::events(events);
    let rows: Vec<&Event> = kept.iter().collect();
    assert!(micro::postgres_statement(&rows).is_ok());
    bencher
        .counter(ItemsCount::new(events))
        .counter(bytes(&kept))
        .bench_local(|| measured(|| micro::postgres_statement(black_box(&rows))));
}

/// All rows are new, in a table that grows by them; few samples, so that it stays small. Syncs of SQLite included.
#[divan::bench(args = [EVENTS], sample_count = 20, sample_size = 1, min_time = 0)]
fn sqlite_write(bencher: Bencher<'_, '_>, events: usize) {
    let directory = TempDir::with_prefix("tidegate-micro-").unwrap();
    let database = Database::new(&DatabaseUrl::sqlite(directory.path().join("events.db")));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(database.ready()).unwrap();
    let sink = SqliteSink::new("storage".to_owned(), database.clone(), Clock::System);
    let kept = input::events(events);
    let mut made = 0;
    let mut expected = None;
    bencher
        .counter(ItemsCount::new(events))
        .counter(bytes(&kept))
        .with_inputs(|| renumbered(&kept, &mut made))
        .bench_local_refs(|rows| {
            let batch = batch(rows, expected);
            let written = measured(|| runtime.block_on(sink.write(&batch))).unwrap();
            assert_eq!(written.stored, events as u64);
            expected = Some(batch.to);
        });
    runtime.block_on(database.close());
}

/// The same events under ids and keys that were not there before.
fn renumbered(events: &[Event], made: &mut u64) -> Vec<Event> {
    let mut renumber = |event: &Event| {
        *made += 1;
        Event { event_id_low: *made, dedup_key: Some(format!("r12345-0-{made}")), ..event.clone() }
    };
    events.iter().map(&mut renumber).collect()
}

fn batch(events: &[Event], expected: Option<u64>) -> Batch<'_> {
    let from = expected.unwrap_or_default();
    Batch {
        spool_id: Uuid::nil(),
        expected,
        from,
        to: from + events.len() as u64,
        events: events.iter().collect(),
        refusals: Vec::new(),
        dead: 0,
        gaps: 0,
    }
}
