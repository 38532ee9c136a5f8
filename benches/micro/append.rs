//! Appending to the spool: the queue, the writer thread, one sync for whoever waits, and the answers.
//!
//! `real_disk` is a directory of the system's temporary ones, fdatasync included: its times say what that disk does (`TMPDIR`
//! names another). `unsynced` is the same directory with syncs that do nothing, so that what is left is our own work and
//! the kernel's copy.

use std::{sync::Arc, time::Duration};

use divan::{
    Bencher,
    counter::{BytesCount, ItemsCount},
};
use tempfile::TempDir;
use tidegate::{
    disk::{Disk, RealDisk},
    spool::{Chunk, Kind, Settings, Spool},
};
use tokio::{runtime::Runtime, task::JoinSet};

use crate::{input, measured, unsynced::Unsynced};

const ONE: usize = 1;
const MANY: usize = 64;
const LANE: &str = "micro";

#[divan::bench(args = [1, 100])]
fn real_disk_1_appender(bencher: Bencher<'_, '_>, events: usize) {
    append(bencher, Arc::new(RealDisk), ONE, events);
}

#[divan::bench(args = [64, 6_400])]
fn real_disk_64_appenders(bencher: Bencher<'_, '_>, events: usize) {
    append(bencher, Arc::new(RealDisk), MANY, events);
}

#[divan::bench(args = [1, 100])]
fn unsynced_1_appender(bencher: Bencher<'_, '_>, events: usize) {
    append(bencher, Arc::new(Unsynced), ONE, events);
}

#[divan::bench(args = [64, 6_400])]
fn unsynced_64_appenders(bencher: Bencher<'_, '_>, events: usize) {
    append(bencher, Arc::new(Unsynced), MANY, events);
}

/// `events` records of 1 KiB, the same number by each of the appenders, who are tasks of one thread and do not wait for
/// each other.
fn append(bencher: Bencher<'_, '_>, disk: Arc<dyn Disk>, appenders: usize, events: usize) {
    let directory = TempDir::with_prefix("tidegate-micro-").unwrap();
    // Whoever measures the queue does not want to meet its limit.
    let settings = Settings {
        directory: directory.path().join("spool"),
        queue_wait: Duration::from_mins(1),
        ..Settings::default()
    };
    let (spool, _) = Spool::open(disk, settings).unwrap();
    spool.register_lane(LANE);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let payload = input::event(1);
    bencher
        .counter(ItemsCount::new(events))
        .counter(BytesCount::new(events * payload.len()))
        .with_inputs(|| {
            // Files go as they do in production, or the benchmark would fill the disk.
            spool.release(LANE, spool.end());
            (0..appenders).map(|_| chunk(&payload, events / appenders)).collect::<Vec<_>>()
        })
        .bench_local_values(|chunks| measured(|| append_all(&runtime, &spool, chunks)));
    runtime.block_on(spool.close()).unwrap();
}

fn chunk(payload: &str, records: usize) -> Chunk {
    let mut chunk = Chunk::new();
    for _ in 0..records {
        chunk.push(Kind::Event, |out| out.extend_from_slice(payload.as_bytes()));
    }
    chunk
}

fn append_all(runtime: &Runtime, spool: &Spool, chunks: Vec<Chunk>) {
    runtime.block_on(async {
        let mut appending = JoinSet::new();
        for chunk in chunks {
            let spool = spool.clone();
            appending.spawn(async move { spool.append(chunk).await });
        }
        while let Some(appended) = appending.join_next().await {
            assert!(appended.unwrap().is_ok());
        }
    });
}
