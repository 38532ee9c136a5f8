//! What operators watch the server by: alert rules, dashboard and their documentation agree with the metrics there are, and
//! a real Prometheus makes sense of a real server.

mod alerts;
mod dashboard;
mod documents;
mod expression;
mod prometheus;

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

/// A file of the repository.
#[track_caller]
fn file(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// A file of `deploy`.
#[track_caller]
fn deployed(name: &str) -> String {
    file(&format!("deploy/{name}"))
}

/// What promtool says, in the repository; it must be content.
#[track_caller]
fn promtool(arguments: &[&str]) -> String {
    let output = Command::new("promtool").args(arguments).current_dir(root()).output().unwrap_or_else(|error| {
        panic!("promtool cannot be run ({error}): run scripts/test, which installs it, or install Debian's prometheus")
    });
    let [said, complained] =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    assert!(output.status.success(), "promtool {arguments:?}: {said}{complained}");
    said
}

/// The anchors that GitHub gives to the headings of a document.
fn anchors(document: &str) -> BTreeSet<String> {
    let text = file(document);
    let headings =
        text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    headings
        .map(|heading| {
            let kept = heading.to_lowercase();
            let kept = kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}
