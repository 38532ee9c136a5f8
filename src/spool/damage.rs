//! What was lost to damaged files: copied aside, counted once, logged once, however many readers come upon it.

use std::{
    collections::BTreeSet,
    io,
    ops::Range,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use metrics::Counter;

use super::{locked, scan::Damage};
use crate::{
    disk::{self, Disk, DiskFile},
    telemetry::metric::Metric,
};

/// How much is copied at once.
const BLOCK_BYTES: u64 = 1 << 20;

/// The register of all damage that was come upon since the spool was opened.
pub(super) struct DamageRegister {
    disk: Arc<dyn Disk>,
    directory: PathBuf,
    found: Mutex<Found>,
    records_total: Counter,
}

#[derive(Default)]
struct Found {
    /// First sequence of the file, and the sequence that was due where it is damaged.
    places: BTreeSet<(u64, u64)>,
    records: u64,
}

impl DamageRegister {
    pub(super) fn new(disk: Arc<dyn Disk>, directory: PathBuf) -> Self {
        Self {
            disk,
            directory,
            found: Mutex::default(),
            records_total: Metric::SpoolDamagedRecords.counter(&[]),
        }
    }

    /// How many records were lost.
    pub(super) fn records(&self) -> u64 {
        locked(&self.found).records
    }

    /// Takes note of damage to the file that begins with `first`, which cost `records`, and copies the damaged bytes to
    /// a `*.corrupt` file. Answers whether they are safe there; the loss is counted in any case.
    pub(super) fn damaged(&self, first: u64, file: &dyn DiskFile, damage: &Damage, records: u64) -> bool {
        if !self.count(first, damage.expected, records) {
            return true;
        }
        let offset = damage.bytes.start;
        let length_bytes = damage.bytes.end.saturating_sub(offset);
        let name = format!("{first:020}.{offset}.corrupt");
        let copied = self.copy(file, &damage.bytes, &name);
        match &copied {
            Ok(()) => tracing::error!(
                first_sequence = first,
                offset,
                length_bytes,
                records,
                copy = name,
                "spool file is damaged; its other records are kept"
            ),
            Err(error) => tracing::error!(
                first_sequence = first,
                offset,
                length_bytes,
                records,
                %error,
                "spool file is damaged and the damaged bytes could not be copied aside"
            ),
        }
        copied.is_ok()
    }

    /// Takes note of `records` lost from the sequence `at` on, of which not even bytes are left.
    pub(super) fn missing(&self, first: u64, at: u64, records: u64) {
        if records > 0 && self.count(first, at, records) {
            tracing::error!(
                first_sequence = first,
                sequence = at,
                records,
                "records of the spool are missing"
            );
        }
    }

    /// Answers `false` if this is known already.
    fn count(&self, first: u64, sequence: u64, records: u64) -> bool {
        let mut found = locked(&self.found);
        if !found.places.insert((first, sequence)) {
            return false;
        }
        found.records += records;
        self.records_total.increment(records);
        true
    }

    fn copy(&self, file: &dyn DiskFile, bytes: &Range<u64>, name: &str) -> io::Result<()> {
        let path = self.directory.join(name);
        match self.disk.open(&path) {
            // An earlier run copied it.
            Ok(copy) if copy.len()? == bytes.end.saturating_sub(bytes.start) => return Ok(()),
            Ok(_) => self.disk.remove(&path)?,
            Err(_) => {}
        }
        let copy = self.disk.create(&path, true)?;
        let copied = copy_range(file, bytes, copy.as_ref());
        if copied.is_err() {
            // Half a copy helps nobody, least of all on a full disk.
            let _ = self.disk.remove(&path);
        }
        copied.and_then(|()| self.disk.sync_dir(&self.directory))
    }
}

fn copy_range(from: &dyn DiskFile, bytes: &Range<u64>, to: &dyn DiskFile) -> io::Result<()> {
    let mut offset = bytes.start;
    while offset < bytes.end {
        let block = (bytes.end - offset).min(BLOCK_BYTES);
        let mut buffer = vec![0; usize::try_from(block).unwrap_or_default()];
        let read = disk::read_full(from, &mut buffer, offset)?;
        if read == 0 {
            break;
        }
        buffer.truncate(read);
        to.append(&buffer)?;
        offset += read as u64;
    }
    to.sync_data()
}
