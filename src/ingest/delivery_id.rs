//! Ids of deliveries and of their elements: a receipt names the stored rows without a table of its own.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
};

use uuid::Uuid;

use crate::clock::UnixMicros;

/// How many elements one id can number; the upper bound of `limits.batch`.
pub const ELEMENTS_MAX: usize = 1 << INDEX_BITS;

const INDEX_BITS: u32 = 16;
const COUNTER_BITS: u32 = 26;
const PROCESS_BITS: u32 = 32;

/// A UUIDv7 whose last 16 bits are zero: element *i* of the delivery is the id plus *i*.
///
/// The 58 bits before them are 32 random ones of this process and a counter, so that one process never repeats an id and
/// two processes share one only if they drew the same 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryId(Uuid);

impl DeliveryId {
    /// The id of the element at `index`, under which its event or refusal is stored.
    pub fn element(self, index: usize) -> Uuid {
        debug_assert!(index < ELEMENTS_MAX);
        Uuid::from_u128(self.0.as_u128() | (index as u128 & (ELEMENTS_MAX as u128 - 1)))
    }
}

impl fmt::Display for DeliveryId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The id of the element `places` behind the one of this id, in the same delivery; none where a delivery has no more.
pub fn following(element: Uuid, places: usize) -> Option<Uuid> {
    let (delivery, index) = (element.as_u128() >> INDEX_BITS, element.as_u128() & (ELEMENTS_MAX as u128 - 1));
    let index = index.checked_add(places as u128).filter(|index| *index < ELEMENTS_MAX as u128)?;
    Some(Uuid::from_u128((delivery << INDEX_BITS) | index))
}

/// Where delivery ids come from; one for the process.
#[derive(Debug)]
pub struct DeliveryIds {
    process: u64,
    counter: AtomicU64,
}

impl DeliveryIds {
    /// Draws the process's random bits.
    ///
    /// # Errors
    /// When the operating system has no randomness to give.
    pub fn new() -> Result<Self, getrandom::Error> {
        let mut random = [0; 4];
        getrandom::fill(&mut random)?;
        Ok(Self { process: u64::from(u32::from_le_bytes(random)), counter: AtomicU64::new(0) })
    }

    /// The next id, for a delivery that arrived at `at`.
    pub fn next(&self, at: UnixMicros) -> DeliveryId {
        let counter = self.counter.fetch_add(1, Ordering::Relaxed) & ((1 << COUNTER_BITS) - 1);
        // 74 bits: 12 stand before the variant, 62 behind it.
        let unique =
            (u128::from(self.process) << (COUNTER_BITS + INDEX_BITS)) | (u128::from(counter) << INDEX_BITS);
        debug_assert_eq!(PROCESS_BITS + COUNTER_BITS + INDEX_BITS, 74);
        let mut random = [0; 10];
        let high = u16::try_from(unique >> 62).unwrap_or_default();
        let low = u64::try_from(unique & ((1 << 62) - 1)).unwrap_or_default();
        let [first, second] = high.to_be_bytes();
        random
            .iter_mut()
            .zip([first, second].into_iter().chain(low.to_be_bytes()))
            .for_each(|(to, from)| *to = from);
        let millis = u64::try_from(at / 1000).unwrap_or_default();
        DeliveryId(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_uuid_v7_of_their_time_and_never_repeat() {
        let ids = DeliveryIds::new().unwrap();
        let mut seen = HashSet::new();
        for at in [0, 1_700_000_000_123_456, 1_700_000_000_123_999] {
            for _ in 0..1000 {
                let id = ids.next(at);
                assert!(seen.insert(id.element(0)), "{id}");
                assert_eq!(id.element(0).get_version_num(), 7);
                assert_eq!(id.element(0).as_u128() >> 80, u128::try_from(at / 1000).unwrap());
            }
        }
    }

    #[test]
    fn elements_are_numbered_within_their_delivery() {
        let id = DeliveryIds::new().unwrap().next(0);
        assert_eq!(id.element(ELEMENTS_MAX - 1).as_u128(), id.element(0).as_u128() + 65_535);
        assert_eq!(id.element(0).to_string(), id.to_string());
        assert_eq!(id.element(9).get_version_num(), 7);
        assert_eq!(following(id.element(3), 4), Some(id.element(7)));
        assert_eq!(following(id.element(3), 65_532), Some(id.element(ELEMENTS_MAX - 1)));
        assert_eq!(following(id.element(3), 65_533), None, "it would be another delivery's");
    }
}
