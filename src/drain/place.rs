//! Where a lane stands in its sink, and whether a cursor that is found elsewhere is still its own doing.
//!
//! A write whose outcome was never learnt may yet commit: the connection is gone, but the database goes on, even after
//! this process was killed and started again. Such a late commit moves the cursor to an end that this spool's lane
//! asked for, and the records up to there are stored. Any other move forward means that somebody else writes under
//! this spool's id; following it would skip records that nobody stored, so the lane stays where it is.
//! A cursor that moved *back* (the sink was restored from a backup) is always followed: the records in between are
//! written again, and the sink knows those that it still has by their ids.

use std::collections::BTreeSet;

use uuid::Uuid;

/// Where a lane stands.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// The spool id under which the cursor is kept.
    pub spool_id: Uuid,
    /// First sequence that the sink does not have.
    pub next: u64,
    /// Whether the sink keeps a cursor already.
    recorded: bool,
    /// Ends of writes from `next` whose outcome is not known.
    unanswered: BTreeSet<u64>,
    /// A lane of an earlier process may have asked for any end up to here; nobody can once this one has written.
    inherited_end: u64,
}

/// What a cursor that the sink reports means.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Finding {
    /// The lane goes on from here.
    Ours(u64),
    /// The sink has lost its cursor: the lane starts as if it were new.
    Lost,
    /// Somebody else moved it.
    Foreign,
}

impl Place {
    /// A place that the sink confirmed (`recorded`) or that it has no cursor for yet.
    pub(super) fn new(spool_id: Uuid, next: u64, recorded: bool, inherited_end: u64) -> Self {
        Self { spool_id, next, recorded, unanswered: BTreeSet::new(), inherited_end }
    }

    /// Where the sink's cursor must stand for the next write.
    pub(super) fn expected(&self) -> Option<u64> {
        self.recorded.then_some(self.next)
    }

    /// A write up to `to` has committed.
    pub(super) fn advance(&mut self, to: u64) {
        *self = Self::new(self.spool_id, to, true, 0);
    }

    /// A write up to `to` failed in a way that does not prove that it never commits.
    pub(super) fn doubt(&mut self, to: u64) {
        self.unanswered.insert(to);
    }

    /// Judges a cursor that the sink reports now.
    pub(super) fn judge(&self, found: Option<u64>) -> Finding {
        match found {
            None if self.recorded => Finding::Lost,
            None => Finding::Ours(self.next),
            Some(cursor) if cursor <= self.next.max(self.inherited_end) => Finding::Ours(cursor),
            Some(cursor) if self.unanswered.contains(&cursor) => Finding::Ours(cursor),
            Some(_) => Finding::Foreign,
        }
    }

    /// Goes on from a cursor that was found to be ours; doubts about other ends stay.
    pub(super) fn follow(&mut self, found: Option<u64>, next: u64) {
        self.recorded = found.is_some();
        self.next = next;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(next: u64) -> Place {
        Place::new(Uuid::nil(), next, true, 0)
    }

    #[test]
    fn an_unmoved_cursor_is_ours() {
        assert_eq!(at(10).judge(Some(10)), Finding::Ours(10));
        assert_eq!(Place::new(Uuid::nil(), 3, false, 0).judge(None), Finding::Ours(3));
    }

    #[test]
    fn a_late_commit_is_ours_only_at_an_end_that_was_asked_for() {
        let mut place = at(10);
        assert_eq!(place.judge(Some(20)), Finding::Foreign);
        place.doubt(20);
        assert_eq!(place.judge(Some(20)), Finding::Ours(20));
        assert_eq!(place.judge(Some(15)), Finding::Foreign);
        place.advance(12);
        assert_eq!(
            place.judge(Some(20)),
            Finding::Foreign,
            "the write that succeeded rules the late commit out"
        );
    }

    #[test]
    fn a_late_commit_of_the_process_before_is_ours_until_the_first_write() {
        let mut place = Place::new(Uuid::nil(), 10, true, 30);
        assert_eq!(place.judge(Some(25)), Finding::Ours(25));
        assert_eq!(place.judge(Some(31)), Finding::Foreign);
        place.advance(11);
        assert_eq!(place.judge(Some(25)), Finding::Foreign);
    }

    #[test]
    fn a_cursor_that_went_back_or_away_is_followed() {
        assert_eq!(at(10).judge(Some(4)), Finding::Ours(4));
        assert_eq!(at(10).judge(None), Finding::Lost);
    }
}
