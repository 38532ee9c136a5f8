//! On the operating system's disk, with its threads.

use std::collections::BTreeSet;

use super::*;
use crate::disk::RealDisk;

fn real_settings(root: &tempfile::TempDir) -> Settings {
    Settings { directory: root.path().join("spool"), ..settings() }
}

fn open_real(settings: Settings) -> Result<(Spool, Recovery), OpenError> {
    Spool::open(Arc::new(RealDisk), settings)
}

#[tokio::test(flavor = "multi_thread")]
async fn many_appenders_share_fsyncs_and_nothing_is_lost_or_mixed() {
    let root = tempfile::tempdir().unwrap();
    let settings = Settings { max_bytes: 1 << 30, file_bytes: 32 << 10, ..real_settings(&root) };
    let (spool, _) = open_real(settings.clone()).unwrap();
    let appenders: Vec<_> = (0..64_u32)
        .map(|appender| {
            let spool = spool.clone();
            tokio::spawn(async move {
                let mut receipts = Vec::new();
                for round in 0..20_u32 {
                    let payload = format!("{appender}/{round}");
                    let two = chunk(&[payload.as_bytes(), payload.as_bytes()]);
                    let receipt = spool.append(two).await.unwrap();
                    assert_eq!(receipt.records(), 2);
                    assert!(spool.end() >= receipt.first_sequence() + 2, "durable before the answer");
                    receipts.push((receipt.first_sequence(), payload));
                }
                receipts
            })
        })
        .collect();
    let mut receipts = BTreeSet::new();
    for appender in appenders {
        receipts.extend(appender.await.unwrap());
    }
    spool.close().await.unwrap();
    drop(spool);
    let (spool, recovery) = open_real(settings).unwrap();
    assert_eq!((recovery.end, recovery.new_id, recovery.torn_bytes), (64 * 20 * 2, None, 0));
    let (records, gaps) = tokio::task::spawn_blocking(move || read_all(&spool, 0)).await.unwrap();
    assert_eq!(gaps, 0);
    let expected =
        receipts.into_iter().flat_map(|(first, payload)| [(first, payload.clone()), (first + 1, payload)]);
    let expected: Vec<_> = expected.map(|(at, payload)| (at, payload.into_bytes())).collect();
    assert_eq!(records, expected);
}

#[test]
fn a_second_opener_is_refused_and_told_the_path() {
    let root = tempfile::tempdir().unwrap();
    let (spool, _) = open_real(real_settings(&root)).unwrap();
    let error = open_real(real_settings(&root)).err().unwrap();
    assert!(matches!(error, OpenError::Locked { .. }));
    assert!(error.to_string().contains(root.path().to_str().unwrap()), "{error}");
    let reader = spool.reader(0);
    drop(spool);
    assert!(open_real(real_settings(&root)).is_err(), "a reader still needs the files");
    drop(reader);
    open_real(real_settings(&root)).unwrap();
}

#[test]
fn a_closed_spool_refuses_appends_and_can_be_read() {
    let root = tempfile::tempdir().unwrap();
    let (spool, _) = open_real(real_settings(&root)).unwrap();
    append(&spool, &[b"one"]).unwrap();
    run(async {
        let mut late = Box::pin(spool.readable(1));
        let waiting = tokio::time::timeout(Duration::ZERO, &mut late).await;
        assert!(waiting.is_err(), "nothing to read there yet");
        spool.close().await.unwrap();
        late.await;
    });
    assert_eq!(append(&spool, &[b"two"]), Err(AppendError::Closed));
    assert_eq!(run(spool.close()), Ok(()), "twice does no harm");
    assert_eq!(payloads(&spool), [b"one"]);
    assert_eq!(spool.status().phase, Phase::Closed);
}

#[test]
fn a_dropped_append_is_written_all_the_same() {
    let root = tempfile::tempdir().unwrap();
    let (spool, _) = open_real(real_settings(&root)).unwrap();
    run(async {
        let mut append = Box::pin(spool.append(chunk(&[b"unheard"])));
        // Polled once: it is queued.
        let _ = tokio::time::timeout(Duration::ZERO, &mut append).await;
        drop(append);
        spool.readable(0).await;
    });
    assert_eq!(payloads(&spool), [b"unheard"]);
}

#[test]
fn a_chunk_larger_than_queue_window_and_batch_goes_through() {
    let root = tempfile::tempdir().unwrap();
    let settings = Settings { max_bytes: 1 << 30, queue_bytes: 1000, ..real_settings(&root) };
    let (spool, _) = open_real(settings).unwrap();
    let large = vec![7; 5 << 20];
    append(&spool, &[b"before", &large, b"after"]).unwrap();
    let mut reader = spool.reader(1);
    let batch = reader.read(10, 1).unwrap();
    assert_eq!(batch.records.len(), 1, "one record is always returned");
    assert_eq!(batch.records[0].payload, large);
    assert_eq!(reader.read(10, 100).unwrap().records[0].payload, b"after".as_slice());
}

#[test]
fn a_reader_that_follows_sees_records_as_they_become_durable() {
    let root = tempfile::tempdir().unwrap();
    let (spool, _) = open_real(Settings { file_bytes: 300, ..real_settings(&root) }).unwrap();
    let mut reader = spool.reader(0);
    for round in 0..50_u8 {
        assert!(reader.read(10, 1000).unwrap().records.is_empty());
        append(&spool, &[&[round; 40], &[round; 3]]).unwrap();
        run(spool.readable(reader.position()));
        let batch = reader.read(10, 1000).unwrap();
        assert_eq!(batch.records.len(), 2);
        assert_eq!(batch.records[0].payload, [round; 40].as_slice());
        assert_eq!((batch.records[0].kind, batch.gaps), (Kind::Event as u8, 0));
    }
}

#[test]
fn an_empty_chunk_is_answered() {
    let root = tempfile::tempdir().unwrap();
    let (spool, _) = open_real(real_settings(&root)).unwrap();
    let receipt = run(spool.append(Chunk::new())).unwrap();
    assert_eq!((receipt.first_sequence(), receipt.records(), spool.end()), (0, 0, 0));
}
