//! Taking the stream apart: what may come next, and how far each value reaches.

use std::io::Read;

use bytes::Bytes;

use super::{
    Record, RecordLimits, RecordsError, Rest,
    value::{Progress, Value},
    window::Window,
};

/// What is kept of a record over the limit.
pub(super) const HEAD_BYTES: usize = 1024;

/// The records of a stream, in order. After an error there are none.
pub struct Records<R> {
    pub(super) window: Window<R>,
    expected: Expected,
    record_bytes_max: usize,
    has_ended: bool,
}

/// What may come next, besides blanks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// Either form, or nothing.
    Anything,
    /// An object, or the end.
    Object,
    /// The first element, or the array's end.
    FirstElement,
    /// An element.
    Element,
    /// A comma, or the array's end.
    Comma,
    /// The end.
    End,
}

impl<R: Read> Records<R> {
    /// Splits what `reader` reads.
    pub fn new(reader: R, limits: RecordLimits) -> Self {
        Self {
            window: Window::new(reader),
            expected: Expected::Anything,
            record_bytes_max: limits.record_bytes,
            has_ended: false,
        }
    }

    fn record(&mut self) -> Result<Option<Record>, RecordsError> {
        while let Some(byte) = self.window.next_visible()? {
            match (self.expected, byte) {
                (Expected::Anything | Expected::Object, b'{') => {
                    return self.value(byte, Expected::Object).map(Some);
                }
                (Expected::Anything, b'[') => self.pass(Expected::FirstElement),
                (Expected::FirstElement | Expected::Comma, b']') => self.pass(Expected::End),
                (Expected::Comma, b',') => self.pass(Expected::Element),
                (Expected::FirstElement | Expected::Element, _) => {
                    return self.value(byte, Expected::Comma).map(Some);
                }
                _ => return Err(self.broken()),
            }
        }
        match self.expected {
            Expected::Anything | Expected::Object | Expected::End => Ok(None),
            Expected::FirstElement | Expected::Element | Expected::Comma => Err(self.broken()),
        }
    }

    fn pass(&mut self, expected: Expected) {
        self.window.skip(1);
        self.expected = expected;
    }

    /// Takes the value that the window begins with.
    fn value(&mut self, first: u8, expected_then: Expected) -> Result<Record, RecordsError> {
        let Some(mut value) = Value::starting(first) else {
            return Err(self.broken());
        };
        self.expected = expected_then;
        let mut followed = 0;
        loop {
            match value.follow(self.window.bytes_from(followed)) {
                Progress::Ends(count) => {
                    let bytes = self.window.take(followed + count);
                    let is_within = bytes.len() <= self.record_bytes_max;
                    return Ok(if is_within {
                        Record::Whole(bytes)
                    } else {
                        self.oversized(&bytes, bytes.len() as u64)
                    });
                }
                Progress::Broken => return Err(self.broken()),
                Progress::GoesOn => followed = self.window.len(),
            }
            if followed > self.record_bytes_max {
                return self.pass_oversized(value);
            }
            if !self.window.grow()? {
                return Err(self.broken());
            }
        }
    }

    /// Passes by a value of which the whole window is the beginning.
    fn pass_oversized(&mut self, mut value: Value) -> Result<Record, RecordsError> {
        let offset_bytes = self.window.offset_bytes();
        let bytes = self.window.take(self.record_bytes_max);
        loop {
            self.window.skip(self.window.len());
            let progress =
                if self.window.grow()? { value.follow(self.window.bytes_from(0)) } else { Progress::Broken };
            match progress {
                Progress::GoesOn => {}
                Progress::Ends(count) => {
                    self.window.skip(count);
                    return Ok(self.oversized(&bytes, self.window.offset_bytes() - offset_bytes));
                }
                Progress::Broken => {
                    return Err(RecordsError::Broken(Rest { offset_bytes, bytes, is_cut: true }));
                }
            }
        }
    }

    fn oversized(&self, bytes: &[u8], size_bytes: u64) -> Record {
        let head = bytes.get(..HEAD_BYTES.min(self.record_bytes_max)).unwrap_or(bytes);
        // Copied, so that it does not keep the whole record in memory.
        Record::Oversized { head: Bytes::copy_from_slice(head), size_bytes }
    }

    /// Takes what remains, from the window's start. Where it cannot be read on, it is cut.
    fn broken(&mut self) -> RecordsError {
        let offset_bytes = self.window.offset_bytes();
        let mut can_be_read = Ok(true);
        while matches!(can_be_read, Ok(true)) && self.window.len() <= self.record_bytes_max {
            can_be_read = self.window.grow();
        }
        let bytes = self.window.take(self.record_bytes_max);
        let is_cut = self.window.len() > 0 || can_be_read.is_err();
        RecordsError::Broken(Rest { offset_bytes, bytes, is_cut })
    }
}

impl<R: Read> Iterator for Records<R> {
    type Item = Result<Record, RecordsError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.has_ended {
            return None;
        }
        let record = self.record().transpose();
        self.has_ended = !matches!(record, Some(Ok(_)));
        record
    }
}
