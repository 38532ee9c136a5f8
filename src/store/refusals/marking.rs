//! What became of refusals: a new one is replayed or discarded. Only a lane makes one new again, where the event of a
//! replay turned out to have no place.

use uuid::Uuid;

use super::{
    reading::{RefusalFilter, filtered, sizes},
    stored::RefusalState,
};
use crate::{
    database::{Database, DatabaseError},
    store::{
        page::Size,
        statement::{Statement, Value},
        transaction::{SEARCH, Transaction},
    },
};

/// Rows that change their state in one transaction.
const MARKED_AT_ONCE: usize = 1_000;

/// Refusals that have another state once this is committed, and the one they had if it is dropped. Until then nobody
/// else can change them: a lane that has something to say of one waits.
pub struct Marking {
    transaction: Transaction,
    marked: u64,
}

impl Marking {
    /// Gives these refusals another state, if they are new. The database has taken the change when this returns, also
    /// where there is none: only the commit is left.
    pub async fn begin(database: &Database, ids: &[Uuid], to: RefusalState) -> Result<Self, DatabaseError> {
        let mut statement = Statement::new(database.kind(), "UPDATE refusals SET state = ");
        statement
            .bind(Value::Text(to.as_str().to_owned()))
            .push(" WHERE state = 'new' AND ")
            .bind_any("refusal_id", Value::Ids(ids.to_vec()));
        let mut transaction = Transaction::write(database).await?;
        let marked = transaction.execute(&statement).await?;
        Ok(Self { transaction, marked })
    }

    /// Makes it so, and counts the refusals.
    pub async fn commit(self) -> Result<u64, DatabaseError> {
        self.transaction.commit().await?;
        Ok(self.marked)
    }
}

/// Gives these refusals another state, if they are new, and counts those that were. Committed in portions.
pub async fn mark(database: &Database, ids: &[Uuid], to: RefusalState) -> Result<u64, DatabaseError> {
    let mut marked = 0;
    for ids in ids.chunks(MARKED_AT_ONCE) {
        marked += Marking::begin(database, ids, to).await?.commit().await?;
    }
    Ok(marked)
}

/// Gives all new refusals of the filter another state, and counts them. Committed in portions, so that lanes can write
/// in between; a failure leaves the rest as it was.
pub async fn mark_all(
    database: &Database,
    filter: &RefusalFilter,
    to: RefusalState,
) -> Result<u64, DatabaseError> {
    if filter.state.is_some_and(|state| state != RefusalState::New) {
        return Ok(0);
    }
    let filter = RefusalFilter { state: Some(RefusalState::New), ..filter.clone() };
    let (mut marked, mut after) = (0, None);
    loop {
        let mut sizes = sizes(database.kind(), ", CAST(0 AS bigint) AS bytes");
        filtered(&mut sizes, &filter);
        if let Some(after) = after {
            sizes.push(" AND refusal_id > ").bind(Value::Id(after));
        }
        sizes.push(" ORDER BY refusals.refusal_id LIMIT ").bind(Value::Number(MARKED_AT_ONCE as u64));
        let mut transaction = Transaction::read(database, SEARCH).await?;
        let found: Vec<Size> = transaction.rows(&sizes).await?;
        drop(transaction);
        let ids: Vec<Uuid> = found.into_iter().map(|size| size.id).collect();
        marked += mark(database, &ids, to).await?;
        match ids.last() {
            Some(last) if ids.len() == MARKED_AT_ONCE => after = Some(*last),
            _ => return Ok(marked),
        }
    }
}
