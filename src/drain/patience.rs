//! How a lane bears a streak of failures: how long it waits, when it says so, and when the streak is over.

use std::time::Duration;

use tokio::time::Instant;

use super::{
    backoff::{probe_delay, retry_delay},
    lane_status::Trouble,
};

pub(super) struct Patience {
    backoff_cap: Duration,
    probe_every: Duration,
    streak: Option<Streak>,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Streak {
    pub trouble: Trouble,
    pub failures: u32,
    pub since: Instant,
}

/// What to do about a failure.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Advice {
    /// How long to wait.
    pub delay: Duration,
    /// Whether this is news: a streak is told once, not with every failure.
    pub news: bool,
}

impl Patience {
    pub(super) fn new(backoff_cap: Duration, probe_every: Duration) -> Self {
        Self { backoff_cap, probe_every, streak: None }
    }

    /// One more failure. Only a write that succeeds, or having nothing to write, ends a streak; an error of another
    /// kind goes on with it unless the lane now waits for a person and did not before, or the other way round.
    pub(super) fn fail(&mut self, trouble: Trouble, chance: f64) -> Advice {
        let (news, failures, since) = match self.streak {
            Some(streak) if streak.trouble == trouble => (false, streak.failures, streak.since),
            Some(streak) if streak.trouble.needs_a_person() == trouble.needs_a_person() => {
                (trouble.needs_a_person(), streak.failures, streak.since)
            }
            _ => (true, 0, Instant::now()),
        };
        self.streak = Some(Streak { trouble, failures: failures.saturating_add(1), since });
        let delay = if trouble.needs_a_person() {
            probe_delay(failures, self.probe_every)
        } else {
            retry_delay(failures, self.backoff_cap, chance)
        };
        Advice { delay, news }
    }

    /// The streak that has just ended, if there was one.
    pub(super) fn succeed(&mut self) -> Option<Streak> {
        self.streak.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: Duration = Duration::from_secs(30);

    #[test]
    fn a_streak_is_told_once_and_waits_longer_each_time() {
        let mut patience = Patience::new(CAP, CAP);
        let advice: Vec<Advice> = (0..3).map(|_| patience.fail(Trouble::Configuration, 1.0)).collect();
        assert_eq!(advice.iter().map(|a| a.news).collect::<Vec<_>>(), [true, false, false]);
        assert_eq!(advice.iter().map(|a| a.delay.as_secs()).collect::<Vec<_>>(), [1, 2, 4]);
        assert_eq!(patience.succeed().map(|streak| streak.failures), Some(3));
        assert!(patience.succeed().is_none());
    }

    #[test]
    fn kinds_that_pass_by_themselves_share_a_streak() {
        let mut patience = Patience::new(CAP, CAP);
        patience.fail(Trouble::Transient, 1.0);
        let second = patience.fail(Trouble::OutcomeUnknown, 1.0);
        assert_eq!(second, Advice { delay: Duration::from_millis(200), news: false });
    }

    #[test]
    fn a_pause_is_news_after_a_back_off() {
        let mut patience = Patience::new(CAP, CAP);
        patience.fail(Trouble::Transient, 1.0);
        assert_eq!(
            patience.fail(Trouble::Configuration, 1.0),
            Advice { delay: Duration::from_secs(1), news: true }
        );
        assert!(patience.fail(Trouble::DeadLettersFull, 1.0).news);
    }
}
