//! The lanes, for an operator: what each is doing, and its pause.

use std::time::Duration;

use serde::Serialize;
use tokio::time::timeout;

use crate::{clock::UnixMicros, drain::lane_handle::LaneHandle, event::time::format_rfc3339};

/// How long an answer to a pause waits for the write under way. The pause holds in any case.
const PAUSE_AWAITED: Duration = Duration::from_secs(5);

/// There is no lane to a sink of this name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no sink of this name")]
pub struct UnknownSink;

/// What a lane is doing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LaneReport {
    /// The name of its sink.
    pub sink: String,
    /// `starting`, `running`, `backing_off` or `paused`.
    pub state: &'static str,
    /// Why it does not get on.
    pub trouble: Option<&'static str>,
    /// Since when it does not.
    pub since: Option<String>,
    /// First sequence that the sink does not have; `None` until it was reached.
    pub cursor: Option<u64>,
    /// Durable records that the sink does not have.
    pub lag_records: u64,
    /// Age of the oldest of them.
    pub lag_seconds: f64,
    /// Dead letters on disk.
    pub dead_letters: usize,
    /// What they occupy there.
    pub dead_letters_bytes: u64,
    /// The last error since the process began, mended or not.
    pub last_error: Option<LaneError>,
}

/// What went wrong with a lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LaneError {
    /// What it meant.
    pub trouble: &'static str,
    /// An SQLSTATE, a result code, or a word. Never row data.
    pub code: String,
    /// When it arose.
    pub at: String,
}

impl LaneReport {
    /// The lane now. Asks no sink.
    pub fn of(lane: &LaneHandle) -> Self {
        let snapshot = lane.status().snapshot();
        let trouble = snapshot.state.trouble();
        Self {
            sink: lane.name().to_owned(),
            state: snapshot.state.as_str(),
            trouble: trouble.map(|(trouble, _)| trouble.as_str()),
            since: trouble.map(|(_, since)| format_rfc3339(since)),
            cursor: snapshot.cursor,
            lag_records: snapshot.lag_events,
            lag_seconds: seconds(snapshot.lag_micros),
            dead_letters: snapshot.dead_letters,
            dead_letters_bytes: lane.letters().bytes(),
            last_error: snapshot.last_error.map(|error| LaneError {
                trouble: error.trouble.as_str(),
                code: error.code,
                at: format_rfc3339(error.at),
            }),
        }
    }
}

/// The lane to the sink of this name.
pub fn find<'l>(lanes: &'l [LaneHandle], sink: &str) -> Result<&'l LaneHandle, UnknownSink> {
    lanes.iter().find(|lane| lane.name() == sink).ok_or(UnknownSink)
}

/// Lets a lane stand still until it is resumed or the server restarts. The report may still tell of a write that is
/// under way and takes long.
pub async fn pause(lanes: &[LaneHandle], sink: &str) -> Result<LaneReport, UnknownSink> {
    let lane = find(lanes, sink)?;
    lane.pause();
    let _ = timeout(PAUSE_AWAITED, lane.paused()).await;
    Ok(LaneReport::of(lane))
}

/// Lets a lane go on at once, whatever it waits for.
pub fn resume(lanes: &[LaneHandle], sink: &str) -> Result<LaneReport, UnknownSink> {
    let lane = find(lanes, sink)?;
    lane.resume();
    Ok(LaneReport::of(lane))
}

#[expect(clippy::cast_precision_loss, reason = "ages are far below 2^53 microseconds, which are 285 years")]
fn seconds(micros: UnixMicros) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        clock::Clock,
        disk::simulated::SimDisk,
        drain::{Settings, dead_letters::DeadLetters, lane::Lane},
        sinks::memory::MemorySink,
        spool::{self, Spool},
    };

    #[tokio::test]
    async fn a_pause_and_a_resume_are_told_in_their_answers() {
        let disk = Arc::new(SimDisk::new(1));
        let settings =
            spool::Settings { directory: "/spool".into(), min_free: 0, ..spool::Settings::default() };
        let (spool, _) = Spool::open(disk.clone(), settings).unwrap();
        let letters = Arc::new(DeadLetters::open(disk, "/dead".into(), 1 << 20).unwrap());
        let sink = Arc::new(MemorySink::new("storage"));
        let lane = Lane::new(spool, sink, letters, Settings::default(), Clock::manual(1_000_000));
        let lanes = [lane.handle()];
        let now = CancellationToken::new();
        let task = tokio::spawn(lane.run(CancellationToken::new(), now.clone()));

        let paused = pause(&lanes, "storage").await.unwrap();
        assert_eq!((paused.state, paused.trouble), ("paused", Some("operator")));
        assert_eq!(paused.since.as_deref(), Some("1970-01-01T00:00:01.000000Z"));
        let resumed = resume(&lanes, "storage").unwrap();
        assert_eq!((resumed.trouble, resumed.since), (None, None));
        assert_eq!(pause(&lanes, "nowhere").await, Err(UnknownSink));
        assert_eq!(resume(&lanes, "nowhere"), Err(UnknownSink));
        now.cancel();
        task.await.unwrap();
    }
}
