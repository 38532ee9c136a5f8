//! PromQL as far as it must be understood here: which metrics an expression names, and which labels. Whether it is an
//! expression at all, promtool says.

use std::collections::BTreeSet;

use tidegate::telemetry::metric::{Metric, MetricKind};

/// Labels that every scraped series bears.
const SCRAPED: [&str; 2] = ["job", "instance"];
/// What the server's own process shows besides our metrics; without labels.
const PROCESS: [&str; 5] = [
    "process_cpu_seconds_total",
    "process_max_fds",
    "process_open_fds",
    "process_resident_memory_bytes",
    "process_start_time_seconds",
];
/// What Prometheus makes by itself.
const PROMETHEUS: [&str; 2] = ["ALERTS", "up"];
/// What stands before a list of labels.
const GROUPINGS: [&str; 6] = ["by", "without", "on", "ignoring", "group_left", "group_right"];

/// Everything wrong with the names and labels of an expression.
pub(crate) fn mistakes(expression: &str) -> Vec<String> {
    let bare = without_strings(expression);
    let mut found = Vec::new();
    let mut known: BTreeSet<&str> = SCRAPED.into();
    let (mut named, mut groupings) = (0, Vec::new());
    for (word, rest) in words(&bare) {
        if GROUPINGS.contains(&word) {
            groupings.extend(list(rest, '(', ')'));
        } else if is_metric(word) {
            named += 1;
            match labels(word) {
                None => found.push(format!("no metric is called {word}")),
                Some(labels) => {
                    let matched = list(rest, '{', '}');
                    let unknown = matched
                        .iter()
                        .filter(|label| !labels.contains(label.as_str()) && word != "ALERTS")
                        .map(|label| format!("{word} has no label {label}"));
                    found.extend(unknown);
                    known.extend(labels);
                }
            }
        }
    }
    let unknown = groupings.iter().filter(|label| !known.contains(label.as_str()));
    found.extend(unknown.map(|label| format!("nothing in the expression has a label {label}")));
    if named == 0 {
        found.push("no metric is named".into());
    }
    found
}

fn is_metric(word: &str) -> bool {
    word.starts_with("tidegate_") || word.starts_with("process_") || PROMETHEUS.contains(&word)
}

/// The labels of a metric, or of one of the series that a histogram consists of.
fn labels(name: &str) -> Option<BTreeSet<&'static str>> {
    if PROCESS.contains(&name) || PROMETHEUS.contains(&name) {
        return Some(SCRAPED.into());
    }
    Metric::ALL.iter().find_map(|metric| {
        let part = name.strip_prefix(metric.name())?;
        let of_histogram = match part {
            "" => metric.kind() != MetricKind::Histogram,
            "_bucket" | "_sum" | "_count" => metric.kind() == MetricKind::Histogram,
            _ => false,
        };
        let le = (part == "_bucket").then_some("le");
        of_histogram.then(|| SCRAPED.into_iter().chain(metric.labels().iter().copied()).chain(le).collect())
    })
}

/// Without what stands in quotes, which may look like anything.
fn without_strings(expression: &str) -> String {
    expression.split('"').step_by(2).collect::<Vec<_>>().join("\"\"")
}

/// Every word, with what follows it.
fn words(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let is_part = |c: char| c == '_' || c == ':' || c.is_ascii_alphanumeric();
    let mut rest = text;
    std::iter::from_fn(move || {
        rest = rest.trim_start_matches(|c| !is_part(c));
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        (!word.is_empty()).then_some((word, after))
    })
}

/// The names in a list that begins right here; none if there is no list.
fn list(text: &str, open: char, close: char) -> Vec<String> {
    let Some((inside, _)) = text.trim_start().strip_prefix(open).and_then(|text| text.split_once(close))
    else {
        return Vec::new();
    };
    inside.split(',').filter_map(|item| words(item).next()).map(|(name, _)| name.to_owned()).collect()
}

#[test]
fn what_is_wrong_with_an_expression_is_found() {
    for (expression, wrong) in [
        (r#"rate(tidegate_events_total{job="tidegate", outcome=~"a|{b}"}[5m]) > 0"#, ""),
        ("sum by (le, source) (rate(tidegate_request_duration_seconds_bucket[5m]))", ""),
        ("process_open_fds / on (job, instance) tidegate_ready", ""),
        ("tidegate_event_total", "no metric is called tidegate_event_total"),
        ("tidegate_request_duration_seconds", "no metric is called tidegate_request_duration_seconds"),
        ("tidegate_ready_bucket", "no metric is called tidegate_ready_bucket"),
        ("process_open_files", "no metric is called process_open_files"),
        (r#"tidegate_ready{source="a"}"#, "tidegate_ready has no label source"),
        ("sum by (sink) (tidegate_ready)", "nothing in the expression has a label sink"),
        ("sum by (le) (tidegate_lane_batch_events_sum)", "nothing in the expression has a label le"),
        ("vector(1)", "no metric is named"),
    ] {
        assert_eq!(mistakes(expression).join("; "), wrong, "{expression}");
    }
}
