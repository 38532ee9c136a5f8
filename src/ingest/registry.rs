//! Which source answers on which path, and what of a source outlives a reload of the settings.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Instant,
};

use arc_swap::ArcSwap;
use metrics::Gauge;

use super::{
    prepare::Prepared,
    rate::RateLimit,
    recent::RecentKeys,
    tally::{Outcomes, Tally},
};
use crate::{
    clock::UnixMicros,
    sources::{Kind, Source, SourceName, key::Key, segment},
    telemetry::metric::Metric,
};

/// A source at its door: its settings, and what it remembers between deliveries.
#[derive(Debug)]
pub struct Door {
    /// The settings.
    pub source: Arc<Source>,
    pub(super) state: Arc<DoorState>,
    /// In the order of the source's keys.
    key_uses: Vec<Arc<KeyUse>>,
}

/// When a key last opened. Keeps its time over a reload, under the key's name.
#[derive(Debug)]
struct KeyUse {
    id: String,
    last_used: Gauge,
    not_after: Gauge,
    /// 0 for never since the process began.
    at: AtomicI64,
}

impl KeyUse {
    fn new(source: &SourceName, key: &Key) -> Self {
        let labels = [source.as_str(), key.id()];
        let last_used = Metric::SecretLastUsed.gauge(&labels);
        last_used.set(0.0);
        let not_after = Metric::SecretNotAfter.gauge(&labels);
        Self { id: key.id().to_owned(), last_used, not_after, at: AtomicI64::new(0) }
    }

    fn used(&self, at: UnixMicros) {
        self.at.store(at, Ordering::Relaxed);
        self.last_used.set(seconds(at));
    }

    fn ends(&self, not_after: Option<UnixMicros>) {
        self.not_after.set(not_after.map_or(f64::INFINITY, seconds));
    }

    /// A series that has begun cannot be taken back, but no comparison with NaN holds: nobody is told any more that a secret
    /// is unused, or ends, which is no longer in the settings.
    fn retire(&self) {
        self.last_used.set(f64::NAN);
        self.not_after.set(f64::NAN);
    }
}

#[expect(clippy::cast_precision_loss, reason = "seconds with a fraction, as Prometheus wants them")]
fn seconds(at: UnixMicros) -> f64 {
    at as f64 / 1e6
}

/// Survives a reload.
#[derive(Debug)]
pub(super) struct DoorState {
    pub(super) tally: Tally,
    pub(super) rate: RateLimit,
    pub(super) recent: RecentKeys,
}

impl DoorState {
    /// Counts a delivery whose fate is certain, and remembers its keys.
    pub(super) fn count(&self, prepared: &Prepared) {
        self.tally.count(prepared.outcomes, &prepared.refused_rules);
        self.tally.course_ids_unparsed(prepared.course_ids_unparsed);
        if !prepared.keys.is_empty() {
            self.recent.remember(&prepared.keys);
        }
    }
}

impl Door {
    /// Counts an answered request of this source.
    pub fn answered(&self, status: u16, started: Instant) {
        self.state.tally.answered(status, started.elapsed().as_secs_f64());
    }

    /// The data center that a path of this source names behind its own; free text.
    pub fn data_center<'p>(&self, path: &'p str) -> Option<&'p str> {
        let is_own =
            |path: &str| path == self.source.own_path() || self.source.paths.iter().any(|own| own == path);
        let (before, data_center) = path.rsplit_once('/').filter(|_| !is_own(path))?;
        let is_named = matches!(self.source.kind, Kind::Bof(_)) && is_own(before) && !data_center.is_empty();
        is_named.then_some(data_center)
    }

    /// Notes which key opened, and when.
    pub fn key_used(&self, key_index: usize, at: UnixMicros) {
        if let Some(key_use) = self.key_uses.get(key_index) {
            key_use.used(at);
        }
    }

    /// When each key last opened since the process began, in the order of the source's keys.
    pub fn secrets_last_used(&self) -> Vec<Option<UnixMicros>> {
        let at = |key_use: &Arc<KeyUse>| Some(key_use.at.load(Ordering::Relaxed)).filter(|at| *at != 0);
        self.key_uses.iter().map(at).collect()
    }

    /// What became of the source's events since the process began.
    pub fn outcomes(&self) -> Outcomes {
        self.state.tally.totals()
    }

    /// Where it answers: the path that its kind and name make, then those of the settings.
    pub fn paths(&self) -> Vec<String> {
        let own = format!("/v1/{}/{}", self.source.kind.name(), self.source.name);
        [own].into_iter().chain(self.source.paths.iter().cloned()).collect()
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

    /// The door of this name.
    pub fn named(&self, name: &str) -> Option<&Arc<Door>> {
        self.by_name.get(&SourceName::new(name)?)
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
        let new = doors(sources, config_version, &old.by_name);
        for door in old.iter() {
            let kept = new.by_name.get(&door.source.name).map_or(&[][..], |door| &door.key_uses);
            let gone =
                door.key_uses.iter().filter(|key_use| !kept.iter().any(|kept| Arc::ptr_eq(kept, key_use)));
            gone.for_each(|key_use| key_use.retire());
        }
        self.0.store(Arc::new(new));
    }
}

fn doors(sources: Vec<Source>, config_version: String, old: &BTreeMap<SourceName, Arc<Door>>) -> Doors {
    let mut doors =
        Doors { by_path: HashMap::new(), by_name: BTreeMap::new(), config_version: config_version.into() };
    for source in sources {
        let known = old.get(&source.name);
        let state = known.map(|door| Arc::clone(&door.state));
        let state = state.unwrap_or_else(|| {
            let tally = Tally::new(&source.name);
            Arc::new(DoorState { tally, rate: RateLimit::new(Instant::now()), recent: RecentKeys::default() })
        });
        let uses = known.map_or(&[][..], |door| &door.key_uses);
        let key_use = |key: &Key| {
            let known = uses.iter().find(|known| known.id == key.id());
            let key_use = known.map_or_else(|| Arc::new(KeyUse::new(&source.name, key)), Arc::clone);
            key_use.ends(key.not_after());
            key_use
        };
        let key_uses = source.keys.keys().iter().map(key_use).collect();
        let door = Arc::new(Door { source: Arc::new(source), state, key_uses });
        doors.by_name.insert(door.source.name.clone(), Arc::clone(&door));
        doors.by_path.extend(door.paths().into_iter().map(|path| (path, Arc::clone(&door))));
    }
    doors
}
