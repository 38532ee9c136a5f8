//! Refusals as operators see them: with their bytes, and discarded by a filter that says what it means.

use uuid::Uuid;

use super::record::{ShownBody, ShownRefusal};
use crate::{
    database::{Database, DatabaseError},
    store::refusals::{self, RefusalFilter, RefusalState},
};

/// The refusal with this id.
pub async fn show(database: &Database, id: Uuid) -> Result<Option<ShownRefusal>, DatabaseError> {
    let found = refusals::find(database, id).await?;
    Ok(found.map(|(refusal, body)| ShownRefusal { body: ShownBody::new(&body), refusal }))
}

/// Why nothing was discarded.
#[derive(Debug, thiserror::Error)]
pub enum DiscardError {
    /// Nothing was said of which refusals are meant.
    #[error("name at least one of source, rule, from, to and ids, or say that all are meant")]
    Unbounded,
    /// The database.
    #[error(transparent)]
    Storage(#[from] DatabaseError),
}

/// Discards the new refusals of a filter and counts them; a dry run only counts. A filter that names nothing means all of
/// them only where that is said. To be called in turn with replays: [`Replay::discard`](super::replay::Replay::discard).
pub(super) async fn discard(
    database: &Database,
    filter: &RefusalFilter,
    is_all_meant: bool,
    dry_run: bool,
) -> Result<u64, DiscardError> {
    let filter = RefusalFilter { state: Some(RefusalState::New), ..filter.clone() };
    let everything = RefusalFilter { state: Some(RefusalState::New), ..RefusalFilter::default() };
    if filter == everything && !is_all_meant {
        return Err(DiscardError::Unbounded);
    }
    Ok(match dry_run {
        true => refusals::count(database, &filter).await?,
        false => refusals::mark_all(database, &filter, RefusalState::Discarded).await?,
    })
}
