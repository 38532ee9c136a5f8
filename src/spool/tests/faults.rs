//! Writes that fail: what is refused, what poisons, and what works again.

use super::*;
use crate::disk::simulated::{Failure, Operation};

#[test]
fn a_failed_fsync_poisons_and_is_never_repeated() {
    let disk = SimDisk::new(1);
    let (spool, _) = open(&disk);
    append(&spool, &[b"kept"]).unwrap();
    let syncs = disk.calls(Operation::Sync);
    disk.fail(Operation::Sync, 1, Failure::Io);
    assert_eq!(append(&spool, &[b"lost"]), Err(AppendError::Poisoned));
    run(spool.poisoned());
    assert!(spool.status().is_poisoned());
    assert!(!spool.status().accepts());
    assert_eq!(append(&spool, &[b"late"]), Err(AppendError::Poisoned));
    assert!(matches!(spool.renew_id(), Err(RenewError::Poisoned)));
    assert_eq!(run(spool.close()), Err(CloseError));
    let others = disk.calls(Operation::Sync) - syncs - 1;
    assert_eq!(others, 1, "only the note of the end was synced");
    assert_eq!(payloads(&spool), [b"kept"], "what is durable can still be read");
    run(spool.readable(100));
}

#[test]
fn a_failed_write_or_directory_sync_poisons() {
    for (operation, failure) in [
        (Operation::Append, Failure::Io),
        (Operation::SyncDir, Failure::Io),
        (Operation::SyncDir, Failure::NoSpace),
        (Operation::Sync, Failure::NoSpace),
    ] {
        let disk = SimDisk::new(1);
        let (spool, _) = open(&disk);
        // The first append also makes a file; the second of these calls is in the part that is answered for.
        let nth = if operation == Operation::SyncDir { 1 } else { 3 };
        disk.fail(operation, nth, failure);
        assert_eq!(append(&spool, &[b"lost"]), Err(AppendError::Poisoned), "{operation:?} {failure:?}");
    }
}

#[test]
fn a_restart_after_poison_finds_what_was_acknowledged() {
    let disk = SimDisk::new(1);
    let (spool, _) = open(&disk);
    append(&spool, &[b"one"]).unwrap();
    disk.fail(Operation::Append, 1, Failure::Io);
    append(&spool, &[b"two"]).unwrap_err();
    drop(spool);
    let (spool, recovery) = open(&disk);
    assert_eq!(recovery.new_id, None);
    assert_eq!(payloads(&spool), [b"one"]);
    assert_eq!(append(&spool, &[b"three"]), Ok(1));
}

#[test]
fn a_writer_that_panics_poisons() {
    let disk = SimDisk::new(1);
    let (spool, _) = open(&disk);
    disk.fail(Operation::Sync, 1, Failure::Panic);
    assert_eq!(append(&spool, &[b"lost"]), Err(AppendError::Poisoned));
    run(spool.poisoned());
    assert_eq!(append(&spool, &[b"late"]), Err(AppendError::Poisoned));
    assert_eq!(run(spool.close()), Err(CloseError));
}

/// Small chunks are written together and large ones by themselves: whichever of the writes fails, all of them are taken back.
#[test]
fn lack_of_space_takes_back_every_write_of_a_batch() {
    for nth in 1..=6 {
        for failure in [Failure::NoSpace, Failure::Short(9), Failure::Short(600)] {
            let disk = SimDisk::new(1);
            let (spool, _) = open(&disk);
            append(&spool, &[b"makes the file"]).unwrap();
            let payloads_sent: Vec<Vec<u8>> = [5, 7, 600, 8, 700, 900, 6]
                .iter()
                .zip(1_u8..)
                .map(|(length, byte)| vec![byte; *length])
                .collect();
            let mut appends: Vec<_> =
                payloads_sent.iter().map(|payload| Box::pin(spool.append(chunk(&[payload])))).collect();
            disk.fail(Operation::Append, nth, failure);
            disk.held(|| {
                for append in &mut appends {
                    let _ =
                        append.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop()));
                }
            });
            let mut kept = vec![b"makes the file".to_vec()];
            for (payload, append) in payloads_sent.iter().zip(appends) {
                match run(append) {
                    Ok(receipt) => {
                        assert_eq!(receipt.first_sequence(), kept.len() as u64);
                        kept.push(payload.clone());
                    }
                    Err(error) => assert_eq!(error, AppendError::NoSpace),
                }
            }
            disk.heal();
            assert_eq!(append(&spool, &[b"afterwards"]), Ok(kept.len() as u64), "{nth} {failure:?}");
            kept.push(b"afterwards".to_vec());
            assert_eq!(payloads(&spool), kept, "{nth} {failure:?}");
            drop(spool);
            assert_eq!(payloads(&open(&disk.crash()).0), kept, "{nth} {failure:?}");
        }
    }
}

