//! Everything that the server knows of itself without asking anybody: cheap enough to be polled.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::{
    audit::Promised,
    health::{Check, Health},
    lanes::LaneReport,
    pace::{Pace, Rate},
};
use crate::{
    clock::{Clock, UnixMicros},
    drain::lane_handle::LaneHandle,
    event::time::format_rfc3339,
    ingest::{
        registry::{Door, Registry},
        tally::Outcomes,
    },
    sources::Priority,
    spool::{self, Phase, Spool},
};

/// Whether the settings in force are those that were last offered, and since when they are in force.
#[derive(Debug)]
pub struct SettingsAge(Mutex<ConfigStatus>);

impl SettingsAge {
    /// The settings with which the server started.
    pub fn new(loaded_at: UnixMicros) -> Self {
        Self(Mutex::new(ConfigStatus { reload_successful: true, loaded_at: format_rfc3339(loaded_at) }))
    }

    /// Settings were accepted.
    pub fn accepted(&self, at: UnixMicros) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            ConfigStatus { reload_successful: true, loaded_at: format_rfc3339(at) };
    }

    /// Settings were not accepted; the old ones stay in force.
    pub fn refused(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).reload_successful = false;
    }

    fn now(&self) -> ConfigStatus {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Everything that a status is told from.
pub struct StatusReport {
    /// The time.
    pub clock: Clock,
    /// When the server started.
    pub started_at: UnixMicros,
    /// Where its spool ended then.
    pub begun_at: u64,
    /// Its health.
    pub health: Arc<Health>,
    /// The sources.
    pub registry: Arc<Registry>,
    /// The spool.
    pub spool: Spool,
    /// How fast the spool grows.
    pub pace: Arc<Pace>,
    /// The lanes.
    pub lanes: Vec<LaneHandle>,
    /// What became of the last reload.
    pub settings: Arc<SettingsAge>,
}

/// The server at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Status {
    /// Of the program.
    pub version: &'static str,
    /// Of the settings in force.
    pub config_version: String,
    /// When the server started.
    pub started_at: String,
    /// When this was told.
    pub now: String,
    /// Whether a delivery would be taken.
    pub ready: bool,
    /// Why.
    pub checks: Vec<Check>,
    /// The settings.
    pub config: ConfigStatus,
    /// The spool.
    pub spool: SpoolStatus,
    /// The lanes.
    pub lanes: Vec<LaneReport>,
    /// The sources, by name.
    pub sources: Vec<SourceStatus>,
}

/// What is to be known of the settings in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ConfigStatus {
    /// Whether they are those that were last offered.
    pub reload_successful: bool,
    /// When they were put in force.
    pub loaded_at: String,
}

/// The spool at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SpoolStatus {
    /// Under which sequences are given out.
    pub id: String,
    /// `open`, `poisoned` or `closed`.
    pub phase: &'static str,
    /// What it occupies on disk.
    pub bytes: u64,
    /// What it may occupy.
    pub max_bytes: u64,
    /// Records in it, delivered ones in files that are not deleted yet among them.
    pub records: u64,
    /// The first sequence that may be there.
    pub oldest: u64,
    /// The sequence after the last durable record.
    pub end: u64,
    /// Bytes to spare on the disk; `None` if it does not say.
    pub free_bytes: Option<u64>,
    /// Whether the last append was refused for want of quota.
    pub lacks_quota: bool,
    /// Whether an append was refused for lack of space a moment ago.
    pub no_space: bool,
    /// How long ago the last commit was; `None` before the first.
    pub last_commit_age_seconds: Option<f64>,
    /// How fast it grows.
    #[serde(flatten)]
    pub rate: Rate,
    /// How long it could take records at this rate if no lane delivered any; `None` if nothing arrives.
    pub seconds_left: Option<f64>,
    /// Records that were found damaged or missing since the start.
    pub damaged_records: u64,
}

/// A source and what became of its events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceStatus {
    /// Its name.
    pub name: String,
    /// `segment` or `bof`.
    pub kind: &'static str,
    /// Whether it takes deliveries.
    pub enabled: bool,
    /// `normal` or `low`.
    pub priority: &'static str,
    /// Where it answers.
    pub paths: Vec<String>,
    /// What opens it.
    pub secrets: Vec<SecretStatus>,
    /// What became of its events since the process began.
    pub outcomes: OutcomeTotals,
}

/// A secret, by its name. Its value is not known here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretStatus {
    /// Its name.
    pub id: String,
    /// When it last opened since the process began.
    pub last_used: Option<String>,
    /// Until when it opens.
    pub not_after: Option<String>,
    /// Whether that is over.
    pub expired: bool,
}

