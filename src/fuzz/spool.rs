//! The spool's directory after anything has happened to it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock},
    time::Duration,
};

use crate::{
    disk::simulated::SimDisk,
    spool::{Chunk, Kind, Record, Settings, Spool},
};

const DIRECTORY: &str = "/sim/spool";

/// A spool as it was once written: two files, and what is known of them.
const FILES: [(&str, &[u8]); 3] = [
    (
        "00000000000000001000.spool",
        include_bytes!("../../tests/fixtures/spool-v1/00000000000000001000.spool"),
    ),
    (
        "00000000000000001004.spool",
        include_bytes!("../../tests/fixtures/spool-v1/00000000000000001004.spool"),
    ),
    ("id", include_bytes!("../../tests/fixtures/spool-v1/id")),
];

/// What is in it.
static PRISTINE: LazyLock<BTreeMap<u64, Record>> = LazyLock::new(|| {
    let disk = SimDisk::new(1);
    for (name, bytes) in FILES {
        disk.plant(&Path::new(DIRECTORY).join(name), bytes);
    }
    read(&open(&disk)).into_iter().map(|record| (record.sequence, record)).collect()
});

/// The spool opens, whatever its files hold; what it yields was written there, in its order and unaltered; it takes new
/// records, and has the same to say the next time.
pub(super) fn spool(data: &[u8]) {
    let Some((mode, rest)) = data.split_first() else { return };
    let disk = SimDisk::new(1);
    if mode % 2 == 0 {
        plant_raw(&disk, rest);
    } else {
        plant_edited(&disk, rest);
    }
    let spool = open(&disk);
    let before = read(&spool);
    if mode % 2 == 1 {
        for record in &before {
            assert_eq!(PRISTINE.get(&record.sequence), Some(record), "it was never written");
        }
    }
    let mut chunk = Chunk::new();
    chunk.push(Kind::Event, |out| out.extend_from_slice(b"new"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let receipt = runtime.block_on(spool.append(chunk)).unwrap();
    assert!(before.last().is_none_or(|last| last.sequence < receipt.first_sequence()));
    let (id, all) = (spool.id(), read(&spool));
    assert_eq!(all.len(), before.len() + 1);
    drop(spool);
    let again = open(&disk);
    assert_eq!((again.id(), read(&again)), (id, all));
}

/// Any bytes as the only file.
fn plant_raw(disk: &SimDisk, bytes: &[u8]) {
    let first = bytes.get(32..40).map_or(0, |first| u64::from_le_bytes(first.try_into().unwrap()));
    // The end of all numbers is far, and no disk has them all.
    let name = format!("{:020}.spool", first % (1 << 62));
    disk.plant(&Path::new(DIRECTORY).join(name), bytes);
}

/// The files of [`FILES`] after a few changes, each of which takes five bytes: where, how, and with what.
fn plant_edited(disk: &SimDisk, edits: &[u8]) {
    let mut files = FILES.map(|(name, bytes)| (name, Some(bytes.to_vec())));
    for edit in edits.chunks_exact(5).take(8) {
        let (_, file) = &mut files[usize::from(edit[0] % 3)];
        let Some(bytes) = file else { continue };
        let at = usize::from(u16::from_le_bytes([edit[2], edit[3]])) % (bytes.len() + 1);
        match edit[1] % 6 {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, edit[4]),
            2 => bytes.resize(bytes.len() + usize::from(edit[4]), edit[4]),
            3 => *file = None,
            _ if at == bytes.len() => {}
            4 => drop(bytes.drain(at..(at + usize::from(edit[4])).min(bytes.len()))),
            _ => bytes[at] ^= edit[4],
        }
    }
    for (name, bytes) in files {
        if let Some(bytes) = bytes {
            disk.plant(&Path::new(DIRECTORY).join(name), &bytes);
        }
    }
}

fn open(disk: &SimDisk) -> Spool {
    let settings = Settings {
        directory: PathBuf::from(DIRECTORY),
        max_bytes: 1 << 20,
        file_bytes: 64 << 10,
        min_free: 0,
        queue_bytes: 1 << 20,
        queue_wait: Duration::from_secs(10),
    };
    Spool::open(Arc::new(disk.clone()), settings).unwrap().0
}

/// Everything that is there.
fn read(spool: &Spool) -> Vec<Record> {
    let mut reader = spool.reader(spool.oldest());
    let mut records: Vec<Record> = Vec::new();
    loop {
        let batch = reader.read(3, 1 << 16).unwrap();
        assert_eq!(batch.next - batch.from, batch.records.len() as u64 + batch.gaps);
        if batch.next == batch.from {
            assert_eq!(batch.next, spool.end());
            return records;
        }
        for record in batch.records {
            assert!(records.last().is_none_or(|last| last.sequence < record.sequence));
            records.push(record);
        }
    }
}