#[test]
fn lack_of_space_is_taken_back_and_passes() {
    for failure in [Failure::NoSpace, Failure::Quota, Failure::Short(9)] {
        let disk = SimDisk::new(1);
        let (spool, _) = open(&disk);
        append(&spool, &[b"one"]).unwrap();
        let path = spool_files(&disk).pop().unwrap();
        let before = disk.contents(&path).unwrap();
        disk.fail(Operation::Append, 1, failure);
        assert_eq!(append(&spool, &[b"two"]), Err(AppendError::NoSpace));
        assert_eq!(disk.contents(&path).unwrap(), before, "no part of it stays");
        assert!(spool.status().no_space && !spool.status().accepts());
        assert_eq!(append(&spool, &[b"three"]), Ok(1));
        assert!(!spool.status().no_space && spool.status().accepts());
        assert_eq!(payloads(&spool), [b"one".to_vec(), b"three".to_vec()]);
    }
}

#[test]
fn lack_of_space_for_a_new_file_passes_too() {
    for (operation, nth) in [
        (Operation::Create, 1),
        (Operation::Create, 2),
        (Operation::Append, 1),
        (Operation::Append, 2),
        (Operation::Rename, 2),
    ] {
        let disk = SimDisk::new(1);
        let (spool, _) = open(&disk);
        disk.fail(operation, nth, Failure::NoSpace);
        assert_eq!(append(&spool, &[b"no"]), Err(AppendError::NoSpace), "{operation:?} {nth}");
        assert_eq!(append(&spool, &[b"yes"]), Ok(0));
        assert_eq!(spool_files(&disk).len(), 1);
        let crashed = disk.crash();
        drop(spool);
        let (spool, recovery) = open(&crashed);
        assert_eq!(recovery.new_id, None);
        assert_eq!(payloads(&spool), [b"yes"]);
    }
}

#[test]
fn a_cut_that_fails_poisons() {
    for operation in [Operation::Cut, Operation::Sync] {
        let disk = SimDisk::new(1);
        let (spool, _) = open(&disk);
        append(&spool, &[b"one"]).unwrap();
        disk.fail(Operation::Append, 1, Failure::Short(9));
        disk.fail(operation, 1, Failure::Io);
        assert_eq!(append(&spool, &[b"two"]), Err(AppendError::Poisoned));
    }
}

#[test]
fn a_full_disk_takes_again_when_there_is_space() {
    let disk = SimDisk::new(1);
    let (spool, _) = open(&disk);
    append(&spool, &[b"one"]).unwrap();
    disk.set_capacity(Some(disk.used_bytes() + 30));
    assert_eq!(append(&spool, &[&[7; 100]]), Err(AppendError::NoSpace));
    assert_eq!(append(&spool, &[b"small"]), Ok(1), "what fits is taken");
    disk.set_capacity(None);
    assert_eq!(append(&spool, &[&[7; 100]]), Ok(2));
}

#[test]
fn a_full_disk_can_be_opened_and_read() {
    let disk = SimDisk::new(1);
    let (spool, _) = open(&disk);
    append(&spool, &[b"one"]).unwrap();
    let disk = disk.crash();
    drop(spool);
    disk.set_capacity(Some(0));
    let (spool, _) = open(&disk);
    assert_eq!(payloads(&spool), [b"one"]);
    assert_eq!(append(&spool, &[b"two"]), Err(AppendError::NoSpace));
    assert_eq!(run(spool.close()), Ok(()));
}

