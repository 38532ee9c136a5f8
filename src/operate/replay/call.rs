//! One call: pages of refusals, judged and settled portion by portion, until it is enough.

use std::{collections::VecDeque, sync::Arc};

use bytes::Bytes;
use prost::Message as _;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{
    portion::{Keys, Portion},
    report::ReplayReport,
};
use crate::{
    database::{Database, DatabaseError},
    event::record::{Event, Refusal},
    ingest::{
        accept::Ingest,
        again::Again,
        answer::Trouble,
        registry::{Doors, Registry},
    },
    operate::refusals::{DiscardError, discard},
    spool::Receipt,
    store::{
        range::TimeRange,
        refusals::{self, Marking, RefusalFilter, RefusalState, StoredRefusal},
    },
};

/// So many refusals are considered in one call, and so many bytes of them; the caller goes on with `next`.
const CALL_REFUSALS_MAX: u64 = 1000;
const CALL_BYTES_MAX: u64 = 64 << 20;

/// So many are read at once, and so many bytes of events are appended at once.
const PAGE_REFUSALS: usize = 100;
const PORTION_BYTES: usize = 4 << 20;

/// Replays refusals, one call at a time.
pub struct Replay {
    database: Database,
    ingest: Arc<Ingest>,
    registry: Arc<Registry>,
    /// Two replays at once would do no harm, and count the same refusals twice. A discard at the same time would call
    /// refusals discarded whose events are stored.
    turn: Mutex<()>,
}

/// Which new refusals are meant: those that have all that is given.
#[derive(Clone, Debug, Default)]
pub struct ReplayRequest {
    /// Name of the source.
    pub source: Option<String>,
    /// The rule that refused them.
    pub rule: Option<String>,
    /// When they arrived.
    pub received: TimeRange,
    /// One of these; any, if it is empty.
    pub ids: Vec<Uuid>,
    /// Say what would be stored, and store nothing.
    pub dry_run: bool,
    /// Where the call before this one stopped.
    pub cursor: Option<Uuid>,
}

/// Why a call settled nothing. One that settled something answers with that, and the next call with this.
///
/// Events may have been appended all the same: where the spool's answer or the database's last word was not heard. Who
/// calls again appends them once more under the same ids, and lanes store each once.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// Our own trouble.
    #[error(transparent)]
    Unavailable(#[from] Trouble),
    /// The database.
    #[error(transparent)]
    Storage(#[from] DatabaseError),
}

impl Replay {
    /// Replays the refusals of this database.
    pub fn new(database: Database, ingest: Arc<Ingest>, registry: Arc<Registry>) -> Self {
        Self { database, ingest, registry, turn: Mutex::new(()) }
    }

    /// Considers some of the refusals, the oldest first. To drop this in the midst is as good as a crash.
    ///
    /// # Errors
    /// When no refusal could be settled.
    pub async fn run(&self, request: &ReplayRequest) -> Result<ReplayReport, ReplayError> {
        let _turn = self.turn.lock().await;
        let mut call = Call {
            replay: self,
            doors: self.registry.doors(),
            dry_run: request.dry_run,
            filter: RefusalFilter {
                source: request.source.clone(),
                rule: request.rule.clone(),
                state: Some(RefusalState::New),
                received: request.received,
                ids: request.ids.clone(),
            },
            after: request.cursor,
            bytes: 0,
            keys: Keys::default(),
            report: ReplayReport { dry_run: request.dry_run, ..ReplayReport::default() },
        };
        let is_done = match call.run().await {
            Ok(is_done) => is_done,
            Err(error) if call.report.considered == 0 => return Err(error),
            // What was done is told; what stopped it is told to whoever goes on.
            Err(_) => false,
        };
        call.report.next = call.after.filter(|_| !is_done).map(|after| after.to_string());
        Ok(call.report)
    }

    /// Discards the new refusals of a filter and counts them, when no replay is under way; a dry run only counts.
    pub async fn discard(
        &self,
        filter: &RefusalFilter,
        is_all_meant: bool,
        dry_run: bool,
    ) -> Result<u64, DiscardError> {
        let _turn = self.turn.lock().await;
        discard(&self.database, filter, is_all_meant, dry_run).await
    }
}

/// One call under way.
struct Call<'r> {
    replay: &'r Replay,
    doors: Arc<Doors>,
    dry_run: bool,
    filter: RefusalFilter,
    /// The last refusal that was settled.
    after: Option<Uuid>,
    bytes: u64,
    keys: Keys,
    report: ReplayReport,
}

