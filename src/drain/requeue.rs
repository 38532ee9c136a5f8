//! A dead letter's second chance: its record is written to its own lane's sink, and to no other; then the letter goes.
//!
//! A sink writes nothing without moving a cursor, and the lane's own cursor has passed the record long ago. Requeued
//! records therefore have a cursor of their own, under the complement of their spool's id, which no spool will ever
//! bear. It counts them 0, 1, 2, …, so that its totals add up like any other's, and the running lane is not disturbed.
//! A crash between the write and the removal is harmless: the sink knows the record by its id when it comes again.

use std::{io, sync::Arc};

use uuid::Uuid;

use super::{
    blocking::blocking,
    dead_letters::{DeadLetters, ReadLetterError},
    entry::{Content, Entry},
    letter::LetterId,
};
use crate::{
    sinks::{Batch, Sink, SinkError, Written},
    spool::Record,
};

/// Why a letter was not requeued; except for [`Self::Remove`] nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RequeueError {
    /// It cannot be read.
    #[error(transparent)]
    Letter(#[from] ReadLetterError),
    /// Its record cannot be decoded by this version either.
    #[error("the record cannot be decoded: {0}")]
    Unreadable(String),
    /// The sink does not take it (yet).
    #[error("the sink does not take it")]
    Sink(#[from] SinkError),
    /// The sink has the record, the letter is still there. Requeue it again.
    #[error("the letter could not be removed")]
    Remove(#[source] io::Error),
}

/// Writes the letter's record to the sink and removes the letter. Of two at once, one may be told
/// [`crate::sinks::ErrorClass::CursorMoved`]; it is to be called again.
pub async fn requeue(
    letters: &Arc<DeadLetters>,
    sink: &dyn Sink,
    id: LetterId,
) -> Result<Written, RequeueError> {
    let store = Arc::clone(letters);
    let letter = blocking(move || store.show(id)).await?;
    // A kind beyond a byte can only come from a newer version; it is as unknown as 255.
    let kind = u8::try_from(letter.kind).unwrap_or(u8::MAX);
    let entry = Entry::decode(Record { sequence: letter.sequence, kind, payload: letter.payload });

    let spool_id = Uuid::from_u128(!id.spool_id.as_u128());
    let expected = sink.cursor(spool_id).await?;
    let from = expected.unwrap_or(0);
    let (events, refusals) = match &entry.content {
        Content::Event(event) => (vec![event], Vec::new()),
        Content::Refusal(refusal) => (Vec::new(), vec![refusal]),
        Content::Unreadable(reason) => return Err(RequeueError::Unreadable(reason.clone())),
        Content::Dead => return Err(RequeueError::Unreadable("dead".to_owned())),
    };
    let batch = Batch { spool_id, expected, from, to: from + 1, events, refusals, dead: 0, gaps: 0 };
    let written = sink.write(&batch).await?;

    let store = Arc::clone(letters);
    blocking(move || store.discard(id)).await.map_err(RequeueError::Remove)?;
    tracing::info!(sink = sink.name(), sequence = id.sequence, "dead letter requeued");
    Ok(written)
}
