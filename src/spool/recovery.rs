//! Opening what the last run left behind, whatever it is.

use std::{collections::BTreeMap, io, path::Path};

use super::{
    NewId, OpenError, Recovery,
    damage::DamageRegister,
    file_header::{FileHeader, HEADER_BYTES, file_name, first_of_name},
    identity::Identity,
    index::{Index, SpoolFile},
    scan::{Damage, Scan, Step},
};
use crate::disk::{self, Disk};

/// What the spool goes on with.
pub(super) struct Recovered {
    pub(super) identity: Identity,
    pub(super) index: Index,
    pub(super) report: Recovery,
}

/// Recovery at work.
struct Salvage<'a> {
    disk: &'a dyn Disk,
    directory: &'a Path,
    damage: &'a DamageRegister,
    /// The readable files by first sequence.
    files: BTreeMap<u64, SpoolFile>,
    unreadable_files: u64,
}

/// How the newest file ends.
struct NewestEnd {
    /// The sequence after its last intact record.
    next: u64,
    /// What follows that record, if it is no frame.
    tail: Option<Damage>,
}

/// Makes the directory's contents usable.
pub(super) fn recover(
    disk: &dyn Disk,
    directory: &Path,
    damage: &DamageRegister,
) -> Result<Recovered, OpenError> {
    let fail = |source| OpenError::Io { path: directory.to_owned(), source };
    let noted = Identity::load(disk, directory).map_err(fail)?;
    let mut salvage = Salvage { disk, directory, damage, files: BTreeMap::new(), unreadable_files: 0 };
    salvage.sift().map_err(fail)?;
    let newest = salvage.examine_newest(noted.as_ref()).map_err(fail)?;
    let (found, tail) = match newest {
        Some(newest) => (newest.next, newest.tail),
        None => (0, None),
    };
    let new_id = salvage.doubt(noted.as_ref(), found, tail.as_ref());
    // Sequences below these were given out, whether or not their records are still there.
    let noted_end = noted.map_or(0, |noted| noted.end.unwrap_or(noted.newest));
    let end = found.max(noted_end);
    let identity = if let (Some(noted), None) = (noted, new_id) {
        noted
    } else {
        // Durable before the damage that tells of the need for it is cut away.
        let renewed = Identity::renewed(end);
        renewed.replace(disk, directory).map_err(fail)?;
        disk.sync_dir(directory).map_err(fail)?;
        renewed
    };
    let torn_bytes = salvage.mend_end(found, end, tail).map_err(fail)?;
    salvage.make_durable().map_err(fail)?;
    let index = Index::new(salvage.files, end);
    let report = Recovery {
        id: identity.id,
        new_id,
        oldest: index.oldest(),
        end,
        torn_bytes,
        damaged_records: damage.records(),
        unreadable_files: salvage.unreadable_files,
    };
    report.tell();
    Ok(Recovered { identity, index, report })
}

