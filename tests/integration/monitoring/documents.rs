//! docs/METRICS.md says what there is, all of it and nothing else.

use std::collections::BTreeSet;

use tidegate::telemetry::metric::{Metric, MetricKind};

use super::{alerts::alerts, anchors, file};

/// The cells of every row of a table whose first cell begins like this.
fn rows(document: &str, first: &str) -> BTreeSet<Vec<String>> {
    let text = file(document);
    let rows = text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix('|'));
    rows.filter(|row| row.starts_with(first))
        .map(|row| row.split('|').map(|cell| cell.trim().to_owned()).collect())
        .collect()
}

#[test]
fn every_metric_is_documented_as_it_is() {
    let documented = rows("docs/METRICS.md", "`tidegate_");
    let all: BTreeSet<Vec<String>> = Metric::ALL
        .iter()
        .map(|metric| {
            let kind = match metric.kind() {
                MetricKind::Counter => "counter",
                MetricKind::Gauge => "gauge",
                MetricKind::Histogram => "histogram",
            };
            let labels: Vec<String> = metric.labels().iter().map(|label| format!("`{label}`")).collect();
            vec![format!("`{}`", metric.name()), kind.to_owned(), labels.join(", "), metric.help().to_owned()]
        })
        .collect();
    let missing: Vec<_> = all.difference(&documented).map(|row| format!("| {} |", row.join(" | "))).collect();
    assert!(missing.is_empty(), "missing in docs/METRICS.md:\n{}", missing.join("\n"));
    let stale: Vec<_> = documented.difference(&all).collect();
    assert!(stale.is_empty(), "in docs/METRICS.md, but not so in the program: {stale:?}");
}

#[test]
fn every_alert_is_documented_with_its_severity_and_runbook() {
    let documented: BTreeSet<Vec<String>> =
        rows("docs/METRICS.md", "`Tidegate").into_iter().map(|row| [&row[..2], &row[3..]].concat()).collect();
    let all: BTreeSet<Vec<String>> = alerts()
        .into_iter()
        .map(|alert| {
            let (_, anchor) = alert.runbook.split_once('#').unwrap();
            vec![format!("`{}`", alert.name), alert.severity, format!("[runbook](OPERATIONS.md#{anchor})")]
        })
        .collect();
    assert_eq!(documented, all, "left: docs/METRICS.md; right: deploy/prometheus/alerts.yml");
}

#[test]
fn links_within_the_operators_documents_lead_somewhere() {
    for document in ["docs/OPERATIONS.md", "docs/METRICS.md"] {
        let text = file(document);
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        for link in links.filter(|link| !link.starts_with("http")) {
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = match path {
                "" => document.to_owned(),
                _ => path.strip_prefix("../").map_or_else(|| format!("docs/{path}"), ToOwned::to_owned),
            };
            assert!(super::root().join(&target).exists(), "{document}: {link}");
            assert!(anchor.is_empty() || anchors(&target).contains(anchor), "{document}: no section {link}");
        }
    }
}
