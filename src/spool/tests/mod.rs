//! The spool as a whole: on a disk that forgets and fails, on damaged files, and on the real disk.

mod commit;
mod damage;
mod faults;
mod fixture;
mod inspect;
mod model;
mod real_disk;
mod retention;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use super::*;
use crate::disk::{Disk, simulated::SimDisk};

const DIRECTORY: &str = "/sim/spool";

fn settings() -> Settings {
    Settings {
        directory: PathBuf::from(DIRECTORY),
        max_bytes: 1 << 20,
        file_bytes: 64 << 10,
        min_free: 0,
        queue_bytes: 1 << 20,
        queue_wait: Duration::from_millis(100),
    }
}

fn open(disk: &SimDisk) -> (Spool, Recovery) {
    open_with(disk, settings())
}

fn open_with(disk: &SimDisk, settings: Settings) -> (Spool, Recovery) {
    Spool::open(Arc::new(disk.clone()), settings).unwrap()
}

fn chunk(payloads: &[&[u8]]) -> Chunk {
    let mut chunk = Chunk::new();
    for payload in payloads {
        chunk.push(Kind::Event, |out| out.extend_from_slice(payload));
    }
    chunk
}

/// Runs a future on a small runtime of its own.
fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    runtime.block_on(future)
}

fn append(spool: &Spool, payloads: &[&[u8]]) -> Result<u64, AppendError> {
    run(spool.append(chunk(payloads))).map(|receipt| receipt.first_sequence())
}

/// Everything that can be read from `from` on: the records, and how many gaps there were.
fn read_all(spool: &Spool, from: u64) -> (Vec<(u64, Vec<u8>)>, u64) {
    let mut reader = spool.reader(from);
    let (mut records, mut gaps) = (Vec::new(), 0);
    loop {
        let batch = reader.read(7, 1 << 16).unwrap();
        assert_eq!(batch.next, reader.position());
        assert_eq!(
            batch.next - batch.from,
            batch.records.len() as u64 + batch.gaps,
            "every sequence is a record or a gap"
        );
        if batch.next == batch.from {
            assert_eq!(batch.next, spool.end().max(from));
            return (records, gaps);
        }
        gaps += batch.gaps;
        let payloads = batch.records.into_iter();
        records.extend(payloads.map(|record| (record.sequence, record.payload.to_vec())));
    }
}

fn payloads(spool: &Spool) -> Vec<Vec<u8>> {
    let (records, gaps) = read_all(spool, spool.oldest());
    assert_eq!(gaps, 0);
    records.into_iter().map(|(_, payload)| payload).collect()
}

fn spool_files(disk: &SimDisk) -> Vec<PathBuf> {
    files_with(disk, ".spool")
}

fn files_with(disk: &SimDisk, suffix: &str) -> Vec<PathBuf> {
    let names = disk.read_dir(Path::new(DIRECTORY)).unwrap();
    let matching = names.into_iter().filter(|name| name.ends_with(suffix));
    matching.map(|name| Path::new(DIRECTORY).join(name)).collect()
}
