//! Files that were cut, flipped, lost, renamed or planted.

use super::*;

/// A spool of one file with these records, after a crash or after a good stop.
fn spool_of(records: &[&[u8]], is_closed: bool) -> (SimDisk, PathBuf) {
    let disk = SimDisk::new(1);
    let (spool, _) = open(&disk);
    for record in records {
        append(&spool, &[record]).unwrap();
    }
    let disk = if is_closed { disk.clone() } else { disk.crash() };
    drop(spool);
    let path = spool_files(&disk).pop().unwrap();
    (disk, path)
}

const RECORDS: [&[u8]; 4] = [b"first", b"", b"the third one", b"last"];

/// Opens a damaged spool and checks what must hold whatever the damage: it starts; what it yields was written there;
/// no sequence that was given out before is given out again under the same id.
fn check(disk: &SimDisk, id: uuid::Uuid, intact: &[u64]) {
    let (spool, recovery) = open(disk);
    let (records, _) = read_all(&spool, 0);
    for (sequence, payload) in &records {
        assert_eq!(payload, RECORDS[usize::try_from(*sequence).unwrap()], "sequence {sequence}");
    }
    let found: Vec<u64> = records.iter().map(|(sequence, _)| *sequence).collect();
    for sequence in intact {
        assert!(found.contains(sequence), "{sequence} is intact and was lost: {found:?}");
    }
    let next = append(&spool, &[b"new"]).unwrap();
    assert!(recovery.id != id || next >= 4, "sequence {next} was given out before");
    drop(spool);
    // The damage is dealt with once.
    let (spool, again) = open(disk);
    assert_eq!((again.id, again.new_id), (recovery.id, None));
    assert_eq!(again.unreadable_files, 0);
    let (records, _) = read_all(&spool, next);
    assert_eq!(records, [(next, b"new".to_vec())]);
}

/// Where each record's frame lies.
fn frames() -> Vec<std::ops::Range<usize>> {
    let mut start = 96;
    let frame = |record: &&[u8]| {
        let range = start..start + 17 + record.len();
        start = range.end;
        range
    };
    RECORDS.iter().map(frame).collect()
}

#[test]
fn every_flipped_bit_costs_one_record_at_most() {
    for is_closed in [false, true] {
        let (disk, path) = spool_of(&RECORDS, is_closed);
        let pristine = disk.contents(&path).unwrap();
        let identity = disk.contents(&Path::new(DIRECTORY).join("id")).unwrap();
        let id = open_id(&identity);
        for bit in 0..pristine.len() * 8 {
            let disk = planted(&identity, &path, &pristine);
            disk.damage(&path, |bytes| bytes[bit / 8] ^= 1 << (bit % 8));
            let intact: Vec<u64> =
                (0..4).filter(|&at| !frames()[usize::try_from(at).unwrap()].contains(&(bit / 8))).collect();
            check(&disk, id, &intact);
        }
    }
}

#[test]
fn every_length_keeps_the_whole_records_and_after_a_good_stop_the_id() {
    let (disk, path) = spool_of(&RECORDS, true);
    let pristine = disk.contents(&path).unwrap();
    let identity = disk.contents(&Path::new(DIRECTORY).join("id")).unwrap();
    for length in 0..pristine.len() {
        let disk = planted(&identity, &path, &pristine[..length]);
        let intact: Vec<u64> =
            (0..4).filter(|&at| frames()[usize::try_from(at).unwrap()].end <= length).collect();
        check(&disk, open_id(&identity), &intact);
        let disk = planted(&identity, &path, &pristine[..length]);
        let (spool, recovery) = open(&disk);
        assert_eq!((recovery.new_id, recovery.end), (None, 4), "length {length}");
        let (records, gaps) = read_all(&spool, 0);
        assert_eq!(records.len() as u64 + gaps, 4);
        if length >= 96 {
            assert_eq!(spool.status().damaged_records, gaps);
        }
    }
}

#[test]
fn a_torn_tail_is_cut_and_the_id_stays() {
    let (disk, path) = spool_of(&RECORDS, false);
    let pristine = disk.contents(&path).unwrap();
    let identity = disk.contents(&Path::new(DIRECTORY).join("id")).unwrap();
    let last = frames()[3].clone();
    for length in last.start..last.end {
        let disk = planted(&identity, &path, &pristine[..length]);
        let (spool, recovery) = open(&disk);
        assert_eq!((recovery.new_id, recovery.end), (None, 3));
        assert_eq!(recovery.torn_bytes, (length - last.start) as u64);
        assert_eq!(recovery.damaged_records, 0);
        assert_eq!(disk.contents(&path).unwrap().len(), last.start);
        assert_eq!(payloads(&spool), &RECORDS[..3]);
        assert!(files_with(&disk, ".corrupt").is_empty());
    }
}

