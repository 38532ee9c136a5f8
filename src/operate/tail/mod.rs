//! What becomes durable, as it does: followers of the spool's end.
//!
//! A follower reads the spool for itself, so that those who append know nothing of it, and sees durable records only.
//! It is bounded in every way: how many there are, what one of them may read and hand out in a tenth of a second, and
//! how much waits for a client. One that cannot keep up is led back to the end and told how many sequences it missed;
//! every sequence is handed out, left out by the filter, or told as missed.

use std::{collections::VecDeque, sync::Arc, time::Duration};

use serde::Serialize;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, mpsc},
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::record::{Decoded, ShownRecord};
use crate::{
    drain::blocking::blocking,
    spool::{ReadError, Reader, Record, Spool},
};

/// How many may follow at once.
const FOLLOWERS_MAX: usize = 16;

/// How often a follower reads at most; all other limits are per read.
const PERIOD: Duration = Duration::from_millis(100);

/// Records that are handed out: a thousand in a second are more than anybody reads.
const RECORDS_MAX: usize = 100;
/// Their bytes.
const BYTES_MAX: usize = 1 << 20;
/// Records that are looked at, so that a filter that lets little through is served as well.
const LOOKED_AT_MAX: usize = 2_000;
/// Their bytes.
const LOOKED_AT_BYTES_MAX: usize = 4 << 20;

/// How far behind the end a follower may be.
const BACKLOG_MAX: u64 = 10_000;

/// Reads that may wait for the client.
const READS_WAITING_MAX: usize = 2;

/// Lets clients follow the spool.
pub struct Tail {
    spool: Spool,
    places: Arc<Semaphore>,
    stop: CancellationToken,
}

/// Which records a follower wants: those that have all that is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TailFilter {
    /// Name of the source.
    pub source: Option<String>,
    /// Type of the event; a refusal has none.
    pub event_type: Option<String>,
    /// What became of it.
    pub outcome: Option<TailOutcome>,
    /// The rule that refused it; an event has none.
    pub rule: Option<String>,
}

/// What became of a record that is in the spool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TailOutcome {
    /// It is an event.
    Committed,
    /// It is a refusal.
    Refused,
}

/// What a follower is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    /// A record.
    Record {
        /// Its place in the spool.
        sequence: u64,
        /// `event` or `refusal`.
        name: &'static str,
        /// It and its place as JSON, on one line.
        json: String,
    },
    /// So many sequences were missed.
    Dropped {
        /// How many.
        records: u64,
    },
    /// The server stops.
    End,
}

/// There are as many followers as there may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{FOLLOWERS_MAX} clients follow already, which is as many as may")]
pub struct TooManyFollowers;

/// One who follows. Its reading ends when it is dropped.
pub struct Follower {
    reads: mpsc::Receiver<Vec<Notice>>,
    at_hand: VecDeque<Notice>,
    stop: CancellationToken,
    ended: bool,
}

impl Tail {
    /// Lets clients follow this spool until `stop`.
    pub fn new(spool: Spool, stop: CancellationToken) -> Self {
        Self { spool, places: Arc::new(Semaphore::new(FOLLOWERS_MAX)), stop }
    }

    /// Follows from `from` on, or from the end. A place beyond the end is none of this spool's: it counts as the end.
    ///
    /// # Errors
    /// When there are too many followers.
    pub fn follow(&self, filter: TailFilter, from: Option<u64>) -> Result<Follower, TooManyFollowers> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| TooManyFollowers)?;
        let end = self.spool.end();
        let (sender, reads) = mpsc::channel(READS_WAITING_MAX);
        let following = Following {
            reader: Some(self.spool.reader(from.unwrap_or(end).min(end))),
            spool: self.spool.clone(),
            filter: Arc::new(filter),
            _place: place,
        };
        let stop = self.stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                biased;
                () = stop.cancelled() => {}
                () = sender.closed() => {}
                () = following.run(&sender) => {}
            }
        });
        Ok(Follower { reads, at_hand: VecDeque::new(), stop: self.stop.clone(), ended: false })
    }
}

impl Follower {
    /// The next notice; `None` after [`Notice::End`].
    pub async fn next(&mut self) -> Option<Notice> {
        loop {
            if let Some(notice) = self.at_hand.pop_front() {
                return Some(notice);
            }
            if self.ended {
                return None;
            }
            match self.reads.recv().await {
                Some(notices) => self.at_hand = notices.into(),
                None => {
                    self.ended = true;
                    return self.stop.is_cancelled().then_some(Notice::End);
                }
            }
        }
    }
}

/// The task of one follower.
struct Following {
    spool: Spool,
    /// Always there, but while it reads.
    reader: Option<Reader>,
    filter: Arc<TailFilter>,
    _place: OwnedSemaphorePermit,
}

