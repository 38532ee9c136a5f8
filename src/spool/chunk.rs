//! What one delivery appends: records in one buffer, written whole by one commit.

use super::frame;

/// What a record is; the spool itself makes no difference between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Kind {
    /// An accepted event.
    Event = 1,
    /// Something that was refused, kept with its reason.
    Refusal = 2,
}

/// The records of one delivery, encoded straight into the bytes that the writer will write.
#[derive(Debug, Default)]
pub struct Chunk {
    /// Frames that lack sequence and checksum, which only the writer knows.
    frames: Vec<u8>,
    records: usize,
    oversized: bool,
}

impl Chunk {
    /// An empty chunk.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty chunk with room for records of so many bytes in all, heads included.
    pub fn with_capacity(bytes: usize) -> Self {
        Self { frames: Vec::with_capacity(bytes), ..Self::default() }
    }

    /// Adds a record; `encode` appends its payload to the buffer and must leave alone what stands there.
    pub fn push(&mut self, kind: Kind, encode: impl FnOnce(&mut Vec<u8>)) {
        self.oversized |= !frame::push(&mut self.frames, kind as u8, encode);
        self.records += 1;
    }

    /// How many records it holds.
    pub fn len(&self) -> usize {
        self.records
    }

    /// Whether it holds no record.
    pub fn is_empty(&self) -> bool {
        self.records == 0
    }

    /// Bytes of all payloads.
    pub fn payload_bytes(&self) -> usize {
        self.frames.len().saturating_sub(self.records * frame::HEAD_BYTES)
    }

    /// Bytes that it will occupy on disk; `u64::MAX`, which no quota admits, if a payload is longer than the 4 GiB
    /// that the format can express.
    pub(super) fn disk_bytes(&self) -> u64 {
        if self.oversized { u64::MAX } else { self.frames.len() as u64 }
    }

    /// Gives the records their sequences, from `first` on; answers the sequence after the last.
    pub(super) fn seal(&mut self, salt: u32, first: u64) -> u64 {
        frame::seal(&mut self.frames, salt, first)
    }

    /// The frames as they will stand on disk, once sealed.
    pub(super) fn frames(&self) -> &[u8] {
        &self.frames
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chunk_counts_records_and_bytes() {
        let mut chunk = Chunk::new();
        assert!(chunk.is_empty());
        chunk.push(Kind::Event, |out| out.extend_from_slice(b"abc"));
        chunk.push(Kind::Refusal, |_| {});
        assert_eq!((chunk.len(), chunk.payload_bytes()), (2, 3));
        assert_eq!(chunk.disk_bytes(), 2 * 17 + 3);
        assert_eq!(chunk.seal(1, 10), 12);
    }
}
