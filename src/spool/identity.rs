//! The file `id`: under which id the spool gives out sequences, and how far it certainly has.

use std::{fmt::Write, io, path::Path};

use crc32c::crc32c;
use uuid::Uuid;

use crate::disk::{self, Disk};

/// Name of the file.
pub(super) const FILE_NAME: &str = "id";

/// No file of ours is longer; whatever is, is damaged.
const BYTES_MAX: u64 = 4096;
const TITLE: &str = "tidegate spool 1";

/// What the file `id` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// The spool's id: sequences are never given out twice under one id.
    pub(super) id: Uuid,
    /// First sequence of the newest file.
    pub(super) newest: u64,
    /// The sequence after the newest file's last record, where nothing more will be appended to it. While it is
    /// `None`, the newest file must be there and its end must be plain, or else sequences may have been given out
    /// that we know nothing of.
    pub(super) end: Option<u64>,
}

impl Identity {
    /// A new id that goes on with the sequence `next`.
    pub(super) fn renewed(next: u64) -> Self {
        Self { id: Self::new_id(), newest: next, end: Some(next) }
    }

    /// An id that no spool has had.
    pub(super) fn new_id() -> Uuid {
        Uuid::now_v7()
    }

    /// The contents of the file: lines for people, and a checksum.
    pub(super) fn encode(&self) -> String {
        let mut text = format!("{TITLE}\nid {}\nnewest {}\n", self.id, self.newest);
        if let Some(end) = self.end {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "end {end}");
        }
        let checksum = crc32c(text.as_bytes());
        let _ = writeln!(text, "crc32c {checksum:08x}");
        text
    }

    /// Reads what [`Self::encode`] wrote; `None` if a single bit differs.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(bytes).ok()?;
        let mut lines = text.lines();
        if lines.next()? != TITLE {
            return None;
        }
        let id = lines.next()?.strip_prefix("id ")?.parse().ok()?;
        let newest = lines.next()?.strip_prefix("newest ")?.parse().ok()?;
        let end = match lines.next()?.strip_prefix("end ") {
            Some(end) => Some(end.parse().ok()?),
            None => None,
        };
        let identity = Self { id, newest, end };
        (identity.encode() == text).then_some(identity)
    }

    /// Puts the file in place; durable only once the directory is synced as well.
    pub(super) fn replace(&self, disk: &dyn Disk, directory: &Path) -> io::Result<()> {
        disk::replace(disk, &directory.join(FILE_NAME), self.encode().as_bytes(), true)
    }

    /// Reads the file; `None` where it is missing or damaged.
    pub(super) fn load(disk: &dyn Disk, directory: &Path) -> io::Result<Option<Self>> {
        match disk::read(disk, &directory.join(FILE_NAME), BYTES_MAX) {
            Ok(bytes) => Ok(Self::decode(&bytes)),
            Err(error) => match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::FileTooLarge => Ok(None),
                _ => Err(error),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_reads_back_and_no_flipped_bit_or_cut_passes() {
        for end in [None, Some(u64::MAX)] {
            let identity = Identity { end, newest: 7, ..Identity::renewed(7) };
            let text = identity.encode().into_bytes();
            assert_eq!(Identity::decode(&text), Some(identity));
            for bit in 0..text.len() * 8 {
                let mut damaged = text.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(Identity::decode(&damaged), None, "bit {bit}");
            }
            for length in 0..text.len() {
                assert_eq!(Identity::decode(&text[..length]), None, "length {length}");
            }
        }
    }
}
