//! Reading the spool in order, for one lane.

use std::{io, sync::Arc};

use bytes::Bytes;

use super::{
    file_header::file_name,
    frame::Frame,
    index::{Place, SpoolFile},
    locked,
    scan::{Damage, Scan, Step},
    shared::Shared,
};

/// A place in the spool that moves forward. Its I/O blocks; its memory is bounded by what it is asked for, plus a
/// window of 1 MiB or one record.
pub struct Reader {
    shared: Arc<Shared>,
    position: u64,
    /// What is lost below this sequence is in the register of damage.
    accounted: u64,
    scan: Option<Scan>,
}

/// What a read yields: every sequence from `from` up to `next` is a record here, or counted in `gaps`.
#[derive(Clone, Debug, Default)]
pub struct ReadBatch {
    /// In the order of their sequences.
    pub records: Vec<Record>,
    /// How many sequences of the range were lost to damage, or are older than the oldest file.
    pub gaps: u64,
    /// Where the reader stood before.
    pub from: u64,
    /// Where it stands now.
    pub next: u64,
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its place in the spool.
    pub sequence: u64,
    /// What it is: a [`super::Kind`] as it stands on disk, or a kind of a later version.
    pub kind: u8,
    /// What was appended, as a slice of a buffer that neighbouring records share.
    pub payload: Bytes,
}

/// Why nothing was read. Damage is none of the reasons: it is counted and passed.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the spool file {file}")]
pub struct ReadError {
    file: String,
    #[source]
    source: io::Error,
}

/// A batch that fills up.
struct Filling {
    batch: ReadBatch,
    bytes: usize,
    records_max: usize,
    bytes_max: usize,
}

impl Filling {
    fn has_room_for(&self, payload: &Bytes) -> bool {
        let fits = self.bytes.saturating_add(payload.len()) <= self.bytes_max;
        // The first record always fits, or the reader would stand still before it.
        self.batch.records.is_empty() || (fits && self.batch.records.len() < self.records_max)
    }

    fn push(&mut self, frame: Frame) {
        self.bytes += frame.payload.len();
        self.batch.records.push(Record {
            sequence: frame.sequence,
            kind: frame.kind,
            payload: frame.payload,
        });
    }
}

impl Reader {
    pub(super) fn new(shared: Arc<Shared>, from: u64) -> Self {
        Self { shared, position: from, accounted: from, scan: None }
    }

    /// The sequence that the next read begins with.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Passes over what lies before `sequence`, unread. Never goes back.
    pub fn skip_to(&mut self, sequence: u64) {
        self.position = self.position.max(sequence);
    }

    /// Reads what is durable, up to these limits; at least one record if there is one, however large. Empty at the
    /// end of the spool. After an error, reading on is the right thing to do: nothing was passed over.
    pub fn read(&mut self, max_records: usize, max_bytes: usize) -> Result<ReadBatch, ReadError> {
        let from = self.position;
        let mut filling = Filling {
            batch: ReadBatch { from, ..ReadBatch::default() },
            bytes: 0,
            records_max: max_records,
            bytes_max: max_bytes,
        };
        loop {
            let place = locked(&self.shared.index).locate(self.position);
            match place {
                Place::End => break,
                Place::Gap { to } => self.skip(&mut filling, to),
                Place::File { first, upper, file } => {
                    match self.read_file(&mut filling, first, upper, file) {
                        Ok(true) => {}
                        Ok(false) => break,
                        // What was read before the error is handed out; the next read meets the error again.
                        Err(_) if self.position > from => break,
                        Err(source) => {
                            return Err(ReadError { file: file_name(first), source });
                        }
                    }
                }
            }
        }
        filling.batch.next = self.position;
        Ok(filling.batch)
    }

    /// Reads a file's records up to `upper`; answers whether there is room for more.
    fn read_file(
        &mut self,
        filling: &mut Filling,
        first: u64,
        upper: u64,
        file: SpoolFile,
    ) -> io::Result<bool> {
        let Some(mut scan) = self.scan_of(first, file)? else {
            // Deleted since we asked for it, or lost.
            if locked(&self.shared.index).contains(first) {
                self.lose(filling, first, upper);
            }
            return Ok(true);
        };
        while self.position < upper {
            match scan.step()? {
                Step::Frame(frame) if frame.sequence < self.position => scan.pass(&frame),
                // What belongs to the next file is read from there.
                Step::Frame(frame) if frame.sequence >= upper => self.lose(filling, first, upper),
                Step::Frame(frame) => {
                    if !filling.has_room_for(&frame.payload) {
                        self.scan = Some(scan);
                        return Ok(false);
                    }
                    self.lose(filling, first, frame.sequence);
                    self.position += 1;
                    scan.pass(&frame);
                    filling.push(frame);
                }
                Step::Damage(damage) => self.note(&scan, &damage, upper),
                Step::End => self.lose(filling, first, upper),
            }
        }
        self.scan = Some(scan);
        Ok(true)
    }

    /// The scan that stands in this file before our position; `None` if the file is gone.
    fn scan_of(&mut self, first: u64, file: SpoolFile) -> io::Result<Option<Scan>> {
        if let Some(mut scan) = self.scan.take().filter(|scan| scan.first() == first) {
            scan.extend(file.bytes);
            return Ok(Some(scan));
        }
        let path = self.shared.settings.directory.join(file_name(first));
        match self.shared.disk.open(&path) {
            Ok(handle) => Ok(Some(Scan::new(handle, file.salt, first, file.bytes))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn note(&mut self, scan: &Scan, damage: &Damage, upper: u64) {
        let end = damage.resumes_at.unwrap_or(upper).min(upper);
        let records = end.saturating_sub(damage.expected);
        let register = &self.shared.damage;
        register.damaged(scan.first(), scan.file(), damage, records);
        self.accounted = self.accounted.max(end);
    }

    /// Passes sequences that ought to be in the file that begins with `first` and are not.
    fn lose(&mut self, filling: &mut Filling, first: u64, to: u64) {
        let from = self.position.max(self.accounted);
        self.shared.damage.missing(first, from, to.saturating_sub(from));
        self.skip(filling, to);
    }

    fn skip(&mut self, filling: &mut Filling, to: u64) {
        filling.batch.gaps += to.saturating_sub(self.position);
        self.position = self.position.max(to);
    }
}
