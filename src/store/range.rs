//! A span of arrival times, and the ids that fall into it.

use uuid::Uuid;

use crate::clock::UnixMicros;

/// Bits of a UUIDv7 below its milliseconds.
const BELOW_MILLIS: u32 = 80;
const MILLIS_MAX: u128 = (1 << 48) - 1;

/// What arrived in `[from, to)`; an end that is `None` is open.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TimeRange {
    /// The first moment that is in it.
    pub from: Option<UnixMicros>,
    /// The first moment that is not in it any more.
    pub to: Option<UnixMicros>,
}

impl TimeRange {
    /// No id of the range is smaller. Ids begin with the millisecond of arrival, so that a span of time is a span of
    /// the primary key; its ends reach up to a millisecond too far.
    pub(super) fn first_id(&self) -> Option<Uuid> {
        self.from.map(|from| Uuid::from_u128(millis(from) << BELOW_MILLIS))
    }

    /// All ids of the range are smaller, if there is an id that is not.
    pub(super) fn end_id(&self) -> Option<Uuid> {
        let after = millis(self.to?.saturating_sub(1)) + 1;
        (after <= MILLIS_MAX).then(|| Uuid::from_u128(after << BELOW_MILLIS))
    }
}

/// As ids have them: what was before 1970 counts as its first millisecond.
fn millis(at: UnixMicros) -> u128 {
    u128::try_from(at / 1000).unwrap_or_default().min(MILLIS_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::event::time::LATEST;

    fn id(at: UnixMicros, rest: u128) -> Uuid {
        Uuid::from_u128((millis(at) << BELOW_MILLIS) | (rest & ((1 << BELOW_MILLIS) - 1)))
    }

    proptest! {
        #[test]
        fn what_arrived_in_a_range_has_an_id_in_it(
            from in prop::option::of(any::<i64>()),
            to in prop::option::of(any::<i64>()),
            at in any::<i64>(),
            rest in any::<u128>(),
        ) {
            let range = TimeRange { from, to };
            prop_assume!(from.is_none_or(|from| from <= at) && to.is_none_or(|to| at < to));
            prop_assert!(range.first_id().is_none_or(|first| first <= id(at, rest)));
            prop_assert!(range.end_id().is_none_or(|end| id(at, rest) < end));
        }

        #[test]
        fn what_arrived_a_millisecond_outside_has_not(
            from in 0..=LATEST / 2,
            length in 0..=LATEST / 2,
            rest in any::<u128>(),
        ) {
            let range = TimeRange { from: Some(from), to: Some(from + length) };
            prop_assert!(from < 1_000 || id(from - 1_000, rest) < range.first_id().unwrap());
            prop_assert!(range.end_id().is_none_or(|end| id(from + length + 1_000, rest) >= end));
        }
    }
}
