//! How fast records arrive: the spool, sampled every few seconds and compared over a minute.
//!
//! The spool's own bytes fall whenever a file is deleted. Between two samples without a deletion they tell exactly what
//! arrived; otherwise the records that arrived are counted at the mean size of those that are there.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;

use crate::spool::Spool;

/// How far back the pace is taken from.
const WINDOW: Duration = Duration::from_mins(1);

/// How fast records become durable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Rate {
    /// Events and refusals.
    pub records_per_second: f64,
    /// What they occupy in the spool.
    pub bytes_per_second: f64,
}

/// The pace of arrivals.
pub struct Pace {
    spool: Spool,
    samples: Mutex<VecDeque<Sample>>,
}

/// The spool at one moment.
#[derive(Clone, Copy, Debug)]
struct Sample {
    at: Instant,
    end: u64,
    look: Look,
    /// Bytes that arrived since the first sample.
    arrived_bytes: f64,
}

/// What there is to see of the spool's size.
#[derive(Clone, Copy, Debug)]
struct Look {
    oldest: u64,
    records: u64,
    bytes: u64,
}

impl Pace {
    /// The pace of this spool; unknown, which counts as nothing, until it was sampled twice.
    pub fn new(spool: Spool) -> Self {
        Self { spool, samples: Mutex::default() }
    }

    /// Samples the spool from now on, until it is to stop.
    pub async fn run(&self, every: Duration, stop: CancellationToken) {
        let mut ticks = interval(every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.sample();
        }
    }

    /// The pace over the last minute, or for as long as it is known.
    pub fn rate(&self) -> Rate {
        let samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(first), Some(last)) = (samples.front(), samples.back()) else { return Rate::default() };
        let seconds = last.at.duration_since(first.at).as_secs_f64();
        if seconds <= 0.0 {
            return Rate::default();
        }
        Rate {
            records_per_second: approximately(last.end.saturating_sub(first.end)) / seconds,
            bytes_per_second: (last.arrived_bytes - first.arrived_bytes) / seconds,
        }
    }

    fn sample(&self) {
        let status = self.spool.status();
        let look = Look { oldest: status.oldest, records: status.events(), bytes: status.bytes };
        let (at, end) = (Instant::now(), status.end);
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        let arrived_bytes = samples
            .back()
            .map_or(0.0, |last| last.arrived_bytes + grown(last.look, look, end.saturating_sub(last.end)));
        samples.push_back(Sample { at, end, look, arrived_bytes });
        // One sample of the window's age or older is kept: the pace is the difference to it.
        while samples.get(1).is_some_and(|second| at.duration_since(second.at) >= WINDOW) {
            samples.pop_front();
        }
    }
}

/// How many bytes arrived between two looks with so many records.
fn grown(before: Look, now: Look, records: u64) -> f64 {
    if before.oldest == now.oldest && now.bytes >= before.bytes {
        return approximately(now.bytes - before.bytes);
    }
    let seen = if now.records > 0 { now } else { before };
    approximately(records) * approximately(seen.bytes) / approximately(seen.records.max(1))
}

#[expect(clippy::cast_precision_loss, reason = "a rate needs no more than 52 bits")]
fn approximately(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::{runtime::Handle, task::spawn_blocking};

    use super::*;
    use crate::{
        disk::simulated::SimDisk,
        spool::{self, Chunk, Kind},
    };

    const RECORD: u64 = 100;

    fn spool(file_bytes: u64) -> Spool {
        let settings = spool::Settings {
            directory: "/spool".into(),
            min_free: 0,
            file_bytes,
            ..spool::Settings::default()
        };
        Spool::open(Arc::new(SimDisk::new(1)), settings).unwrap().0
    }

    /// Virtual time must not run on while the spool's own thread writes, so a thread of tokio's waits for it.
    async fn append(spool: &Spool, records: u64) {
        let mut chunk = Chunk::new();
        for _ in 0..records {
            chunk.push(Kind::Event, |out| out.extend_from_slice(&[0; 83]));
        }
        let (spool, runtime) = (spool.clone(), Handle::current());
        let _receipt = spawn_blocking(move || runtime.block_on(spool.append(chunk)).unwrap()).await.unwrap();
    }

    fn near(rate: Rate, records: f64, bytes: f64) {
        assert!((rate.records_per_second - records).abs() < 0.01, "{rate:?}");
        assert!((rate.bytes_per_second - bytes).abs() < bytes * 0.05 + 5.0, "{rate:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_pace_is_that_of_the_last_minute() {
        let spool = spool(1 << 30);
        append(&spool, 1_000).await;
        let pace = Pace::new(spool.clone());
        assert_eq!(pace.rate(), Rate::default());
        pace.sample();
        assert_eq!(pace.rate(), Rate::default(), "what was there before has not arrived now");
        for _ in 0..12 {
            tokio::time::advance(Duration::from_secs(5)).await;
            append(&spool, 50).await;
            pace.sample();
        }
        near(pace.rate(), 10.0, 10.0 * 100.0);
        for _ in 0..12 {
            tokio::time::advance(Duration::from_secs(5)).await;
            append(&spool, 200).await;
            pace.sample();
        }
        near(pace.rate(), 40.0, 40.0 * 100.0);
        for _ in 0..13 {
            tokio::time::advance(Duration::from_secs(5)).await;
            pace.sample();
        }
        assert_eq!(pace.rate(), Rate::default());
        assert!(pace.samples.lock().unwrap().len() <= 14, "no more is kept than is needed");
    }

    #[tokio::test(start_paused = true)]
    async fn files_that_are_deleted_meanwhile_take_nothing_from_the_pace() {
        let spool = spool(50 * RECORD);
        spool.register_lane("lane");
        append(&spool, 10).await;
        let pace = Pace::new(spool.clone());
        pace.sample();
        for _ in 0..12 {
            tokio::time::advance(Duration::from_secs(5)).await;
            for _ in 0..10 {
                append(&spool, 10).await;
            }
            spool.release("lane", spool.end());
            pace.sample();
        }
        assert!(spool.oldest() > 0, "files were deleted");
        // The headers of small files weigh more than those of real ones.
        let rate = pace.rate();
        assert!((rate.records_per_second - 20.0).abs() < 0.01, "{rate:?}");
        assert!((1_800.0..3_000.0).contains(&rate.bytes_per_second), "{rate:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_loop_samples_until_it_is_told_to_stop() {
        let spool = spool(1 << 30);
        let (pace, stop) = (Arc::new(Pace::new(spool.clone())), CancellationToken::new());
        let task = tokio::spawn({
            let (pace, stop) = (Arc::clone(&pace), stop.clone());
            async move { pace.run(Duration::from_secs(5), stop).await }
        });
        tokio::time::sleep(Duration::from_secs(1)).await;
        append(&spool, 50).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        near(pace.rate(), 10.0, 1_000.0);
        stop.cancel();
        task.await.unwrap();
    }
}
