//! What becomes of a record that cannot be stored: a dead letter, durable before the cursor passes the record.

use std::sync::Arc;

use uuid::Uuid;

use super::{
    bisect::{Bisection, Portion, Suspect},
    blocking::blocking,
    dead_letters::KeepError,
    lane::Lane,
    lane_metrics::POISON_ROW,
    lane_status::Trouble,
    letter::{DeadLetter, LetterId},
};
use crate::sinks::SinkError;

/// The reason of a letter whose record could not be decoded.
const UNREADABLE: &str = "unreadable";

struct Reason<'a> {
    class: &'static str,
    code: &'a str,
    message: &'a str,
}

impl Lane {
    /// Buries what cannot be decoded, before anything of the range is written.
    pub(super) async fn bury_unreadable(&mut self, bisection: &mut Bisection, spool_id: Uuid) {
        for (index, message) in bisection.unreadable() {
            let reason = Reason { class: UNREADABLE, code: "record", message: &message };
            self.bury(bisection, index, spool_id, &reason).await;
        }
    }

    /// Comes closer to the row that the sink refuses, and buries it once it is found. Each burial has a canary of its
    /// own: a verdict from a moment ago would let a changed schema pass for bad rows.
    pub(super) async fn isolate(&mut self, bisection: &mut Bisection, spool_id: Uuid, error: &SinkError) {
        self.metrics.row_refused();
        match bisection.refuse() {
            Suspect::Several => {}
            Suspect::None => self.endure(Trouble::Configuration, &error.code).await,
            Suspect::One(index) => {
                let at_sink = self.status.reach_sink().await;
                let canary = self.sink.canary().await;
                drop(at_sink);
                match canary {
                    Ok(()) => {
                        let reason = Reason { class: POISON_ROW, code: &error.code, message: &error.message };
                        self.bury(bisection, index, spool_id, &reason).await;
                    }
                    Err(canary) => self.endure(canary.class.into(), &canary.code).await,
                }
            }
        }
    }

    /// Returns when the letter is durable, however long that takes: until then the lane stands still and loses nothing.
    async fn bury(&mut self, bisection: &mut Bisection, index: usize, spool_id: Uuid, reason: &Reason<'_>) {
        let Some(letter) = self.write_letter(bisection, index, spool_id, reason) else {
            return;
        };
        let sequence = letter.sequence;
        let letter = Arc::new(letter);
        loop {
            let (letters, letter) = (Arc::clone(&self.letters), Arc::clone(&letter));
            match blocking(move || letters.keep(&letter)).await {
                Ok(()) => break,
                Err(KeepError::Full { .. }) => self.endure(Trouble::DeadLettersFull, "quota").await,
                Err(KeepError::Disk(error)) => {
                    self.endure(Trouble::DeadLettersUnwritable, &error.kind().to_string()).await;
                }
            }
        }
        bisection.bury(index);
        let (sink, reason, code) = (self.sink.name(), reason.class, reason.code);
        tracing::warn!(sink, sequence, reason, code, "record went to the dead letters");
        if bisection.buried() == self.settings.dead_letters_alert + 1 {
            self.metrics.alert();
            tracing::error!(
                sink,
                reason,
                code,
                "many dead letters in one batch: has the sink's schema changed?"
            );
        }
    }

    fn write_letter(
        &self,
        bisection: &Bisection,
        index: usize,
        spool_id: Uuid,
        reason: &Reason<'_>,
    ) -> Option<DeadLetter> {
        let entry = bisection.entry(index)?;
        let mut letter = DeadLetter {
            lane: self.sink.name().to_owned(),
            kind: entry.kind.into(),
            reason: reason.class.to_owned(),
            code: reason.code.to_owned(),
            failed_at: self.clock.now(),
            attempts: entry.failures,
            payload: entry.payload.clone(),
            ..DeadLetter::default()
        };
        letter.set_id(LetterId { spool_id, sequence: entry.sequence });
        letter.set_message(reason.message);
        Some(letter)
    }

    /// A crash between a burial and the write that counts it leaves a letter whose record is tried again; if it is
    /// stored now, the letter has lost its object. Kept until then, a letter is never missing for a record that a late
    /// commit counted as dead.
    pub(super) async fn withdraw_letters(&mut self, spool_id: Uuid, portion: Portion<'_>) {
        let letters = self.letters.within(spool_id, portion.from..portion.to);
        if letters.is_empty() {
            return;
        }
        let live: Vec<u64> = portion.live_sequences().collect();
        for id in letters.into_iter().filter(|id| live.binary_search(&id.sequence).is_ok()) {
            let letters = Arc::clone(&self.letters);
            if let Err(error) = blocking(move || letters.discard(id)).await {
                // Harmless: whoever requeues it is told that the sink has the record.
                let (sink, sequence, code) = (self.sink.name(), id.sequence, error.kind().to_string());
                tracing::warn!(sink, sequence, code, "the dead letter of a stored record stays");
            }
        }
    }
}
