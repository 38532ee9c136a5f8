//! The directory in memory: asked for every event, replaced whole when the table changed.

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwapOption;
use tokio_util::sync::CancellationToken;

use super::table;
use crate::database::{Database, DatabaseError};

/// What the directory knows of an id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// The user's name.
    Found(Arc<str>),
    /// Nobody has this id.
    Unknown,
    /// The directory was not read yet: nothing can be said about anybody.
    NotLoaded,
}

/// Names by id. Asking takes no lock and waits for nothing.
#[derive(Debug)]
pub struct UsersDirectory {
    database: Database,
    snapshot: ArcSwapOption<Snapshot>,
}

impl UsersDirectory {
    /// The directory of this database, not loaded yet.
    pub fn new(database: Database) -> Self {
        Self { database, snapshot: ArcSwapOption::empty() }
    }

    /// Whether it was read at least once. It stays loaded while the database is away.
    pub fn is_loaded(&self) -> bool {
        self.snapshot.load().is_some()
    }

    /// How many users it knows.
    pub fn len(&self) -> usize {
        self.snapshot.load().as_ref().map_or(0, |snapshot| snapshot.ids.len())
    }

    /// Whether it knows nobody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Who has this id.
    pub fn username(&self, id: i64) -> Lookup {
        match &*self.snapshot.load() {
            None => Lookup::NotLoaded,
            Some(snapshot) => snapshot.name(id).map_or(Lookup::Unknown, |name| Lookup::Found(name.into())),
        }
    }

    /// Loads the table if it changed, and says whether it did.
    pub async fn refresh(&self) -> Result<bool, DatabaseError> {
        // The version is read before the rows. If they change meanwhile, it is an old one, and the next call loads
        // them again.
        let version = table::version(&self.database).await?;
        if self.snapshot.load().as_ref().is_some_and(|snapshot| snapshot.version == version) {
            return Ok(false);
        }
        let mut snapshot = Snapshot { version, ..Snapshot::default() };
        table::read(&self.database, |id, name| snapshot.push(id, name)).await?;
        tracing::info!(users = snapshot.ids.len(), "users directory loaded");
        self.snapshot.store(Some(Arc::new(snapshot)));
        Ok(true)
    }

    /// Refreshes again and again until `stop`. What is loaded stays while the database is away.
    pub async fn poll(self: Arc<Self>, every: Duration, stop: CancellationToken) {
        let polling = Box::pin(self.poll_for_ever(every));
        let _ = stop.run_until_cancelled(polling).await;
    }

    /// A failure is logged when it begins or becomes another, not each second.
    async fn poll_for_ever(&self, every: Duration) {
        let mut failing: Option<String> = None;
        loop {
            let failed = self.refresh().await.err();
            match &failed {
                Some(error) if failing.as_ref() != Some(&error.code) => {
                    tracing::warn!(%error, "users directory cannot be read");
                }
                None if failing.is_some() => tracing::info!("users directory can be read again"),
                _ => {}
            }
            failing = failed.map(|error| error.code);
            tokio::time::sleep(every).await;
        }
    }
}

/// All names in one text, found by binary search: 16 bytes a user beside the name itself.
#[derive(Debug, Default)]
struct Snapshot {
    version: i64,
    /// Ascending.
    ids: Vec<i64>,
    /// Where in `names` the name of the id at the same place ends; it begins where the one before it ends.
    ends: Vec<usize>,
    names: String,
}

impl Snapshot {
    /// Ids must come in ascending order.
    fn push(&mut self, id: i64, name: &str) {
        self.names.push_str(name);
        self.ids.push(id);
        self.ends.push(self.names.len());
    }

    fn name(&self, id: i64) -> Option<&str> {
        let place = self.ids.binary_search(&id).ok()?;
        let begin = place.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.names.get(begin..*self.ends.get(place)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_at_both_ends_and_not_between() {
        let mut snapshot = Snapshot::default();
        assert_eq!(snapshot.name(0), None);
        for (id, name) in [(i64::MIN, "first"), (-1, ""), (7, "Ørsted"), (i64::MAX, "last")] {
            snapshot.push(id, name);
        }
        let found = [i64::MIN, -1, 0, 7, 8, i64::MAX].map(|id| snapshot.name(id));
        assert_eq!(found, [Some("first"), Some(""), None, Some("Ørsted"), None, Some("last")]);
    }
}
