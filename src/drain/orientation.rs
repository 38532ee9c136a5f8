//! How a lane finds its place in the sink: at the start, and after a write whose outcome it does not know.

use uuid::Uuid;

use super::{
    blocking::blocking,
    lane::Lane,
    lane_status::Trouble,
    place::{Finding, Place},
};
use crate::sinks::{ErrorClass, SinkError};

impl Lane {
    /// Asks the sink where to start. A lane that finds itself under a new spool id while it runs keeps its place: the
    /// sink has everything before it.
    pub(super) async fn learn_place(&mut self, current: Option<&Place>) -> Place {
        loop {
            let spool_id = self.spool.id();
            let found = self.ask_cursor(spool_id).await;
            let next = match found {
                Some(cursor) if cursor > self.spool.end() => {
                    self.renew_spool_id(spool_id, cursor).await;
                    continue;
                }
                Some(cursor) => cursor,
                None => current.map_or_else(|| self.spool.oldest(), |place| place.next),
            };
            let place = Place::new(spool_id, next, found.is_some(), self.inherited_end);
            tracing::info!(sink = self.sink.name(), next, recorded = found.is_some(), "lane knows its place");
            self.stand_at(next);
            return place;
        }
    }

    /// The sink has seen more than the spool holds: the spool lost its end. Sequences must not be used twice.
    async fn renew_spool_id(&mut self, spool_id: Uuid, cursor: u64) {
        // Another lane may have done it meanwhile.
        if self.spool.id() != spool_id {
            return;
        }
        tracing::error!(
            sink = self.sink.name(),
            cursor,
            end = self.spool.end(),
            "cursor lies beyond the spool, which takes a new id"
        );
        let spool = self.spool.clone();
        if let Err(error) = blocking(move || spool.renew_id()).await {
            self.endure(Trouble::SpoolUnreadable, &error.to_string()).await;
        }
    }

    async fn ask_cursor(&mut self, spool_id: Uuid) -> Option<u64> {
        loop {
            let at_sink = self.status.reach_sink().await;
            let found = self.sink.cursor(spool_id).await;
            drop(at_sink);
            match found {
                Ok(cursor) => return cursor,
                Err(error) => self.endure(error.class.into(), &error.code).await,
            }
        }
    }

    /// Bears an error that is no row's fault. Afterwards `place` is where the sink says it is.
    pub(super) async fn outlast(&mut self, place: &mut Place, to: u64, error: &SinkError) {
        // A sink that does not answer may still commit; one that says what is wrong has rolled back.
        if matches!(error.class, ErrorClass::Transient | ErrorClass::OutcomeUnknown) {
            place.doubt(to);
        }
        self.endure(error.class.into(), &error.code).await;
        if matches!(error.class, ErrorClass::OutcomeUnknown | ErrorClass::CursorMoved) {
            self.find_place(place).await;
        }
    }

    /// Stays here for as long as the cursor is somebody else's: following it could skip records that nobody stored.
    async fn find_place(&mut self, place: &mut Place) {
        loop {
            let found = self.ask_cursor(place.spool_id).await;
            match place.judge(found) {
                Finding::Ours(next) => place.follow(found, next),
                Finding::Lost => {
                    tracing::error!(
                        sink = self.sink.name(),
                        was = place.next,
                        "the sink has lost the lane's cursor"
                    );
                    place.follow(None, self.spool.oldest());
                }
                Finding::Foreign => {
                    self.endure(Trouble::CursorMoved, "foreign_cursor").await;
                    continue;
                }
            }
            self.stand_at(place.next);
            return;
        }
    }
}