#[test]
fn a_damaged_end_makes_a_new_id_and_is_kept_aside() {
    let (disk, path) = spool_of(&RECORDS, false);
    disk.damage(&path, |bytes| *bytes.last_mut().unwrap() ^= 1);
    let damaged = disk.contents(&path).unwrap();
    let (spool, recovery) = open(&disk);
    assert_eq!((recovery.new_id, recovery.end), (Some(NewId::EndDamaged), 3));
    assert_eq!(recovery.damaged_records, 1);
    let copy = files_with(&disk, ".corrupt").pop().unwrap();
    assert_eq!(disk.contents(&copy).unwrap(), damaged[frames()[3].clone()]);
    assert_eq!(payloads(&spool), &RECORDS[..3]);
}

#[test]
fn damage_in_the_middle_costs_only_what_it_hits_and_keeps_the_id() {
    let (disk, path) = spool_of(&RECORDS, false);
    disk.damage(&path, |bytes| bytes[96..140].fill(0xaa));
    let (spool, recovery) = open(&disk);
    assert_eq!((recovery.new_id, recovery.end), (None, 4));
    assert_eq!(recovery.damaged_records, 3);
    let (records, gaps) = read_all(&spool, 0);
    assert_eq!((records, gaps), (vec![(3, b"last".to_vec())], 3));
    assert_eq!(spool.status().damaged_records, 3, "counted once");
    assert_eq!(files_with(&disk, ".corrupt").len(), 1);
}

#[test]
fn damage_in_an_older_file_is_found_by_its_first_reader_and_counted_once() {
    let disk = SimDisk::new(1);
    let (spool, _) = open_with(&disk, Settings { file_bytes: 100, ..settings() });
    for payload in [[1; 60], [2; 60], [3; 60]] {
        append(&spool, &[&payload, &payload]).unwrap();
    }
    let oldest = spool_files(&disk).remove(0);
    disk.damage(&oldest, |bytes| bytes[200] ^= 1);
    for _ in 0..2 {
        let (records, gaps) = read_all(&spool, 0);
        assert_eq!((records.len(), gaps), (5, 1));
        assert_eq!(spool.status().damaged_records, 1);
    }
    assert_eq!(files_with(&disk, ".corrupt").len(), 1);
}

#[test]
fn a_missing_file_is_a_gap() {
    let disk = SimDisk::new(1);
    let (spool, first) = open_with(&disk, Settings { file_bytes: 100, ..settings() });
    for _ in 0..4 {
        append(&spool, &[&[7; 100]]).unwrap();
    }
    let files = spool_files(&disk);
    disk.remove(&files[1]).unwrap();
    // While it runs, and after a restart.
    let (records, gaps) = read_all(&spool, 0);
    assert_eq!((records.len(), gaps), (3, 1));
    assert_eq!(spool.status().damaged_records, 1);
    drop(spool);
    let (spool, recovery) = open(&disk);
    assert_eq!((recovery.id, recovery.new_id), (first.id, None));
    let (records, gaps) = read_all(&spool, 0);
    assert_eq!((records.len(), gaps), (3, 1));
}

#[test]
fn a_missing_newest_file_makes_a_new_id() {
    let disk = SimDisk::new(1);
    let (spool, _) = open_with(&disk, Settings { file_bytes: 100, ..settings() });
    for _ in 0..3 {
        append(&spool, &[&[7; 100]]).unwrap();
    }
    let disk = disk.crash();
    drop(spool);
    disk.remove(&spool_files(&disk).pop().unwrap()).unwrap();
    let (spool, recovery) = open(&disk);
    assert_eq!((recovery.new_id, recovery.end), (Some(NewId::NewestFileLost), 2));
    assert_eq!(payloads(&spool).len(), 2);
    assert_eq!(append(&spool, &[b"next"]), Ok(2));
}

#[test]
fn a_missing_or_damaged_id_makes_a_new_one() {
    let (disk, _) = spool_of(&RECORDS, false);
    let path = Path::new(DIRECTORY).join("id");
    for damage in [None, Some(0), Some(30)] {
        match damage {
            None => disk.remove(&path).unwrap(),
            Some(at) => disk.damage(&path, |bytes| bytes[at] ^= 1),
        }
        let (spool, recovery) = open(&disk);
        assert_eq!((recovery.new_id, recovery.end), (Some(NewId::Unidentified), 4));
        assert_eq!(payloads(&spool), RECORDS);
    }
}

#[test]
fn a_file_of_a_later_version_is_set_aside() {
    let (disk, path) = spool_of(&RECORDS, false);
    disk.damage(&path, |bytes| (bytes[8], bytes[56]) = (2, 2));
    let (spool, recovery) = open(&disk);
    assert_eq!(recovery.unreadable_files, 1);
    assert_eq!(recovery.new_id, Some(NewId::NewestFileLost));
    assert_eq!(files_with(&disk, ".unreadable").len(), 1);
    assert_eq!(append(&spool, &[b"goes on"]), Ok(0));
}

#[test]
fn a_file_is_set_aside_beside_earlier_ones() {
    for copies in 1..4 {
        let (disk, path) = spool_of(&RECORDS, false);
        for copy in 0..copies {
            let name = if copy == 0 { String::new() } else { format!(".{}", copy + 1) };
            disk.plant(&PathBuf::from(format!("{}{name}.unreadable", path.display())), b"earlier");
        }
        disk.damage(&path, Vec::clear);
        drop(open(&disk));
        assert_eq!(files_with(&disk, ".unreadable").len(), copies + 1);
    }
}