/// What became of events.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct OutcomeTotals {
    /// All of them.
    pub received: u64,
    /// Each has exactly one.
    #[serde(flatten)]
    pub outcomes: Outcomes,
}

impl StatusReport {
    /// What senders were told since the server started.
    pub fn promised(&self) -> Promised {
        let doors = self.registry.doors();
        let told = doors.iter().map(|door| {
            let Outcomes { committed, duplicate, refused, .. } = door.outcomes();
            committed + duplicate + refused
        });
        Promised { told: told.sum(), begun_at: self.begun_at }
    }

    /// The server now.
    pub fn now(&self) -> Status {
        let (checks, doors, now) = (self.health.checks(), self.registry.doors(), self.clock.now());
        Status {
            version: env!("CARGO_PKG_VERSION"),
            config_version: doors.config_version.to_string(),
            started_at: format_rfc3339(self.started_at),
            now: format_rfc3339(now),
            ready: checks.iter().all(|check| check.ok || !check.decisive),
            checks,
            config: self.settings.now(),
            spool: spool_status(&self.spool, self.pace.rate()),
            lanes: self.lanes.iter().map(LaneReport::of).collect(),
            sources: doors.iter().map(|door| source_status(door, now)).collect(),
        }
    }
}

fn spool_status(spool: &Spool, rate: Rate) -> SpoolStatus {
    let status = spool.status();
    SpoolStatus {
        id: spool.id().to_string(),
        phase: match status.phase {
            Phase::Open => "open",
            Phase::Poisoned => "poisoned",
            Phase::Closed => "closed",
        },
        bytes: status.bytes,
        max_bytes: status.max_bytes,
        records: status.events(),
        oldest: status.oldest,
        end: status.end,
        free_bytes: status.free_bytes,
        lacks_quota: status.lacks_quota,
        no_space: status.no_space,
        last_commit_age_seconds: status.last_commit_age.map(|age| age.as_secs_f64()),
        rate,
        seconds_left: seconds_left(&status, rate),
        damaged_records: status.damaged_records,
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate needs no more than 52 bits")]
fn seconds_left(status: &spool::Status, rate: Rate) -> Option<f64> {
    // Whatever ends first: the quota or the disk.
    let quota = status.max_bytes.saturating_sub(status.bytes);
    let room = status.free_bytes.map_or(quota, |free| free.min(quota)) as f64;
    (rate.bytes_per_second > 0.0).then(|| room / rate.bytes_per_second)
}

fn source_status(door: &Door, now: UnixMicros) -> SourceStatus {
    let source = &door.source;
    let secrets = source.keys.keys().iter().zip(door.secrets_last_used());
    let outcomes = door.outcomes();
    SourceStatus {
        name: source.name.to_string(),
        kind: source.kind.name(),
        enabled: source.enabled,
        priority: match source.priority {
            Priority::Normal => "normal",
            Priority::Low => "low",
        },
        paths: door.paths(),
        secrets: secrets
            .map(|(key, last_used)| SecretStatus {
                id: key.id().to_owned(),
                last_used: last_used.map(format_rfc3339),
                not_after: key.not_after().map(format_rfc3339),
                expired: key.is_expired(now),
            })
            .collect(),
        outcomes: OutcomeTotals { received: outcomes.total(), outcomes },
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::{
        database::{Database, DatabaseUrl},
        disk::simulated::SimDisk,
        drain::{Settings, dead_letters::DeadLetters, lane::Lane},
        secret::Secret,
        sinks::memory::MemorySink,
        sources::{
            Kind, Limits, Source, SourceName,
            key::{Key, KeyRing},
            segment::{self, Preset},
        },
        store::users::UsersDirectory,
    };

    const NOW: UnixMicros = 1_700_000_000_000_000;

    fn source() -> Source {
        let key = |id: &str, not_after| Key::new(id.into(), &Secret::new("hunter2".into()), not_after);
        Source {
            name: SourceName::new("web").unwrap(),
            enabled: true,
            paths: vec!["/hook".into()],
            keys: KeyRing::new(vec![key("old", Some(NOW)), key("new", None)]),
            signing_secret: None,
            allowed_networks: Vec::new(),
            priority: Priority::Low,
            limits: Limits::default(),
            kind: Kind::Segment(Arc::new(segment::Settings::preset(Preset::Segment))),
        }
    }

    fn report() -> StatusReport {
        let disk = Arc::new(SimDisk::new(1));
        let settings =
            spool::Settings { directory: "/spool".into(), min_free: 0, ..spool::Settings::default() };
        let (spool, _) = Spool::open(disk.clone(), settings).unwrap();
        let letters = Arc::new(DeadLetters::open(disk, "/dead".into(), 1 << 20).unwrap());
        let (sink, clock) = (Arc::new(MemorySink::new("storage")), Clock::manual(NOW));
        let lane = Lane::new(spool.clone(), sink, letters, Settings::default(), clock.clone());
        let registry = Arc::new(Registry::new(vec![source()], "v1".into()));
        let users = Arc::new(UsersDirectory::new(Database::new(&DatabaseUrl::sqlite("/dev/null/events.db"))));
        let lanes = vec![lane.status()];
        let stopping = CancellationToken::new();
        StatusReport {
            health: Arc::new(Health::new(spool.clone(), Arc::clone(&registry), users, lanes, stopping)),
            started_at: NOW - 1,
            begun_at: 0,
            pace: Arc::new(Pace::new(spool.clone())),
            lanes: vec![lane.handle()],
            settings: Arc::new(SettingsAge::new(NOW - 1)),
            registry,
            spool,
            clock,
        }
    }

    fn told(report: &StatusReport) -> Value {
        serde_json::to_value(report.now()).unwrap()
    }

    #[tokio::test]
    async fn a_status_says_everything_and_no_secret() {
        let report = report();
        let doors = report.registry.doors();
        doors.iter().next().unwrap().key_used(1, NOW);
        let status = told(&report);
        assert_eq!(status["ready"], true);
        assert_eq!(
            status["checks"][0],
            json!({"name": "running", "ok": true, "decisive": true, "detail": ""})
        );
        assert_eq!(
            status["config"],
            json!({"reload_successful": true, "loaded_at": "2023-11-14T22:13:19.999999Z"})
        );
        assert_eq!(
            (&status["config_version"], &status["now"]),
            (&json!("v1"), &json!("2023-11-14T22:13:20.000000Z"))
        );
        let spool = &status["spool"];
        assert_eq!((&spool["phase"], &spool["records_per_second"]), (&json!("open"), &json!(0.0)));
        assert_eq!((&spool["seconds_left"], &spool["last_commit_age_seconds"]), (&Value::Null, &Value::Null));
        assert_eq!(
            status["lanes"],
            json!([{
                "sink": "storage", "state": "starting", "trouble": null, "since": null, "cursor": null,
                "lag_records": 0, "lag_seconds": 0.0, "dead_letters": 0, "dead_letters_bytes": 0, "last_error": null,
            }])
        );
        assert_eq!(
            status["sources"],
            json!([{
                "name": "web", "kind": "segment", "enabled": true, "priority": "low",
                "paths": ["/v1/segment/web", "/hook"],
                "secrets": [
                    {"id": "old", "last_used": null, "not_after": "2023-11-14T22:13:20.000000Z", "expired": true},
                    {"id": "new", "last_used": "2023-11-14T22:13:20.000000Z", "not_after": null, "expired": false},
                ],
                "outcomes": {
                    "received": 0, "committed": 0, "duplicate": 0, "ignored": 0, "refused": 0, "filtered": 0,
                    "sampled_out": 0, "shed": 0,
                },
            }])
        );
        assert!(!status.to_string().contains("hunter2"));
    }

    #[tokio::test]
    async fn refused_settings_leave_the_time_of_the_old_ones() {
        let report = report();
        report.settings.refused();
        let of = |loaded_at: &str, successful: bool| json!({"reload_successful": successful, "loaded_at": loaded_at});
        assert_eq!(told(&report)["config"], of("2023-11-14T22:13:19.999999Z", false));
        report.settings.accepted(NOW);
        assert_eq!(told(&report)["config"], of("2023-11-14T22:13:20.000000Z", true));
    }

    #[tokio::test]
    async fn the_time_left_is_the_room_at_the_present_rate() {
        let report = report();
        let status = spool::Status { bytes: 1_000, max_bytes: 11_000, ..report.spool.status() };
        let rate = Rate { records_per_second: 1.0, bytes_per_second: 100.0 };
        assert_eq!(seconds_left(&status, rate), Some(100.0));
        assert_eq!(seconds_left(&status, Rate::default()), None);
        let over = spool::Status { bytes: 12_000, ..status };
        assert_eq!(seconds_left(&over, rate), Some(0.0), "a little over the quota is no time at all");
    }
}
