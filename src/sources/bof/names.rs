//! Names of MediaMath's numbers for countries and exchanges. A number without a name passes through without one.

use std::{collections::HashMap, sync::LazyLock};

static GEOS: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| {
    serde_json::from_str(include_str!("geos.json"))
        .expect("the file is part of the program and a test reads it")
});

const EXCHANGES: &[(&str, &str)] = &[
    ("15", "Index Exchange"),
    ("42", "Sonobi"),
    ("62", "TripleLift"),
    ("63", "LoopMe"),
    ("65", "Kargo"),
    ("69", "AdColony"),
    ("70", "Triton"),
    ("71", "GumGum"),
    ("72", "Teads"),
    ("73", "33Across"),
    ("74", "Unruly"),
    ("75", "OneTag"),
    ("76", "YieldMo"),
    ("83", "ShareThrough"),
    ("87", "Smaato"),
    ("89", "TrustX"),
    ("91", "ADman"),
    ("92", "Taboola"),
    ("94", "AdsWizz"),
    ("96", "Unity"),
];

/// The name of a geo id.
pub(super) fn geo(id: &str) -> Option<&'static str> {
    GEOS.get(id).copied()
}

/// The name of an exchange id.
pub(super) fn exchange(id: &str) -> Option<&'static str> {
    EXCHANGES.iter().find(|(known, _)| *known == id).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_have_names_and_unknown_ones_none() {
        assert_eq!((geo("60231"), exchange("15")), (Some("United States"), Some("Index Exchange")));
        assert_eq!((geo("72280").is_some(), exchange("73")), (true, Some("33Across")));
        assert_eq!((geo("1"), geo("060231"), exchange("9")), (None, None, None));
        assert!(
            GEOS.len() > 200 && GEOS.iter().all(|(id, name)| id.parse::<u32>().is_ok() && !name.is_empty())
        );
    }
}
