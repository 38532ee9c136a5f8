//! Going through a spool file frame by frame, and finding the way again after damage. Recovery and readers share it.

use std::{io, ops::Range};

use bytes::{Bytes, BytesMut};

use super::{
    file_header::HEADER_BYTES,
    frame::{self, Frame, HEAD_BYTES, Head},
};
use crate::disk::{self, DiskFile};

/// How much is read at once; only a longer frame needs more memory.
const WINDOW_BYTES: u64 = 1 << 20;

/// Where a scan stands in its file.
pub(super) struct Scan {
    file: Box<dyn DiskFile>,
    salt: u32,
    first: u64,
    /// Offset of the next frame.
    offset: u64,
    /// Bytes from here on are not ours to read: they are not durable yet, or not there.
    limit: u64,
    /// The sequence that the next frame bears unless something was lost.
    expected: u64,
    /// Bytes of the file that were read ahead, and where they begin. Records are slices of it.
    window: Bytes,
    window_start: u64,
}

/// What a scan comes upon.
#[derive(Debug)]
pub(super) enum Step {
    /// A record. The scan stays before it until [`Scan::pass`].
    Frame(Frame),
    /// Bytes that are no frame. The scan stands behind them.
    Damage(Damage),
    /// The limit.
    End,
}

/// Bytes that are no frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Damage {
    /// Where in the file.
    pub(super) bytes: Range<u64>,
    /// The sequence that was due here.
    pub(super) expected: u64,
    /// The sequence of the intact frame behind the damage; `None` if there is none up to the limit.
    pub(super) resumes_at: Option<u64>,
    /// The file ends inside a frame of which all that is there may well be right: what a write that was cut short
    /// leaves, and no record that was ever durable.
    pub(super) is_torn_tail: bool,
}

impl Scan {
    /// Begins before the first frame of a file; `limit` is its readable length.
    pub(super) fn new(file: Box<dyn DiskFile>, salt: u32, first: u64, limit: u64) -> Self {
        Self {
            file,
            salt,
            first,
            offset: HEADER_BYTES,
            limit,
            expected: first,
            window: Bytes::new(),
            window_start: 0,
        }
    }

    /// First sequence of the file.
    pub(super) fn first(&self) -> u64 {
        self.first
    }

    /// The file that is gone through.
    pub(super) fn file(&self) -> &dyn DiskFile {
        self.file.as_ref()
    }

    /// More of the file may be read now.
    pub(super) fn extend(&mut self, limit: u64) {
        self.limit = limit;
    }

    /// What comes next.
    pub(super) fn step(&mut self) -> io::Result<Step> {
        if self.offset >= self.limit {
            return Ok(Step::End);
        }
        match self.frame_at(self.offset)? {
            Some(frame) => Ok(Step::Frame(frame)),
            None => self.damage(),
        }
    }

    /// Goes on behind a frame.
    pub(super) fn pass(&mut self, frame: &Frame) {
        self.offset = frame.end;
        self.expected = self.expected.max(frame.sequence.saturating_add(1));
    }

    /// What comes from here on, as something that is to be cut off.
    pub(super) fn rest(&self) -> Damage {
        Damage {
            bytes: self.offset..self.limit,
            expected: self.expected,
            resumes_at: None,
            is_torn_tail: true,
        }
    }

    /// The intact frame at an offset, if there is one.
    fn frame_at(&mut self, offset: u64) -> io::Result<Option<Frame>> {
        let (salt, limit) = (self.salt, self.limit);
        let Some(head) = Head::parse(self.window(offset, HEAD_BYTES as u64)?) else {
            return Ok(None);
        };
        let end = offset.saturating_add(head.frame_bytes());
        if end > limit {
            return Ok(None);
        }
        if !frame::is_intact(salt, self.window(offset, head.frame_bytes())?, &head, head.payload_bytes) {
            return Ok(None);
        }
        Ok(Some(Frame {
            sequence: head.sequence,
            kind: head.kind,
            payload: self.slice(offset + HEAD_BYTES as u64, end),
            end,
        }))
    }

    /// Finds the next intact frame behind an offset that holds none.
    ///
    /// A frame counts only if its checksum is right, and its sequence is one that may follow and that a file of so
    /// many bytes can hold: the second condition makes most offsets cheap to reject.
    fn damage(&mut self) -> io::Result<Step> {
        let start = self.offset;
        let sequences = self.expected..=self.first.saturating_add(self.limit / HEAD_BYTES as u64);
        let mut resumes_at = None;
        let mut offset = start + 1;
        while let Some(head) = Head::parse(self.window(offset, HEAD_BYTES as u64)?) {
            if sequences.contains(&head.sequence)
                && let Some(frame) = self.frame_at(offset)?
            {
                resumes_at = Some(frame.sequence);
                break;
            }
            offset += 1;
        }
        let end = if resumes_at.is_some() { offset } else { self.limit };
        let is_torn_tail = resumes_at.is_none() && self.is_unfinished(start)?;
        self.offset = end;
        Ok(Step::Damage(Damage { bytes: start..end, expected: self.expected, resumes_at, is_torn_tail }))
    }

    /// Whether the file ends inside the frame at this offset, rather than the frame being damaged.
    fn is_unfinished(&mut self, offset: u64) -> io::Result<bool> {
        let (salt, rest) = (self.salt, self.limit - offset);
        let Some(head) = Head::parse(self.window(offset, HEAD_BYTES as u64)?) else {
            return Ok(true);
        };
        if head.frame_bytes() <= rest {
            return Ok(false);
        }
        // A whole frame whose length alone is damaged looks unfinished too. It gives itself away by being right
        // with the length that the file's end implies.
        let Ok(payload_bytes) = u32::try_from(rest - HEAD_BYTES as u64) else {
            return Ok(true);
        };
        Ok(!frame::is_intact(salt, self.window(offset, rest)?, &head, payload_bytes))
    }

    /// The bytes of the file from `offset` on, `length` of them or up to the limit.
    fn window(&mut self, offset: u64, length: u64) -> io::Result<&[u8]> {
        let end = offset.saturating_add(length).min(self.limit);
        let window_end = self.window_start + self.window.len() as u64;
        if offset < self.window_start || end > window_end {
            self.fill(offset, end)?;
        }
        let from = usize::try_from(offset - self.window_start).unwrap_or(usize::MAX);
        let to = usize::try_from(end.saturating_sub(self.window_start)).unwrap_or(usize::MAX);
        let to = to.min(self.window.len());
        Ok(self.window.get(from..to).unwrap_or_default())
    }

    /// Reads a window that begins at `offset` and reaches at least to `end`.
    fn fill(&mut self, offset: u64, end: u64) -> io::Result<()> {
        let wanted = end.max(offset.saturating_add(WINDOW_BYTES).min(self.limit));
        let length =
            usize::try_from(wanted.saturating_sub(offset)).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let mut buffer = BytesMut::zeroed(length);
        let read = disk::read_full(self.file.as_ref(), &mut buffer, offset)?;
        if read < length {
            // Somebody cut the file: what is not there is not readable.
            self.limit = offset + read as u64;
            buffer.truncate(read);
        }
        self.window = buffer.freeze();
        self.window_start = offset;
        Ok(())
    }

    /// A part of the window without copying it.
    fn slice(&self, start: u64, end: u64) -> Bytes {
        let at = |offset: u64| {
            let inside = usize::try_from(offset.saturating_sub(self.window_start));
            inside.unwrap_or(usize::MAX).min(self.window.len())
        };
        self.window.slice(at(start)..at(end))
    }
}
