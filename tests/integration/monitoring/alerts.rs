//! The alert rules: each fires when it should and not before, names metrics that exist, and leads to a runbook.

use std::collections::BTreeSet;

use saphyr::{LoadableYamlNode, Yaml};

use super::{anchors, deployed, expression::mistakes, promtool};

const RUNBOOKS: &str = "https://github.com/tidegate/tidegate/blob/main/docs/OPERATIONS.md#";

fn yaml(name: &str) -> Yaml<'static> {
    Yaml::load_from_str(&deployed(name)).unwrap_or_else(|error| panic!("{name}: {error}")).remove(0)
}

/// The text under a key, which must be there.
#[track_caller]
fn text<'y>(yaml: &'y Yaml<'_>, key: &str) -> &'y str {
    yaml[key].as_str().unwrap_or_else(|| panic!("no {key} in {yaml:?}"))
}

/// An alert as it stands in the file.
pub(crate) struct Alert {
    pub(crate) name: String,
    pub(crate) severity: String,
    pub(crate) runbook: String,
    pub(crate) expression: String,
}

/// All alerts.
pub(crate) fn alerts() -> Vec<Alert> {
    let file = yaml("prometheus/alerts.yml");
    let groups = file["groups"].as_sequence().unwrap();
    let rules = groups.iter().flat_map(|group| group["rules"].as_sequence().unwrap());
    rules
        .map(|rule| {
            let annotations = &rule["annotations"];
            for said in ["summary", "description"] {
                assert!(text(annotations, said).ends_with('.'), "{said} of {rule:?} is no sentence");
            }
            Alert {
                name: text(rule, "alert").to_owned(),
                severity: text(&rule["labels"], "severity").to_owned(),
                runbook: text(annotations, "runbook_url").to_owned(),
                expression: text(rule, "expr").to_owned(),
            }
        })
        .collect()
}

#[test]
fn prometheus_takes_its_settings_and_the_rules() {
    promtool(&["check", "config", "deploy/prometheus/prometheus.yml"]);
    promtool(&["check", "rules", "deploy/prometheus/alerts.yml"]);
}

#[test]
fn each_alert_fires_when_it_should_and_only_then() {
    promtool(&[
        "test",
        "rules",
        "deploy/prometheus/alerts_test.yml",
        "deploy/prometheus/alerts_of_days_test.yml",
    ]);

    let (mut fires, mut stays_quiet) = (BTreeSet::new(), BTreeSet::new());
    for file in ["prometheus/alerts_test.yml", "prometheus/alerts_of_days_test.yml"] {
        for test in yaml(file)["tests"].as_sequence().unwrap() {
            for query in test["promql_expr_test"].as_sequence().unwrap() {
                let asked = text(query, "expr");
                let (_, rest) = asked.split_once("ALERTS{alertname=\"").unwrap_or_else(|| panic!("{asked}"));
                let alert = rest.split('"').next().unwrap().to_owned();
                let samples = query["exp_samples"].as_sequence().unwrap();
                if samples.is_empty() { &mut stays_quiet } else { &mut fires }.insert(alert);
            }
        }
    }
    let all: BTreeSet<String> = alerts().into_iter().map(|alert| alert.name).collect();
    assert_eq!(fires, all, "left: alerts that a test makes fire; right: alerts");
    assert_eq!(stays_quiet, all, "left: alerts that a test keeps quiet; right: alerts");
}

#[test]
fn alerts_name_what_there_is_and_lead_to_a_runbook() {
    let runbooks = anchors("docs/OPERATIONS.md");
    for Alert { name, severity, runbook, expression } in alerts() {
        assert!(["critical", "warning", "info"].contains(&severity.as_str()), "{name}: {severity}");
        assert_eq!(mistakes(&expression), [""; 0], "{name}: {expression}");
        let anchor = runbook.strip_prefix(RUNBOOKS).unwrap_or_else(|| panic!("{name}: {runbook}"));
        assert!(runbooks.contains(anchor), "{name}: docs/OPERATIONS.md has no section #{anchor}");
    }
}
