//! How long to wait after a failure: pure functions of a count and of chance.

use std::time::Duration;

/// Where the back-off of a sink that may recover by itself begins.
const FIRST_RETRY: Duration = Duration::from_millis(100);

/// When a paused lane looks for the first time whether a person has mended its sink.
const FIRST_PROBE: Duration = Duration::from_secs(1);

/// Full jitter: anything between nothing and a ceiling that doubles with each failure, so that lanes and servers that
/// lost one database together do not come back together. `chance` lies in `0.0..1.0`.
pub(super) fn retry_delay(failures: u32, cap: Duration, chance: f64) -> Duration {
    doubled(FIRST_RETRY, failures, cap).mul_f64(chance.clamp(0.0, 1.0))
}

/// Doubles without jitter: a person who has just mended the sink wants to know when the lane looks again.
pub(super) fn probe_delay(failures: u32, every: Duration) -> Duration {
    doubled(FIRST_PROBE, failures, every)
}

fn doubled(first: Duration, failures: u32, cap: Duration) -> Duration {
    let factor = 2_u32.saturating_pow(failures);
    first.saturating_mul(factor).min(cap)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: Duration = Duration::from_secs(30);

    #[test]
    fn the_ceiling_of_a_retry_doubles_up_to_its_cap() {
        assert_eq!(retry_delay(0, CAP, 1.0), FIRST_RETRY);
        assert_eq!(retry_delay(3, CAP, 1.0), FIRST_RETRY * 8);
        assert_eq!(retry_delay(9, CAP, 1.0), CAP);
        assert_eq!(retry_delay(u32::MAX, CAP, 1.0), CAP);
    }

    #[test]
    fn a_retry_takes_any_part_of_its_ceiling() {
        assert_eq!(retry_delay(5, CAP, 0.0), Duration::ZERO);
        assert_eq!(retry_delay(9, CAP, 0.5), CAP / 2);
    }

    #[test]
    fn a_probe_is_punctual() {
        let delays: Vec<u64> = (0..7).map(|n| probe_delay(n, CAP).as_secs()).collect();
        assert_eq!(delays, [1, 2, 4, 8, 16, 30, 30]);
    }

    #[test]
    fn a_cap_below_the_first_delay_holds() {
        let cap = Duration::from_millis(5);
        assert_eq!(retry_delay(0, cap, 1.0), cap);
        assert_eq!(probe_delay(0, cap), cap);
    }
}
