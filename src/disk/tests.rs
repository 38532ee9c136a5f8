//! What both disks must do, and what only one of them can.

use std::os::unix::fs::PermissionsExt;

use super::{
    simulated::{Failure, Operation, SimDisk},
    *,
};

fn contract(disk: &dyn Disk, root: &Path) {
    let directory = root.join("a").join("b");
    disk.create_dir_all(&directory, true).unwrap();
    disk.create_dir_all(&directory, true).unwrap();

    let path = directory.join("file");
    write_durable(disk, &path, b"one", true).unwrap();
    write_durable(disk, &path, b"two!", true).unwrap();
    assert_eq!(read(disk, &path, 4).unwrap(), b"two!");
    assert_eq!(read(disk, &path, 3).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    assert_eq!(disk.read_dir(&directory).unwrap(), ["file"]);

    let file = disk.open_writable(&path).unwrap();
    file.append(b"three").unwrap();
    file.set_len(6).unwrap();
    file.append(b"four").unwrap();
    file.sync_data().unwrap();
    assert_eq!(file.len().unwrap(), 10);
    assert!(!file.is_empty().unwrap());
    let mut buffer = [0; 20];
    assert_eq!(read_full(file.as_ref(), &mut buffer, 4).unwrap(), 6);
    assert_eq!(&buffer[..6], b"thfour");

    let exists = disk.create(&path, true).err().unwrap();
    assert_eq!(exists.kind(), io::ErrorKind::AlreadyExists);
    let missing = disk.open(&directory.join("none")).err().unwrap();
    assert_eq!(missing.kind(), io::ErrorKind::NotFound);

    let lock = disk.lock(&directory.join("LOCK")).unwrap();
    let held = disk.lock(&directory.join("LOCK")).err().unwrap();
    assert_eq!(held.kind(), io::ErrorKind::WouldBlock);
    drop(lock);
    disk.lock(&directory.join("LOCK")).unwrap();

    disk.remove(&path).unwrap();
    assert_eq!(disk.remove(&path).unwrap_err().kind(), io::ErrorKind::NotFound);
    assert!(disk.free_bytes(&directory).unwrap() > 0);
}

#[test]
fn the_real_disk_keeps_the_contract() {
    let root = tempfile::tempdir().unwrap();
    contract(&RealDisk, root.path());
}

#[test]
fn the_simulated_disk_keeps_the_contract() {
    contract(&SimDisk::new(1), Path::new("/sim"));
}

#[test]
fn private_files_are_for_their_owner_only() {
    let root = tempfile::tempdir().unwrap();
    let directory = root.path().join("data");
    RealDisk.create_dir_all(&directory, true).unwrap();
    let path = directory.join("secret");
    // What an interrupted write left behind with a wider mode does not widen the file.
    std::fs::write(temporary_of(&path), "old").unwrap();
    write_durable(&RealDisk, &path, b"secret", true).unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_durable_write_survives_every_crash() {
    for seed in 0..200 {
        let disk = SimDisk::new(seed);
        let path = Path::new("/sim/file");
        disk.create_dir_all(Path::new("/sim"), true).unwrap();
        write_durable(&disk, path, b"old", false).unwrap();
        let disk = disk.crash();
        assert_eq!(disk.contents(path).unwrap(), b"old");
        replace(&disk, path, b"new", false).unwrap();
        let found = disk.crash().contents(path).unwrap();
        assert!(found == b"old" || found == b"new", "{found:?}");
    }
}

#[test]
fn a_crash_loses_what_was_not_synced() {
    let outcomes: std::collections::BTreeSet<_> = (0..200)
        .map(|seed| {
            let disk = SimDisk::new(seed);
            let path = Path::new("/sim/file");
            disk.create_dir_all(Path::new("/sim"), true).unwrap();
            let file = disk.create(path, false).unwrap();
            file.append(b"kept").unwrap();
            file.sync_data().unwrap();
            file.append(b"lost").unwrap();
            let after = disk.crash();
            assert!(file.len().is_err(), "handles of an earlier boot are dead");
            after.contents(path)
        })
        .collect();
    assert!(outcomes.contains(&None), "the name was not synced");
    assert!(outcomes.contains(&Some(b"kept".to_vec())));
    assert!(outcomes.contains(&Some(b"keptlo".to_vec())));
    assert!(outcomes.iter().flatten().all(|bytes| bytes.starts_with(b"kept")));
}

#[test]
fn a_full_disk_writes_what_fits_and_recovers() {
    let disk = SimDisk::new(1);
    let path = Path::new("/sim/file");
    disk.create_dir_all(Path::new("/sim"), true).unwrap();
    disk.set_capacity(Some(6));
    let file = disk.create(path, false).unwrap();
    file.append(b"1234").unwrap();
    assert!(is_no_space(&file.append(b"5678").unwrap_err()));
    assert_eq!(disk.contents(path).unwrap(), b"123456");
    assert!(is_no_space(&disk.create(Path::new("/sim/b"), false).err().unwrap()));
    disk.set_capacity(None);
    file.append(b"7").unwrap();
    assert_eq!(disk.used_bytes(), 7);
}

#[test]
fn failures_happen_when_they_are_due() {
    let disk = SimDisk::new(1);
    disk.create_dir_all(Path::new("/sim"), true).unwrap();
    let file = disk.create(Path::new("/sim/file"), false).unwrap();
    disk.fail(Operation::Append, 2, Failure::Short(1));
    disk.fail(Operation::Sync, 1, Failure::Io);
    disk.fail(Operation::Create, 1, Failure::Quota);
    file.append(b"ab").unwrap();
    assert!(is_no_space(&file.append(b"cd").unwrap_err()));
    assert_eq!(file.len().unwrap(), 3);
    assert!(!is_no_space(&file.sync_data().unwrap_err()));
    file.sync_data().unwrap();
    assert!(is_no_space(&disk.create(Path::new("/sim/b"), false).err().unwrap()));
    assert_eq!(disk.calls(Operation::Append), 2);
}
