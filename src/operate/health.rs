//! Whether the server can take deliveries, and what else is to be known about its state.
//!
//! Ready means that a delivery sent now would be taken. A sink that is down does not make a server unready: it takes
//! deliveries into the spool all the same, and turning senders away would lose what we exist to keep.

use std::sync::Arc;

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use crate::{
    drain::lane_status::{LaneState, LaneStatus},
    ingest::registry::Registry,
    spool::{Phase, Spool},
    store::users::UsersDirectory,
    telemetry::metric::Metric,
};

/// Everything that health is told from.
pub struct Health {
    spool: Spool,
    registry: Arc<Registry>,
    users: Arc<UsersDirectory>,
    lanes: Vec<LaneStatus>,
    stopping: CancellationToken,
}

/// One line of a report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: String,
    /// Whether it is well.
    pub ok: bool,
    /// Whether readiness depends on it.
    pub decisive: bool,
    /// More about it; may be empty.
    pub detail: String,
}

impl Health {
    /// Watches over these; unready as soon as `stopping` is cancelled.
    pub fn new(
        spool: Spool,
        registry: Arc<Registry>,
        users: Arc<UsersDirectory>,
        lanes: Vec<LaneStatus>,
        stopping: CancellationToken,
    ) -> Self {
        Self { spool, registry, users, lanes, stopping }
    }

    /// Whether a delivery would be taken.
    pub fn is_ready(&self) -> bool {
        self.checks().iter().all(|check| check.ok || !check.decisive)
    }

    /// Everything there is to know, decisive or not.
    pub fn checks(&self) -> Vec<Check> {
        let spool = self.spool.status();
        let free = spool.free_bytes.map_or_else(|| "unknown".to_owned(), |bytes| bytes.to_string());
        let has_room = !spool.no_space && spool.free_bytes.is_none_or(|bytes| bytes >= spool.min_free);
        let directory = self.users.is_loaded() || !self.registry.doors().need_directory();
        let decisive = [
            ("running", !self.stopping.is_cancelled(), String::new()),
            ("spool-writable", spool.phase == Phase::Open, String::new()),
            (
                "spool-quota",
                !spool.lacks_quota,
                format!("{} bytes, {:.1} %", spool.bytes, spool.usage() * 100.0),
            ),
            ("disk-space", has_room, format!("{free} bytes free")),
            ("users-directory", directory, format!("{} users", self.users.len())),
        ];
        let mut checks: Vec<Check> = decisive
            .into_iter()
            .map(|(name, ok, detail)| Check { name: name.into(), ok, decisive: true, detail })
            .collect();
        let age = spool
            .last_commit_age
            .map_or_else(|| "none yet".to_owned(), |age| format!("{:.1} s ago", age.as_secs_f64()));
        checks.push(Check { name: "last-fsync".into(), ok: true, decisive: false, detail: age });
        checks.extend(self.lanes.iter().map(lane_check));
        checks
    }

    /// Sets the gauges that only a look can tell; call it before each scrape.
    #[expect(clippy::cast_precision_loss, reason = "bytes and counts far below 2^52")]
    pub fn record_gauges(&self) {
        let spool = self.spool.status();
        Metric::SpoolBytes.gauge(&[]).set(spool.bytes as f64);
        Metric::SpoolMaxBytes.gauge(&[]).set(spool.max_bytes as f64);
        Metric::DiskFree.gauge(&[]).set(spool.free_bytes.map_or(f64::NAN, |bytes| bytes as f64));
        Metric::SpoolEvents.gauge(&[]).set(spool.events() as f64);
        Metric::SpoolPoisoned.gauge(&[]).set(f64::from(u8::from(spool.is_poisoned())));
        Metric::UsersLoaded.gauge(&[]).set(self.users.len() as f64);
        Metric::Ready.gauge(&[]).set(f64::from(u8::from(self.is_ready())));
        for lane in &self.lanes {
            lane.record_gauges();
        }
    }
}

fn lane_check(lane: &LaneStatus) -> Check {
    let snapshot = lane.snapshot();
    let (ok, state) = match snapshot.state {
        LaneState::Starting => (true, "starting".to_owned()),
        LaneState::Running => (true, "running".to_owned()),
        LaneState::BackingOff { trouble, .. } => (false, format!("backing off: {}", trouble.as_str())),
        LaneState::Paused { trouble, .. } => (false, format!("paused: {}", trouble.as_str())),
    };
    let detail =
        format!("{state}, {} records behind, {} dead letters", snapshot.lag_events, snapshot.dead_letters);
    Check { name: format!("lane-{}", lane.name()), ok, decisive: false, detail }
}