impl Call<'_> {
    /// Goes on until there is nothing more, or until it is enough for one call; says whether it was the former.
    async fn run(&mut self) -> Result<bool, ReplayError> {
        while self.report.considered < CALL_REFUSALS_MAX && self.bytes < CALL_BYTES_MAX {
            let page =
                refusals::with_bodies(&self.replay.database, &self.filter, self.after, PAGE_REFUSALS).await?;
            self.bytes += page.items.iter().map(|(_, body)| body.len() as u64).sum::<u64>();
            let mut refusals: VecDeque<Refusal> = page.items.into_iter().map(kept).collect();
            while !refusals.is_empty() {
                let judged;
                (judged, refusals) = self.judge(refusals).await?;
                self.settle(judged).await?;
            }
            if page.next.is_none() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Judges the first of these refusals, as many as fill a portion, off the runtime's workers.
    async fn judge(
        &mut self,
        mut refusals: VecDeque<Refusal>,
    ) -> Result<(Vec<(Uuid, Again)>, VecDeque<Refusal>), ReplayError> {
        let (ingest, doors) = (Arc::clone(&self.replay.ingest), Arc::clone(&self.doors));
        let judging = move || {
            let (mut judged, mut bytes) = (Vec::new(), 0);
            while bytes < PORTION_BYTES
                && let Some(refusal) = refusals.pop_front()
            {
                let again = ingest.judge_again(&doors, &refusal)?;
                bytes += again.events().map(Event::encoded_len).sum::<usize>();
                judged.push((refusal.refusal_id(), again));
            }
            Ok((judged, refusals))
        };
        match tokio::task::spawn_blocking(judging).await {
            Ok(judged) => judged,
            Err(panic) => std::panic::resume_unwind(panic.into_panic()),
        }
    }

    /// Marks what is settled, appends what is to be stored, commits the marks, and only then counts it.
    ///
    /// The marks come first for two reasons. A database that cannot be written to says so before anything is appended, so
    /// that calling again does not fill the spool with copies. And a lane that finds no place for one of the events,
    /// however soon, waits for its refusal and has the last word on it.
    async fn settle(&mut self, judged: Vec<(Uuid, Again)>) -> Result<(), ReplayError> {
        self.keys.look_up(&self.replay.database, judged.iter().flat_map(|(_, again)| again.events())).await?;
        let last = judged.last().map(|(id, _)| *id);
        let portion = Portion::of(judged, &mut self.keys);
        if !self.dry_run && !portion.changes_nothing() {
            let marking =
                Marking::begin(&self.replay.database, &portion.replayed, RefusalState::Replayed).await?;
            if !portion.append.is_empty() {
                // Only with this in hand may a refusal be called replayed.
                let _proof: Receipt = self.replay.ingest.append_again(&self.doors, &portion.append).await?;
            }
            marking.commit().await?;
        }
        self.report.add(portion.counts);
        self.after = last.or(self.after);
        Ok(())
    }
}

/// The record of a refusal that was read back.
pub(super) fn kept((stored, body): (StoredRefusal, Bytes)) -> Refusal {
    let mut refusal = Refusal {
        source: stored.source,
        received_at: stored.received_at,
        rule: stored.rule,
        pointer: stored.pointer,
        message: stored.message,
        element: stored.element,
        method: stored.method,
        path: stored.path,
        host: stored.host,
        content_type: stored.content_type,
        config_version: stored.config_version,
        metadata: Bytes::copy_from_slice(stored.metadata.get().as_bytes()),
        body,
        truncated: stored.truncated,
        body_hash: stored.body_hash,
        ..Refusal::default()
    };
    refusal.set_refusal_id(stored.refusal_id);
    refusal
}
