//! Files that earlier versions wrote, which every later version must read.

use super::*;
use crate::disk::RealDisk;

/// Two files, closed well: the spool `0198c0de-0000-7000-8000-000000000001` with seven records.
#[test]
fn version_1_is_read() {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/spool-v1");
    let copy = tempfile::tempdir().unwrap();
    for entry in std::fs::read_dir(fixture).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    let settings = Settings { directory: copy.path().to_owned(), ..settings() };
    let (spool, recovery) = Spool::open(Arc::new(RealDisk), settings).unwrap();
    assert_eq!(recovery.id.to_string(), "0198c0de-0000-7000-8000-000000000001");
    assert_eq!((recovery.new_id, recovery.torn_bytes, recovery.damaged_records), (None, 0, 0));
    assert_eq!((recovery.oldest, recovery.end), (1000, 1007));
    let batch = spool.reader(1000).read(100, 1 << 20).unwrap();
    let records: Vec<_> =
        batch.records.iter().map(|record| (record.sequence, record.kind, record.payload.to_vec())).collect();
    assert_eq!(records, version_1_records());
    assert_eq!(append(&spool, &[b"next"]), Ok(1007));
}

fn version_1_records() -> Vec<(u64, u8, Vec<u8>)> {
    vec![
        (1000, 1, b"an event".to_vec()),
        (1001, 2, b"a refusal".to_vec()),
        (1002, 1, Vec::new()),
        (1003, 9, b"a kind of a later version".to_vec()),
        (1004, 1, "Gezeitentor \u{1f30a}".into()),
        (1005, 1, (0..=255).collect()),
        (1006, 1, vec![0; 300]),
    ]
}
