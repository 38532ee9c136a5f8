//! What is deleted, and when.

use super::*;

/// Every record of 100 bytes fills a file.
fn tiny_files() -> Settings {
    Settings { file_bytes: 100, max_bytes: 100_000, ..settings() }
}

/// Appends, so that the writer has dealt with everything that was asked of it before.
fn settle(spool: &Spool) {
    append(spool, &[]).unwrap();
    append(spool, &[]).unwrap();
}

#[test]
fn files_go_when_every_lane_has_passed_them() {
    let disk = SimDisk::new(1);
    let (spool, _) = open_with(&disk, tiny_files());
    spool.register_lane("a");
    spool.register_lane("b");
    for _ in 0..4 {
        append(&spool, &[&[7; 100]]).unwrap();
    }
    spool.release("a", 4);
    settle(&spool);
    assert_eq!(spool.oldest(), 0, "lane b has not spoken");
    spool.release("b", 2);
    for _ in 0..4 {
        settle(&spool);
    }
    assert_eq!(spool.oldest(), 2);
    assert_eq!(spool_files(&disk).len(), 2);
    assert_eq!(spool.status().events(), 2);
    let bytes: usize = spool_files(&disk).iter().map(|path| disk.contents(path).unwrap().len()).sum();
    assert_eq!(spool.status().bytes, bytes as u64);
}

#[test]
fn without_lanes_nothing_goes() {
    let disk = SimDisk::new(1);
    let (spool, _) = open_with(&disk, tiny_files());
    append(&spool, &[&[7; 100]]).unwrap();
    append(&spool, &[&[7; 100]]).unwrap();
    settle(&spool);
    assert_eq!(spool.oldest(), 0);
}

#[test]
fn a_drained_spool_makes_room_for_what_fits_its_quota() {
    let disk = SimDisk::new(1);
    let (spool, _) = open_with(&disk, Settings { max_bytes: 1000, ..settings() });
    spool.register_lane("a");
    append(&spool, &[&[7; 800]]).unwrap();
    assert_eq!(append(&spool, &[&[7; 800]]), Err(AppendError::Full));
    spool.release("a", 1);
    settle(&spool);
    assert_eq!((spool.oldest(), spool.end()), (1, 1));
    assert_eq!(spool.status().bytes, 0);
    assert_eq!(append(&spool, &[&[7; 800]]), Ok(1));
}

#[test]
fn sequences_go_on_after_everything_was_deleted() {
    let disk = SimDisk::new(1);
    let (spool, recovery) = open_with(&disk, tiny_files());
    spool.register_lane("a");
    append(&spool, &[&[7; 100]]).unwrap();
    spool.release("a", 1);
    settle(&spool);
    assert!(spool_files(&disk).is_empty());
    let disk = disk.crash();
    drop(spool);
    let (spool, again) = open_with(&disk, tiny_files());
    assert_eq!((again.id, again.new_id, again.end), (recovery.id, None, 1));
    assert_eq!(append(&spool, &[b"next"]), Ok(1));
}

#[test]
fn a_crash_while_files_are_deleted_leaves_no_hole() {
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        let (spool, _) = open_with(&disk, tiny_files());
        spool.register_lane("a");
        for _ in 0..5 {
            append(&spool, &[&[7; 100]]).unwrap();
        }
        spool.release("a", 4);
        // The crash comes while the writer deletes.
        let disk = disk.crash();
        drop(spool);
        let (spool, recovery) = open_with(&disk, tiny_files());
        assert_eq!((recovery.new_id, recovery.end), (None, 5));
        let (records, gaps) = read_all(&spool, spool.oldest());
        assert_eq!((records.len() as u64, gaps), (5 - spool.oldest(), 0));
    }
}

#[test]
fn a_reader_below_the_oldest_record_reports_the_difference() {
    let disk = SimDisk::new(1);
    let (spool, _) = open_with(&disk, tiny_files());
    spool.register_lane("a");
    for _ in 0..3 {
        append(&spool, &[&[7; 100]]).unwrap();
    }
    spool.release("a", 2);
    for _ in 0..3 {
        settle(&spool);
    }
    let (records, gaps) = read_all(&spool, 0);
    assert_eq!((records.len(), gaps), (1, 2));
    assert_eq!(spool.status().damaged_records, 0, "what was deleted is not damaged");
}

#[test]
fn a_new_id_keeps_what_lanes_had_released() {
    let disk = SimDisk::new(1);
    let (spool, _) = open_with(&disk, tiny_files());
    spool.register_lane("a");
    append(&spool, &[&[7; 100]]).unwrap();
    append(&spool, &[&[7; 100]]).unwrap();
    spool.release("a", 0);
    spool.renew_id().unwrap();
    settle(&spool);
    assert_eq!(spool.oldest(), 0);
    spool.release("a", 2);
    for _ in 0..3 {
        settle(&spool);
    }
    assert_eq!(spool.oldest(), 2);
}

#[test]
fn a_file_that_cannot_be_deleted_is_tried_again() {
    use crate::disk::simulated::{Failure, Operation};
    let disk = SimDisk::new(1);
    let (spool, _) = open_with(&disk, tiny_files());
    spool.register_lane("a");
    append(&spool, &[&[7; 100]]).unwrap();
    append(&spool, &[&[7; 100]]).unwrap();
    disk.fail(Operation::Remove, 1, Failure::NoSpace);
    spool.release("a", 1);
    settle(&spool);
    assert_eq!((spool.oldest(), payloads(&spool).len()), (0, 2));
    spool.release("a", 1);
    settle(&spool);
    assert_eq!(spool.oldest(), 1);
}
