//! Getting rid of dead letters: by storing their records after all, or for good.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::{LettersError, code, is_missing};
use crate::{
    drain::{
        blocking::blocking, dead_letters::DeadLetters, lane_handle::LaneHandle, letter::LetterId,
        requeue::RequeueError,
    },
    operate::lanes::find,
};

/// Letters that one call handles.
pub const LETTERS_MAX: usize = 1_000;

/// How long a call goes on to requeue: a database that is down answers each letter late.
const REQUEUE_TIME: Duration = Duration::from_secs(20);

/// Which letters of a sink.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selection {
    /// These.
    Ids(Vec<LetterId>),
    /// All of them, the oldest first.
    All {
        /// Only those behind this one.
        after: Option<LetterId>,
    },
}

/// What became of letters that were to be requeued.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Requeued {
    /// How many records the sink has now.
    pub requeued: usize,
    /// Those that stay.
    pub failed: Vec<RequeueFailure>,
    /// How many letters the sink has left.
    pub remaining: usize,
    /// The last letter that was tried, if there are more behind it.
    pub next: Option<String>,
}

/// A letter that stays.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RequeueFailure {
    /// The letter.
    pub id: String,
    /// The sink's code, or a word. Never row data.
    pub why: String,
}

/// What became of letters that were to be discarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Discarded {
    /// How many there were.
    pub discarded: usize,
}

/// Writes the letters' records to their sink, one after another; those that are stored go. One that fails stays and
/// keeps nobody else back. One call tries [`LETTERS_MAX`], or fewer if they take long; the caller goes on behind `next`.
pub async fn requeue(
    lanes: &[LaneHandle],
    sink: &str,
    selection: Selection,
) -> Result<Requeued, LettersError> {
    let lane = find(lanes, sink)?;
    let (mut outcome, mut last, started) = (Requeued::default(), None, Instant::now());
    let is_all = matches!(selection, Selection::All { .. });
    let mut ids = selected(lane.letters(), selection)?.into_iter();
    while started.elapsed() < REQUEUE_TIME
        && let Some(id) = ids.next()
    {
        last = Some(id);
        match lane.requeue(id).await {
            Ok(_) => outcome.requeued += 1,
            // Another call has stored or discarded it since.
            Err(RequeueError::Letter(error)) if is_all && is_missing(&error) => {}
            Err(error) => outcome.failed.push(RequeueFailure { id: id.to_string(), why: why(&error) }),
        }
    }
    let has_more = ids.next().is_some() || is_all && !lane.letters().oldest(last, 1).is_empty();
    outcome.next = last.filter(|_| has_more).map(|last| last.to_string());
    outcome.remaining = lane.letters().len();
    Ok(outcome)
}

/// Removes letters for good, [`LETTERS_MAX`] of them at most.
pub async fn discard(
    lanes: &[LaneHandle],
    sink: &str,
    selection: Selection,
) -> Result<Discarded, LettersError> {
    let lane = find(lanes, sink)?;
    let (letters, ids) = (lane.letters().clone(), selected(lane.letters(), selection)?);
    let discarded = blocking(move || letters.discard_all(&ids)).await.map_err(LettersError::Disk)?;
    tracing::warn!(sink, discarded, "an operator discarded dead letters");
    Ok(Discarded { discarded })
}

fn selected(letters: &DeadLetters, selection: Selection) -> Result<Vec<LetterId>, LettersError> {
    match selection {
        Selection::Ids(ids) if ids.len() > LETTERS_MAX => Err(LettersError::TooMany),
        Selection::Ids(ids) => Ok(ids),
        Selection::All { after } => Ok(letters.oldest(after, LETTERS_MAX)),
    }
}

fn why(error: &RequeueError) -> String {
    match error {
        RequeueError::Letter(error) => code(error).to_owned(),
        RequeueError::Unreadable(_) => "record_unreadable".to_owned(),
        RequeueError::Sink(error) => error.code.clone(),
        RequeueError::Remove(_) => "stored_but_letter_stays".to_owned(),
    }
}
