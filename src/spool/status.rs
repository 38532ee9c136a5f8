//! How the spool is doing, at one moment.

use std::time::{Duration, Instant};

use super::{Phase, locked, shared::Shared};

/// How long after a refusal for lack of space the spool calls itself full. After that it lets itself be tried again,
/// because only an append can find out.
const NO_SPACE_LASTS: Duration = Duration::from_secs(5);

/// How the spool is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// Bytes that its files occupy.
    pub bytes: u64,
    /// Bytes that wait to be written.
    pub queued_bytes: u64,
    /// The quota.
    pub max_bytes: u64,
    /// The first sequence that may be there.
    pub oldest: u64,
    /// The sequence after the last durable record.
    pub end: u64,
    /// Whether it takes appends.
    pub phase: Phase,
    /// Whether the last append was refused for want of quota, and nothing was freed since. Quotas are seldom reached to
    /// the byte, so the bytes alone do not tell.
    pub lacks_quota: bool,
    /// Whether an append was refused for lack of space within the last 5 s, and none was written since.
    pub no_space: bool,
    /// Bytes to spare on the disk; `None` if it does not say.
    pub free_bytes: Option<u64>,
    /// What is wanted of `free_bytes`.
    pub min_free: u64,
    /// How long ago the last commit was.
    pub last_commit_age: Option<Duration>,
    /// Records that were found damaged or missing since the spool was opened.
    pub damaged_records: u64,
}

impl Status {
    /// Records in the spool; delivered ones in files that are not deleted yet are among them.
    pub fn events(&self) -> u64 {
        self.end.saturating_sub(self.oldest)
    }

    /// How much of the quota is used: 0 to 1, and a little more where the last file's header exceeds it.
    pub fn usage(&self) -> f64 {
        ratio(self.bytes + self.queued_bytes, self.max_bytes)
    }

    /// Whether a write or fsync has failed.
    pub fn is_poisoned(&self) -> bool {
        self.phase == Phase::Poisoned
    }

    /// Whether an ordinary append can be expected to succeed: the spool's part of readiness.
    pub fn accepts(&self) -> bool {
        self.phase == Phase::Open
            && !self.no_space
            && !self.lacks_quota
            && self.free_bytes.is_none_or(|free| free >= self.min_free)
    }

    pub(super) fn of(shared: &Shared) -> Self {
        let (bytes, queued_bytes) = shared.inbox.bytes();
        let (committed, lacked_space) = {
            let times = locked(&shared.times);
            (times.committed, times.lacked_space)
        };
        let age = |moment: Option<Instant>| moment.map(|moment| moment.elapsed());
        let settings = &shared.settings;
        Self {
            bytes,
            queued_bytes,
            max_bytes: settings.max_bytes,
            oldest: locked(&shared.index).oldest(),
            end: shared.end(),
            phase: *shared.phase.borrow(),
            lacks_quota: shared.inbox.lacks_quota(),
            no_space: age(lacked_space).is_some_and(|age| age < NO_SPACE_LASTS),
            free_bytes: shared.disk.free_bytes(&settings.directory).ok(),
            min_free: settings.min_free,
            last_commit_age: age(committed),
            damaged_records: shared.damage.records(),
        }
    }
}

/// How much of a quota is used.
#[expect(clippy::cast_precision_loss, reason = "a ratio needs no more than 52 bits")]
pub(super) fn ratio(bytes: u64, max_bytes: u64) -> f64 {
    bytes as f64 / max_bytes.max(1) as f64
}
