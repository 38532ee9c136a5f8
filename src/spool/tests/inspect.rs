//! Looking without touching: an inspection finds what a start would find, and leaves every byte as it is.

use super::*;
use crate::spool::inspect::{Defect, Finding, InspectError, Inspection};

const RECORDS: [&[u8]; 4] = [b"first", b"", b"the third one", b"last"];

/// A spool of two records in each file: the two files, older first, and the file `id`.
fn spool_of_two_files(is_closed: bool) -> Vec<(PathBuf, Vec<u8>)> {
    let disk = SimDisk::new(1);
    for pair in RECORDS.chunks(2) {
        let (spool, _) = open(&disk);
        append(&spool, pair).unwrap();
        if !is_closed && pair[0] == RECORDS[2] {
            return contents(&disk.crash());
        }
    }
    contents(&disk)
}

fn contents(disk: &SimDisk) -> Vec<(PathBuf, Vec<u8>)> {
    let paths = disk.read_dir(Path::new(DIRECTORY)).unwrap().into_iter();
    let mut files: Vec<_> = paths
        .map(|name| Path::new(DIRECTORY).join(name))
        .filter_map(|path| Some((path.clone(), disk.contents(&path)?)))
        .collect();
    files.sort();
    files
}

fn planted(files: &[(PathBuf, Vec<u8>)]) -> SimDisk {
    let disk = SimDisk::new(1);
    disk.create_dir_all(Path::new(DIRECTORY), true).unwrap();
    for (path, bytes) in files {
        disk.plant(path, bytes);
    }
    disk
}

/// Sequences and payloads.
type Records = Vec<(u64, Vec<u8>)>;

/// The records, the defects, and how many bytes nobody was told of.
fn inspected(disk: &SimDisk) -> (Records, Vec<Defect>, u64) {
    let before = contents(disk);
    let mut inspection = Inspection::open(Arc::new(disk.clone()), Path::new(DIRECTORY)).unwrap();
    let (mut records, mut defects, mut unacknowledged) = (Vec::new(), Vec::new(), 0);
    for finding in &mut inspection {
        match finding.unwrap() {
            Finding::File(_) => {}
            Finding::Record(record) => records.push((record.sequence, record.payload.to_vec())),
            Finding::Unacknowledged(bytes) => unacknowledged += bytes.end - bytes.start,
            Finding::Defect(defect) => defects.push(defect),
        }
    }
    assert!(inspection.next().is_none());
    assert_eq!(contents(disk), before, "looking changes nothing");
    (records, defects, unacknowledged)
}

/// What a start and a reader make of the same files.
fn recovered(disk: &SimDisk) -> (Records, bool) {
    let (spool, recovery) = open(disk);
    let (records, gaps) = read_all(&spool, spool.oldest());
    let is_sound = recovery.new_id.is_none()
        && recovery.unreadable_files == 0
        && spool.status().damaged_records == 0
        && gaps == 0;
    (records, is_sound)
}

#[test]
fn an_inspection_finds_what_a_start_finds_whatever_bit_is_flipped() {
    for is_closed in [false, true] {
        let files = spool_of_two_files(is_closed);
        assert_eq!(files.len(), 3, "the file id and two spool files");
        assert_eq!(inspected(&planted(&files)).1, [], "a sound spool has no defect");
        for at in 0..files.len() {
            for bit in 0..files[at].1.len() * 8 {
                let mut files = files.clone();
                files[at].1[bit / 8] ^= 1 << (bit % 8);
                let disk = planted(&files);
                let (found, defects, _) = inspected(&disk);
                let (records, is_sound) = recovered(&disk);
                assert_eq!(found, records, "file {at} bit {bit}");
                assert_eq!(defects.is_empty(), is_sound, "file {at} bit {bit}: {defects:?}");
            }
        }
    }
}

#[test]
fn an_inspection_finds_what_a_start_finds_wherever_the_newest_file_is_cut() {
    for is_closed in [false, true] {
        let files = spool_of_two_files(is_closed);
        for length in 0..files[1].1.len() {
            let mut files = files.clone();
            files[1].1.truncate(length);
            let disk = planted(&files);
            let (found, defects, unacknowledged) = inspected(&disk);
            let (records, is_sound) = recovered(&disk);
            assert_eq!(found, records, "length {length}");
            assert_eq!(defects.is_empty(), is_sound, "length {length}: {defects:?}");
            assert!(!is_closed || !defects.is_empty(), "a closed spool has lost records");
            assert!(is_closed || length < 96 || unacknowledged < 17 + 13, "length {length}");
        }
    }
}

#[test]
fn missing_files_are_defects_and_name_what_is_gone() {
    let files = spool_of_two_files(true);
    let without = |name: &str| {
        let kept: Vec<_> = files.iter().filter(|(path, _)| !path.ends_with(name)).cloned().collect();
        assert_eq!(kept.len(), 2);
        inspected(&planted(&kept))
    };
    let (records, defects, _) = without("id");
    assert_eq!((records.len(), defects), (4, vec![Defect::Unidentified]));
    let (records, defects, _) = without("00000000000000000002.spool");
    let missing = Defect::Missing { sequences: 2..4 };
    assert_eq!((records.len(), defects), (2, vec![Defect::NewestMissing { first: 2 }, missing]));
    let (records, defects, _) = without("00000000000000000000.spool");
    assert_eq!((records.len(), defects), (2, vec![]), "the oldest files go when they are delivered");
}

#[test]
fn a_file_with_anothers_name_is_told_and_read() {
    let mut files = spool_of_two_files(true);
    files[1].0 = Path::new(DIRECTORY).join("00000000000000000001.spool");
    let (records, defects, _) = inspected(&planted(&files));
    assert_eq!(records.len(), 4);
    let name = "00000000000000000001.spool".into();
    assert_eq!(defects, [Defect::Misnamed { name, first: 2 }]);
}

#[test]
fn what_lies_behind_the_noted_end_was_never_acknowledged() {
    let mut files = spool_of_two_files(true);
    // As a failed write leaves them, whose bytes reached the disk all the same: the note says that nothing was written.
    let text = format!("tidegate spool 1\nid {}\nnewest 2\nend 3\n", uuid::Uuid::nil());
    files[2].1 = format!("{text}crc32c {:08x}\n", crc32c::crc32c(text.as_bytes())).into_bytes();
    let disk = planted(&files);
    let (found, defects, unacknowledged) = inspected(&disk);
    assert_eq!((found.len(), defects, unacknowledged), (3, vec![], 17 + 4));
    assert_eq!(recovered(&disk), (found, true));
}

#[test]
fn a_spool_in_use_is_refused_and_none_is_none() {
    let disk = SimDisk::new(1);
    let directory = Path::new(DIRECTORY);
    let inspect = |directory: &Path| Inspection::open(Arc::new(disk.clone()), directory).map(|_| ());
    assert!(matches!(inspect(directory), Err(InspectError::NoSpool { .. })));
    let (spool, _) = open(&disk);
    append(&spool, &[b"one"]).unwrap();
    assert!(matches!(inspect(directory), Err(InspectError::Locked { .. })));
    drop(spool);
    assert!(inspect(directory).is_ok());
    assert!(inspect(directory.parent().unwrap()).is_ok(), "the data directory will do");
}
