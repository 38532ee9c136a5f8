//! The live stream: server-sent events, as much of them as our own server writes.

use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;

use super::{Admin, AskError, http::Unreached};

/// The server says something each 15 s, if only that it is there.
const SILENCE_MAX: Duration = Duration::from_secs(45);

/// No record is longer; whoever sends more is no tidegate.
const LINE_BYTES_MAX: usize = 256 << 20;

/// One thing that the server told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::cli) struct Notice {
    /// What it is about.
    pub(in crate::cli) event: String,
    /// The words.
    pub(in crate::cli) data: String,
}

/// A live stream.
pub(in crate::cli) struct Notices<'a> {
    admin: &'a Admin,
    body: Incoming,
    lines: Lines,
    begun: Notice,
}

impl<'a> Notices<'a> {
    pub(in crate::cli) fn new(admin: &'a Admin, body: Incoming) -> Self {
        Self { admin, body, lines: Lines::default(), begun: Notice::default() }
    }

    /// The next notice; `None` when the server closes the stream.
    pub(in crate::cli) async fn next(&mut self) -> Result<Option<Notice>, AskError> {
        loop {
            while let Some(line) = self.lines.next() {
                if let Some(notice) = self.begun.take_line(&line) {
                    return Ok(Some(notice));
                }
            }
            if self.lines.0.len() > LINE_BYTES_MAX {
                return Err(self.admin.unreadable());
            }
            let frame = match tokio::time::timeout(SILENCE_MAX, self.body.frame()).await {
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(error))) => return Err(self.admin.unreached(error.into())),
                Ok(None) => return Ok(None),
                Err(_) => return Err(self.admin.unreached(Unreached::Silence(SILENCE_MAX))),
            };
            if let Ok(data) = frame.into_data() {
                self.lines.0.extend_from_slice(&data);
            }
        }
    }
}

impl Notice {
    /// Takes a line in; an empty one ends the notice, and one without words is none.
    fn take_line(&mut self, line: &str) -> Option<Self> {
        if line.is_empty() {
            let notice = std::mem::take(self);
            return (!notice.data.is_empty() || !notice.event.is_empty()).then_some(notice);
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.event),
            "data" => {
                if !self.data.is_empty() {
                    self.data.push('\n');
                }
                self.data.push_str(value);
            }
            // A comment, or the id, which the data repeats.
            _ => {}
        }
        None
    }
}

/// Bytes, taken as lines.
#[derive(Default)]
struct Lines(BytesMut);

impl Lines {
    fn next(&mut self) -> Option<String> {
        let end = self.0.iter().position(|byte| *byte == b'\n')?;
        let line = self.0.split_to(end);
        self.0.advance(1);
        Some(String::from_utf8_lossy(line.strip_suffix(b"\r").unwrap_or(&line)).into_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notices(text: &str, piece: usize) -> Vec<(String, String)> {
        let (mut lines, mut begun, mut found) = (Lines::default(), Notice::default(), Vec::new());
        for piece in text.as_bytes().chunks(piece) {
            lines.0.extend_from_slice(piece);
            while let Some(line) = lines.next() {
                found.extend(begun.take_line(&line).map(|notice| (notice.event, notice.data)));
            }
        }
        found
    }

    #[test]
    fn notices_are_read_however_they_are_cut() {
        let text = ": keep-alive\n\nid: 7\nevent: event\ndata: {\"a\":\"é\"}\n\n\
            event:dropped\r\ndata:{\"records\":3}\r\n\r\ndata: a\ndata: b\n\nevent: end\n\nid: 9\ndata: unfinished";
        let expected =
            [("event", "{\"a\":\"é\"}"), ("dropped", "{\"records\":3}"), ("", "a\nb"), ("end", "")];
        for piece in 1..text.len() {
            let found = notices(text, piece);
            let found: Vec<_> = found.iter().map(|(event, data)| (&event[..], &data[..])).collect();
            assert_eq!(found, expected, "in pieces of {piece}");
        }
    }
}
