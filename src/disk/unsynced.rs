//! The switch that makes a disk lie: syncs succeed and do nothing. Only in builds with the feature `fault-injection`.
//!
//! A test of durability that passes with this switch on has not tested durability.

use std::sync::LazyLock;

/// The variable of the environment that is the switch.
const SWITCH: &str = "TIDEGATE_FAULT_SKIP_FSYNC";

/// Whether syncs are skipped.
pub(super) fn is_on() -> bool {
    static IS_ON: LazyLock<bool> = LazyLock::new(|| {
        let is_on = std::env::var_os(SWITCH).is_some();
        if is_on {
            tracing::error!("fsync is skipped: a power cut will lose what is answered as committed");
        }
        is_on
    });
    *IS_ON
}
