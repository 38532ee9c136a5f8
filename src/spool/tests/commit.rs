//! How appends share commits, and what the queue does when the disk is slow.

use std::{
    pin::pin,
    task::{Context, Poll, Waker},
};

use super::*;
use crate::disk::simulated::Operation;

/// Polls an append once: afterwards it is queued, unless it was refused or waits for room.
fn poll<F: Future<Output = Result<Receipt, AppendError>>>(
    append: std::pin::Pin<&mut F>,
) -> Poll<Result<Receipt, AppendError>> {
    append.poll(&mut Context::from_waker(Waker::noop()))
}

/// `status` would ask the disk.
fn queued_bytes(spool: &Spool) -> u64 {
    spool.shared().inbox.bytes().1
}

#[test]
fn appends_that_wait_for_the_disk_share_one_write_and_one_fsync() {
    let disk = SimDisk::new(1);
    let (spool, _) = open(&disk);
    append(&spool, &[b"makes the file"]).unwrap();
    let (writes, syncs) = (disk.calls(Operation::Append), disk.calls(Operation::Sync));
    let mut appends: Vec<_> = (0..100_u8).map(|at| Box::pin(spool.append(chunk(&[&[at], &[at]])))).collect();
    disk.held(|| {
        for append in &mut appends {
            assert!(poll(append.as_mut()).is_pending());
        }
    });
    for (at, append) in (0..).zip(appends) {
        let receipt = run(append).unwrap();
        assert_eq!(receipt.first_sequence(), 1 + 2 * at, "in the order in which they were queued");
    }
    // The writer had begun with those that were there when it looked; the others waited together.
    assert!(disk.calls(Operation::Append) - writes <= 2);
    assert!(disk.calls(Operation::Sync) - syncs <= 2);
}

#[test]
fn a_queue_without_room_is_busy_after_a_while_and_then_takes_again() {
    let disk = SimDisk::new(1);
    let settings = Settings { queue_bytes: 1000, queue_wait: Duration::from_millis(20), ..settings() };
    let (spool, _) = open_with(&disk, settings);
    let mut first = pin!(spool.append(chunk(&[&[1; 900]])));
    disk.held(|| {
        assert!(poll(first.as_mut()).is_pending());
        assert_eq!(append(&spool, &[&[2; 900]]), Err(AppendError::Busy));
        assert_eq!(queued_bytes(&spool), 917);
    });
    assert_eq!(run(first).unwrap().first_sequence(), 0);
    assert_eq!(append(&spool, &[&[3; 900]]), Ok(1));
    assert_eq!(queued_bytes(&spool), 0);
}

#[test]
fn what_waits_for_room_hears_of_the_end() {
    let disk = SimDisk::new(1);
    let settings = Settings { queue_bytes: 1000, queue_wait: Duration::from_mins(10), ..settings() };
    let (spool, _) = open_with(&disk, settings);
    run(async {
        let mut first = pin!(spool.append(chunk(&[&[1; 900]])));
        let mut second = pin!(spool.append(chunk(&[&[2; 900]])));
        let mut close = pin!(spool.close());
        disk.held(|| {
            assert!(poll(first.as_mut()).is_pending());
            assert!(poll(second.as_mut()).is_pending());
            let closing = close.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(closing.is_pending());
        });
        assert_eq!(second.await, Err(AppendError::Closed));
        assert_eq!(first.await.unwrap().first_sequence(), 0, "what was queued is written");
        close.await.unwrap();
    });
}

#[test]
fn readers_never_see_what_is_not_fsynced() {
    let disk = SimDisk::new(1);
    let (spool, _) = open(&disk);
    append(&spool, &[b"durable"]).unwrap();
    let mut second = Box::pin(spool.append(chunk(&[b"not yet"])));
    disk.held(|| {
        assert!(poll(second.as_mut()).is_pending());
        assert_eq!(spool.end(), 1);
    });
    drop(second);
    run(spool.readable(1));
    assert_eq!(payloads(&spool), [b"durable".to_vec(), b"not yet".to_vec()]);
}