#[test]
fn the_quota_lets_in_what_fits_and_nothing_else() {
    let disk = SimDisk::new(1);
    let (spool, _) = open_with(&disk, Settings { max_bytes: 1000, ..settings() });
    append(&spool, &[&[1; 500]]).unwrap();
    let used = spool.status().bytes;
    let left = usize::try_from(1000 - used).unwrap();
    assert_eq!(append(&spool, &[&vec![2; left - 16]]), Err(AppendError::Full));
    let whole = chunk(&[b"fits", &vec![2; left]]);
    assert_eq!(run(spool.append(whole)).unwrap_err(), AppendError::Full);
    append(&spool, &[&vec![2; left - 17 - 96]]).unwrap();
    assert!(spool.status().usage() <= 1.0);
    assert_eq!(append(&spool, &[&[3; 500]]), Err(AppendError::Full));
}

#[test]
fn a_read_error_passes_over_nothing() {
    let disk = SimDisk::new(1);
    let (spool, _) = open(&disk);
    append(&spool, &[b"one", b"two"]).unwrap();
    let mut reader = spool.reader(0);
    disk.fail(Operation::Read, 1, Failure::Io);
    reader.read(10, 1000).unwrap_err();
    assert_eq!(reader.read(10, 1000).unwrap().records.len(), 2);
}

#[test]
fn a_new_id_is_durable_and_sequences_go_on() {
    let disk = SimDisk::new(1);
    let (spool, recovery) = open(&disk);
    append(&spool, &[b"one"]).unwrap();
    let id = spool.renew_id().unwrap();
    assert_ne!(id, recovery.id);
    assert_eq!(spool.id(), id);
    assert_eq!(append(&spool, &[b"two"]), Ok(1));
    let disk = disk.crash();
    drop(spool);
    let (spool, recovery) = open(&disk);
    assert_eq!((recovery.id, recovery.new_id, recovery.end), (id, None, 2));
    disk.fail(Operation::Create, 1, Failure::NoSpace);
    assert!(matches!(spool.renew_id(), Err(RenewError::Io(_))));
    assert_eq!(spool.id(), id);
    run(spool.close()).unwrap();
    assert!(matches!(spool.renew_id(), Err(RenewError::Closed)));
}

#[test]
fn what_a_failed_fsync_left_in_the_kernel_is_not_taken_for_a_record() {
    let disk = SimDisk::new(1);
    let (spool, _) = open(&disk);
    append(&spool, &[b"one"]).unwrap();
    disk.fail(Operation::Sync, 1, Failure::Forgotten);
    append(&spool, &[b"two"]).unwrap_err();
    run(spool.close()).unwrap_err();
    let disk = disk.kill();
    let (spool, recovery) = open(&disk);
    assert_eq!((recovery.new_id, recovery.end), (None, 1));
    assert!(recovery.torn_bytes > 0);
    assert_eq!(payloads(&spool), [b"one"]);
    assert_eq!(append(&spool, &[b"three"]), Ok(1));
    let disk = disk.crash();
    let (spool, recovery) = open(&disk);
    assert_eq!((recovery.new_id, recovery.damaged_records), (None, 0));
    assert_eq!(payloads(&spool), [b"one".to_vec(), b"three".to_vec()]);
}

#[test]
fn what_a_killed_process_had_not_synced_is_synced_before_lanes_see_it() {
    for seed in 0..50 {
        let disk = SimDisk::new(seed);
        let (spool, _) = open(&disk);
        append(&spool, &[b"one"]).unwrap();
        // Killed between write and fsync.
        let path = spool_files(&disk).pop().unwrap();
        let file = disk.open_writable(&path).unwrap();
        let mut unsynced = chunk(&[b"two"]);
        let head = file_header::FileHeader::decode(&disk.contents(&path).unwrap()).unwrap();
        unsynced.seal(head.salt, 1);
        file.append(unsynced.frames()).unwrap();
        let disk = disk.kill();
        let (spool, _) = open(&disk);
        assert_eq!(payloads(&spool), [b"one", b"two"]);
        let disk = disk.crash();
        let (spool, recovery) = open(&disk);
        assert_eq!((recovery.new_id, recovery.end), (None, 2));
        assert_eq!(payloads(&spool), [b"one", b"two"]);
    }
}