#[test]
fn a_renamed_file_gets_its_name_back_and_a_copy_is_set_aside() {
    let (disk, path) = spool_of(&RECORDS, false);
    let wrong = Path::new(DIRECTORY).join("00000000000000000777.spool");
    disk.rename(&path, &wrong).unwrap();
    let (spool, recovery) = open(&disk);
    assert_eq!((recovery.new_id, recovery.end), (None, 4));
    assert_eq!(payloads(&spool), RECORDS);
    drop(spool);
    disk.plant(&wrong, &disk.contents(&path).unwrap());
    let (spool, recovery) = open(&disk);
    assert_eq!((recovery.new_id, recovery.end, recovery.unreadable_files), (None, 4, 1));
    assert_eq!(payloads(&spool), RECORDS);
}

#[test]
fn of_two_copies_under_wrong_names_both_are_kept() {
    let (disk, path) = spool_of(&RECORDS, false);
    let directory = Path::new(DIRECTORY);
    disk.plant(&directory.join("00000000000000000555.spool"), &disk.contents(&path).unwrap());
    disk.rename(&path, &directory.join("00000000000000000777.spool")).unwrap();
    let (spool, recovery) = open(&disk);
    assert_eq!((recovery.unreadable_files, recovery.end), (1, 4));
    assert_eq!(payloads(&spool), RECORDS);
}

#[test]
fn of_files_that_overlap_the_later_one_counts_from_its_first_record() {
    let (disk, path) = spool_of(&RECORDS, false);
    let mut later = file_header::FileHeader { spool_id: uuid::Uuid::nil(), first: 2, salt: 5 }.encode();
    let mut records = chunk(&[RECORDS[2], RECORDS[3]]);
    records.seal(5, 2);
    later.extend_from_slice(records.frames());
    disk.plant(&Path::new(DIRECTORY).join("00000000000000000002.spool"), &later);
    let (spool, recovery) = open(&disk);
    assert_eq!((recovery.new_id, recovery.end), (None, 4));
    assert_eq!(payloads(&spool), RECORDS);
    assert!(disk.contents(&path).is_some());
}

#[test]
fn other_files_are_left_alone() {
    let (disk, _) = spool_of(&RECORDS, false);
    let names = ["README", "7.spool", "0000000000000000000x.spool", "00000000000000000000.spool.bak"];
    for name in names {
        disk.plant(&Path::new(DIRECTORY).join(name), b"mine");
    }
    let stale = Path::new(DIRECTORY).join("00000000000000000009.spool.tmp");
    disk.plant(&stale, b"tid");
    let (spool, recovery) = open(&disk);
    assert_eq!((recovery.new_id, recovery.unreadable_files), (None, 0));
    assert_eq!(payloads(&spool), RECORDS);
    for name in names {
        assert_eq!(disk.contents(&Path::new(DIRECTORY).join(name)).unwrap(), b"mine");
    }
    assert_eq!(disk.contents(&stale), None);
}

#[test]
fn a_payload_cannot_pass_for_a_frame() {
    // The attacker knows everything but the salt, and the disk damages the frame that holds the attack.
    let mut forged = chunk(&[b"forged"]);
    forged.seal(0, 1);
    let attack = forged.frames().repeat(20);
    let (disk, path) = spool_of(&[b"zero", &attack, b"two"], false);
    disk.damage(&path, |bytes| bytes[96 + 17 + 4 + 5] ^= 1);
    let (spool, _) = open(&disk);
    let (records, gaps) = read_all(&spool, 0);
    assert_eq!(gaps, 1);
    assert_eq!(records, [(0, b"zero".to_vec()), (2, b"two".to_vec())]);
}

#[test]
fn damage_whose_copy_does_not_fit_is_not_cut_away() {
    let (disk, path) = spool_of(&RECORDS, false);
    disk.damage(&path, |bytes| *bytes.last_mut().unwrap() ^= 1);
    let damaged = disk.contents(&path).unwrap();
    // Room for the new id, and not for the copy.
    disk.fail(crate::disk::simulated::Operation::Create, 2, crate::disk::simulated::Failure::NoSpace);
    let (spool, recovery) = open(&disk);
    assert_eq!(recovery.new_id, Some(NewId::EndDamaged));
    assert_eq!(disk.contents(&path).unwrap(), damaged);
    assert_eq!(append(&spool, &[b"next"]), Ok(3));
    let (records, gaps) = read_all(&spool, 0);
    assert_eq!((records.len(), gaps), (4, 0));
}

fn planted(identity: &[u8], path: &Path, bytes: &[u8]) -> SimDisk {
    let disk = SimDisk::new(1);
    disk.create_dir_all(Path::new(DIRECTORY), true).unwrap();
    disk.plant(&Path::new(DIRECTORY).join("id"), identity);
    disk.plant(path, bytes);
    disk
}

fn open_id(identity: &[u8]) -> uuid::Uuid {
    identity::Identity::decode(identity).unwrap().id
}
