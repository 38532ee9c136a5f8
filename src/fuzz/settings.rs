//! Settings files.

use std::collections::BTreeMap;

use crate::config::parse;

/// A text is settings, or has mistakes that each name a line of it; reading it again says the same.
pub(super) fn settings(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    // A secret may be in a file, and a fuzzer would soon find one that never ends.
    if text.contains("file") {
        return;
    }
    let read = || parse("settings", text, &BTreeMap::new(), 0);
    match (read(), read()) {
        (Ok(config), Ok(again)) => {
            assert_eq!(config.version, again.version);
            assert_eq!(config.warnings, again.warnings);
            for source in &config.sources {
                assert!(source.limits.body_bytes > 0 && source.limits.depth > 0);
            }
        }
        (Err(mistakes), Err(again)) => {
            assert!(!mistakes.0.is_empty());
            assert_eq!(mistakes.to_string(), again.to_string());
            let lines = text.split('\n').count();
            assert!(
                mistakes.0.iter().all(|mistake| mistake.line.is_none_or(|line| (1..=lines).contains(&line)))
            );
        }
        _ => panic!("the same text was read in two ways"),
    }
}