impl Salvage<'_> {
    /// Takes in the files that can be read and sets the others aside.
    fn sift(&mut self) -> io::Result<()> {
        let mut names = self.disk.read_dir(self.directory)?;
        names.sort_unstable();
        for name in &names {
            if let Some(first) = first_of_name(name) {
                self.take_in(name, first, &names)?;
            } else if name.strip_suffix(".tmp").and_then(first_of_name).is_some() {
                // A file whose making was interrupted; nothing was ever appended to it.
                self.disk.remove(&self.directory.join(name))?;
            }
        }
        Ok(())
    }

    fn take_in(&mut self, name: &str, first: u64, names: &[String]) -> io::Result<()> {
        let path = self.directory.join(name);
        let file = self.disk.open(&path)?;
        let mut head = vec![0; usize::try_from(HEADER_BYTES).unwrap_or_default()];
        let read = disk::read_full(file.as_ref(), &mut head, 0)?;
        head.truncate(read);
        let header = match FileHeader::decode(&head) {
            Ok(header) => header,
            Err(error) => {
                tracing::error!(file = name, %error, "spool file cannot be read and is set aside");
                return self.set_aside(name);
            }
        };
        if header.first != first {
            let right_name = file_name(header.first);
            if names.contains(&right_name) || self.files.contains_key(&header.first) {
                tracing::error!(file = name, "spool file has another's name and is set aside");
                return self.set_aside(name);
            }
            tracing::warn!(file = name, to = right_name, "spool file gets its own name back");
            self.disk.rename(&path, &self.directory.join(right_name))?;
        }
        let entry = SpoolFile { salt: header.salt, bytes: file.len()? };
        self.files.insert(header.first, entry);
        Ok(())
    }

    /// Keeps a file under a name that is not looked at again.
    fn set_aside(&mut self, name: &str) -> io::Result<()> {
        let taken = self.disk.read_dir(self.directory)?;
        let mut aside = format!("{name}.unreadable");
        let mut copy = 1;
        while taken.contains(&aside) {
            copy += 1;
            aside = format!("{name}.{copy}.unreadable");
        }
        self.disk.rename(&self.directory.join(name), &self.directory.join(aside))?;
        self.unreadable_files += 1;
        Ok(())
    }

    /// Goes through the newest file, which alone can have an end that was not written whole.
    fn examine_newest(&mut self, noted: Option<&Identity>) -> io::Result<Option<NewestEnd>> {
        let Some((&first, &file)) = self.files.last_key_value() else {
            return Ok(None);
        };
        let handle = self.disk.open(&self.directory.join(file_name(first)))?;
        let mut scan = Scan::new(handle, file.salt, first, file.bytes);
        let noted_end = noted.filter(|noted| noted.newest == first).and_then(|noted| noted.end);
        let mut next = first;
        loop {
            match scan.step()? {
                // Left behind by a failed write: it may be in the kernel's memory only, and was not acknowledged.
                Step::Frame(frame) if noted_end.is_some_and(|end| frame.sequence >= end) => {
                    let tail = Some(scan.rest());
                    return Ok(Some(NewestEnd { next, tail }));
                }
                Step::Frame(frame) => {
                    next = next.max(frame.sequence.saturating_add(1));
                    scan.pass(&frame);
                }
                Step::Damage(damage) => match damage.resumes_at {
                    Some(resumes_at) => {
                        let records = resumes_at.saturating_sub(damage.expected);
                        self.damage.damaged(first, scan.file(), &damage, records);
                    }
                    None => {
                        return Ok(Some(NewestEnd { next, tail: Some(damage) }));
                    }
                },
                Step::End => return Ok(Some(NewestEnd { next, tail: None })),
            }
        }
    }

    /// Whether sequences may have been given out that nothing here tells of.
    fn doubt(&self, noted: Option<&Identity>, found: u64, tail: Option<&Damage>) -> Option<NewId> {
        let Some(noted) = noted else {
            let is_empty = self.files.is_empty() && self.unreadable_files == 0;
            return Some(if is_empty { NewId::Created } else { NewId::Unidentified });
        };
        match noted.end {
            // The note says how far they were given out, and we go on behind that.
            Some(end) if found <= end => None,
            None if !self.files.contains_key(&noted.newest) => Some(NewId::NewestFileLost),
            _ => tail.is_some_and(|tail| !tail.is_torn_tail).then_some(NewId::EndDamaged),
        }
    }

    /// Cuts what is no record off the newest file, so that its end is plain when it is no longer the newest. What may
    /// have been records is copied first. Answers how many torn bytes were cut.
    fn mend_end(&mut self, found: u64, end: u64, tail: Option<Damage>) -> io::Result<u64> {
        let Some(mut entry) = self.files.last_entry() else {
            return Ok(0);
        };
        let first = *entry.key();
        let Some(tail) = tail else {
            self.damage.missing(first, found, end - found);
            return Ok(0);
        };
        let file = self.disk.open_writable(&self.directory.join(file_name(first)))?;
        let is_torn = tail.is_torn_tail && end == found;
        if !is_torn {
            // How many records a damaged end held is not known, but it was one at least.
            let records = (end - found).max(1);
            if !self.damage.damaged(first, file.as_ref(), &tail, records) {
                return Ok(0);
            }
        }
        file.set_len(tail.bytes.start)?;
        entry.get_mut().bytes = tail.bytes.start;
        let torn_bytes = tail.bytes.end - tail.bytes.start;
        Ok(if is_torn { torn_bytes } else { 0 })
    }

    /// If the last run was killed, what we have read may be known to the kernel only: a power cut would take it back
    /// after lanes have seen it.
    fn make_durable(&self) -> io::Result<()> {
        if let Some(&first) = self.files.keys().next_back() {
            let path = self.directory.join(file_name(first));
            self.disk.open_writable(&path)?.sync_data()?;
        }
        self.disk.sync_dir(self.directory)
    }
}
