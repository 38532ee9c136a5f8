//! Which source answers on which path, and what of a source outlives a reload of the settings.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Instant,
};

use arc_swap::ArcSwap;
use metrics::Gauge;

use super::{rate::RateLimit, recent::RecentKeys, tally::Tally};
use crate::{
    clock::UnixMicros,
    sources::{Kind, Source, SourceName, segment},
    telemetry::metric::Metric,
};

/// A source at its door: its settings, and what it remembers between deliveries.
#[derive(Debug)]
pub struct Door {
    /// The settings.
    pub source: Arc<Source>,
    pub(super) state: Arc<DoorState>,
    keys_last_used: Vec<Gauge>,
}

/// Survives a reload.
#[derive(Debug)]
pub(super) struct DoorState {
    pub(super) tally: Tally,
    pub(super) rate: RateLimit,
    pub(super) recent: RecentKeys,
}

impl Door {
    /// Counts an answered request of this source.
    pub fn answered(&self, status: u16, started: Instant) {
        self.state.tally.answered(status, started.elapsed().as_secs_f64());
    }

    /// Notes which key opened, and when.
    pub fn key_used(&self, key_index: usize, at: UnixMicros) {
        if let Some(gauge) = self.keys_last_used.get(key_index) {
            #[expect(
                clippy::cast_precision_loss,
                reason = "seconds with a fraction, as Prometheus wants them"
            )]
            gauge.set(at as f64 / 1e6);
        }
    }
}

/// The doors of one version of the settings.
#[derive(Debug)]
pub struct Doors {
    by_path: HashMap<String, Arc<Door>>,
    by_name: BTreeMap<SourceName, Arc<Door>>,
    /// Which settings these are; written into refusals.
    pub config_version: Arc<str>,
}

impl Doors {
    /// The door at exactly this path.
    pub fn find(&self, path: &str) -> Option<&Arc<Door>> {
        self.by_path.get(path)
    }

    /// The door at this path; at that of a `bof` source also with a data center behind it, which is free text.
    pub fn find_with_data_center<'p>(&self, path: &'p str) -> Option<(&Arc<Door>, Option<&'p str>)> {
        if let Some(door) = self.find(path) {
            return Some((door, None));
        }
        let (path, data_center) = path.rsplit_once('/')?;
        let door = self.find(path).filter(|door| matches!(door.source.kind, Kind::Bof(_)))?;
        (!data_center.is_empty()).then_some((door, Some(data_center)))
    }

    /// All doors, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Door>> {
        self.by_name.values()
    }

    /// Whether a source can take nothing while the users directory is not loaded.
    pub fn need_directory(&self) -> bool {
        self.iter().any(|door| door.source.enabled && needs_directory(&door.source))
    }
}

/// Whether a source looks users up in the directory.
pub fn needs_directory(source: &Source) -> bool {
    matches!(&source.kind, Kind::Segment(settings) if settings.users == segment::Users::Directory)
}

/// The doors of the settings in force; replaced whole by a reload, while deliveries under way keep theirs.
#[derive(Debug)]
pub struct Registry(ArcSwap<Doors>);

impl Registry {
    /// Opens the doors of these sources.
    pub fn new(sources: Vec<Source>, config_version: String) -> Self {
        Self(ArcSwap::from_pointee(doors(sources, config_version, &BTreeMap::new())))
    }

    /// The doors in force.
    pub fn doors(&self) -> Arc<Doors> {
        self.0.load_full()
    }

    /// Replaces them. A source of the same name keeps its counters, its rate and its recent keys.
    pub fn replace(&self, sources: Vec<Source>, config_version: String) {
        let old = self.doors();
        self.0.store(Arc::new(doors(sources, config_version, &old.by_name)));
    }
}

fn doors(sources: Vec<Source>, config_version: String, old: &BTreeMap<SourceName, Arc<Door>>) -> Doors {
    let mut doors =
        Doors { by_path: HashMap::new(), by_name: BTreeMap::new(), config_version: config_version.into() };
    for source in sources {
        let known = old.get(&source.name).map(|door| Arc::clone(&door.state));
        let state = known.unwrap_or_else(|| {
            let tally = Tally::new(&source.name);
            Arc::new(DoorState { tally, rate: RateLimit::new(Instant::now()), recent: RecentKeys::default() })
        });
        let gauges = source.keys.keys().iter();
        let keys_last_used =
            gauges.map(|key| Metric::SecretLastUsed.gauge(&[source.name.as_str(), key.id()])).collect();
        let paths: Vec<String> = source
            .paths
            .iter()
            .cloned()
            .chain([format!("/v1/{}/{}", source.kind.name(), source.name)])
            .collect();
        let door = Arc::new(Door { source: Arc::new(source), state, keys_last_used });
        doors.by_name.insert(door.source.name.clone(), Arc::clone(&door));
        doors.by_path.extend(paths.into_iter().map(|path| (path, Arc::clone(&door))));
    }
    doors
}