impl Following {
    /// Goes on until it is dropped.
    async fn run(mut self, reads: &mpsc::Sender<Vec<Notice>>) {
        let mut next_read = Instant::now();
        while let Some(mut reader) = self.reader.take() {
            self.spool.readable(reader.position()).await;
            sleep_until(next_read).await;
            let backlog = self.spool.end().saturating_sub(reader.position());
            if backlog == 0 {
                // The spool is closed or poisoned: nothing will come any more.
                return std::future::pending().await;
            }
            next_read = Instant::now() + PERIOD;
            let notices = if backlog > BACKLOG_MAX {
                missed(&mut reader, backlog)
            } else {
                let filter = Arc::clone(&self.filter);
                let (returned, read) = blocking(move || {
                    let read = read(&mut reader, &filter);
                    (reader, read)
                })
                .await;
                reader = returned;
                // A file that cannot be read is the lanes' trouble, who tell of it. Here it is passed over.
                read.unwrap_or_else(|_| missed(&mut reader, backlog))
            };
            self.reader = Some(reader);
            if !notices.is_empty() && reads.send(notices).await.is_err() {
                return;
            }
        }
    }
}

/// Leads a reader to the end as it was seen, and says what it missed.
fn missed(reader: &mut Reader, backlog: u64) -> Vec<Notice> {
    reader.skip_to(reader.position().saturating_add(backlog));
    vec![Notice::Dropped { records: backlog }]
}

/// One read, within its limits. An error means that nothing was passed over.
fn read(reader: &mut Reader, filter: &TailFilter) -> Result<Vec<Notice>, ReadError> {
    let (mut notices, mut bytes) = (Vec::new(), 0);
    let (mut looked_at, mut looked_at_bytes, mut dropped) = (0, 0, 0);
    while notices.len() < RECORDS_MAX
        && bytes < BYTES_MAX
        && looked_at < LOOKED_AT_MAX
        && looked_at_bytes < LOOKED_AT_BYTES_MAX
    {
        // Never more than may be handed out, because a reader does not go back.
        let batch = match reader.read(RECORDS_MAX - notices.len(), BYTES_MAX - bytes) {
            Ok(batch) => batch,
            Err(error) if looked_at == 0 && dropped == 0 => return Err(error),
            Err(_) => break,
        };
        if batch.next == batch.from {
            break;
        }
        dropped += batch.gaps;
        for record in batch.records {
            looked_at += 1;
            looked_at_bytes += record.payload.len();
            let size = record.payload.len();
            match notice(record, filter) {
                Judged::Told(notice) => {
                    notices.push(notice);
                    bytes += size;
                }
                Judged::LeftOut => {}
                Judged::Unreadable => dropped += 1,
            }
        }
    }
    if dropped > 0 {
        notices.push(Notice::Dropped { records: dropped });
    }
    Ok(notices)
}

enum Judged {
    Told(Notice),
    LeftOut,
    Unreadable,
}

fn notice(record: Record, filter: &TailFilter) -> Judged {
    #[derive(Serialize)]
    struct Told {
        sequence: u64,
        #[serde(flatten)]
        record: ShownRecord,
    }
    let Ok(Some(decoded)) = Decoded::read(record.kind, record.payload) else { return Judged::Unreadable };
    if !filter.lets_through(&decoded) {
        return Judged::LeftOut;
    }
    let name = match decoded {
        Decoded::Event(_) => "event",
        Decoded::Refusal(_) => "refusal",
    };
    match serde_json::to_string(&Told { sequence: record.sequence, record: decoded.shown() }) {
        // Line breaks between the tokens of what a sender wrote; within its strings there are none.
        Ok(json) => Judged::Told(Notice::Record {
            sequence: record.sequence,
            name,
            json: json.replace(['\n', '\r'], " "),
        }),
        Err(_) => Judged::Unreadable,
    }
}

impl TailFilter {
    fn lets_through(&self, record: &Decoded) -> bool {
        let matches =
            |wanted: &Option<String>, found| wanted.as_deref().is_none_or(|wanted| Some(wanted) == found);
        let (outcome, event_type, rule) = match record {
            Decoded::Event(event) => (TailOutcome::Committed, Some(event.event_type.as_str()), None),
            Decoded::Refusal(refusal) => (TailOutcome::Refused, None, Some(refusal.rule.as_str())),
        };
        self.outcome.is_none_or(|wanted| wanted == outcome)
            && matches(&self.source, Some(record.source()))
            && matches(&self.event_type, event_type)
            && matches(&self.rule, rule)
    }
}

#[cfg(test)]
mod tests;
