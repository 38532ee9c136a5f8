//! Reads the next batch from the spool and decodes it, off the async threads.

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Settings, bisect::Range, blocking::blocking, entry::Entry};
use crate::spool::{ReadBatch, ReadError, Reader, Spool};

pub(super) struct Intake {
    spool: Spool,
    settings: Settings,
    /// Kept between batches for its read-ahead; lost, harmlessly, when a read is abandoned.
    reader: Option<Reader>,
}

impl Intake {
    pub(super) fn new(spool: Spool, settings: Settings) -> Self {
        Self { spool, settings, reader: None }
    }

    /// Reads what is there, and waits for more for at most the settings' `age` while the batch is not full. Nobody
    /// waits for a fuller batch once the lane is to finish.
    pub(super) async fn read(&mut self, from: u64, finish: &CancellationToken) -> Result<Range, ReadError> {
        let deadline = Instant::now() + self.settings.age;
        let mut range = self.read_available(from, self.settings.events, self.settings.bytes).await?;
        loop {
            let bytes: usize = range.entries.iter().map(|entry| entry.payload.len()).sum();
            let room_events = self.settings.events.saturating_sub(range.entries.len());
            let room_bytes = self.settings.bytes.saturating_sub(bytes);
            if room_events == 0 || room_bytes == 0 || Instant::now() >= deadline {
                return Ok(range);
            }
            tokio::select! {
                () = finish.cancelled() => return Ok(range),
                () = tokio::time::sleep_until(deadline) => return Ok(range),
                () = self.spool.readable(range.to) => {}
            }
            // A failure here will show itself again when the next batch begins where this one ends.
            match self.read_available(range.to, room_events, room_bytes).await {
                Ok(more) if more.to > range.to => {
                    range.to = more.to;
                    range.entries.extend(more.entries);
                }
                Ok(_) | Err(_) => return Ok(range),
            }
        }
    }

    async fn read_available(&mut self, from: u64, events: usize, bytes: usize) -> Result<Range, ReadError> {
        let kept = self.reader.take().filter(|reader| reader.position() == from);
        let mut reader = kept.unwrap_or_else(|| self.spool.reader(from));
        let (reader, range) = blocking(move || {
            let range = reader.read(events, bytes).map(decoded);
            (reader, range)
        })
        .await;
        // After an error the next attempt opens the files anew.
        self.reader = range.is_ok().then_some(reader);
        range
    }
}

/// What was read, decoded.
pub(super) fn decoded(batch: ReadBatch) -> Range {
    Range {
        from: batch.from,
        to: batch.next,
        entries: batch.records.into_iter().map(Entry::decode).collect(),
    }
}
