//! The dashboard of Grafana, as far as it can be checked without Grafana.

use std::{collections::BTreeSet, fmt::Write as _, fs};

use serde_json::Value;

use super::{deployed, expression::mistakes, promtool};

/// Columns of Grafana's grid.
const COLUMNS: u64 = 24;

pub(crate) fn dashboard() -> Value {
    serde_json::from_str(&deployed("grafana/dashboards/tidegate.json")).unwrap()
}

fn panels(dashboard: &Value) -> &[Value] {
    dashboard["panels"].as_array().unwrap()
}

/// Every expression with the title of its panel, as Prometheus gets it once Grafana has filled in the variables.
pub(crate) fn expressions(dashboard: &Value) -> Vec<(String, String)> {
    let of_panels = panels(dashboard).iter().flat_map(|panel| {
        let targets = panel["targets"].as_array().map(Vec::as_slice).unwrap_or_default();
        targets.iter().map(|target| (&panel["title"], &target["expr"]))
    });
    let of_annotations = dashboard["annotations"]["list"].as_array().unwrap().iter();
    of_panels
        .chain(of_annotations.map(|annotation| (&annotation["name"], &annotation["expr"])))
        .map(|(title, expression)| {
            (title.as_str().unwrap().to_owned(), filled_in(expression.as_str().unwrap()))
        })
        .collect()
}

/// With the variables at their defaults.
fn filled_in(expression: &str) -> String {
    [
        ("$__rate_interval", "1m"),
        ("$job", "tidegate"),
        ("$instance", ".*"),
        ("$source", ".*"),
        ("$sink", ".*"),
    ]
    .iter()
    .fold(expression.to_owned(), |text, (variable, value)| text.replace(variable, value))
}

#[test]
fn every_expression_is_one_and_names_what_there_is() {
    let found = expressions(&dashboard());
    assert!(found.len() > 30, "{found:?}");
    let mut rules = "groups:\n  - name: dashboard\n    rules:\n".to_owned();
    for (index, (title, expression)) in found.iter().enumerate() {
        assert_eq!(mistakes(expression), [""; 0], "{title}: {expression}");
        assert!(!expression.contains('$'), "{title}: a variable is left in {expression}");
        let quoted = expression.replace('\'', "''");
        writeln!(rules, "      - {{record: 'dashboard:expression:{index}', expr: '{quoted}'}}").unwrap();
    }
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("rules.yml");
    fs::write(&file, rules).unwrap();
    promtool(&["check", "rules", file.to_str().unwrap()]);
}

#[test]
fn panels_stand_side_by_side_and_say_what_they_show() {
    let dashboard = dashboard();
    let (mut ids, mut titles, mut cells) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for panel in panels(&dashboard) {
        let title = panel["title"].as_str().unwrap();
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}: its id is another's, too");
        assert!(titles.insert(title), "two panels are called {title}");
        let [x, y, width, height] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
        assert!(width > 0 && height > 0 && x + width <= COLUMNS, "{title} does not fit");
        for cell in (x..x + width).flat_map(|column| (y..y + height).map(move |line| (column, line))) {
            assert!(cells.insert(cell), "{title} covers another panel at {cell:?}");
        }
        if panel["type"] == "row" {
            continue;
        }
        assert!(
            panel["description"].as_str().is_some_and(|said| said.ends_with('.')),
            "{title} has no description"
        );
        assert!(!panel["targets"].as_array().unwrap().is_empty(), "{title} asks for nothing");
        let defaults = &panel["fieldConfig"]["defaults"];
        assert!(panel["type"] == "table" || defaults["unit"].is_string(), "{title} has no unit");
    }
}

#[test]
fn no_data_source_is_named_but_by_the_variable() {
    let dashboard = dashboard();
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert_eq!(variables[0]["name"], "datasource");
    assert_eq!(variables[0]["type"], "datasource");
    let mut sources = Vec::new();
    collect(&dashboard, "datasource", &mut sources);
    assert!(sources.len() > 30);
    for source in sources {
        assert_eq!(source["uid"], "${datasource}", "{source}");
    }
    let provisioned = deployed("grafana/provisioning/datasources/prometheus.yml");
    assert!(provisioned.contains("type: prometheus") && provisioned.contains("isDefault: true"));
}

/// Every object under a key, however deep.
fn collect<'v>(value: &'v Value, key: &str, found: &mut Vec<&'v Value>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get(key).filter(|value| value.is_object()));
            members.values().for_each(|value| collect(value, key, found));
        }
        Value::Array(elements) => elements.iter().for_each(|value| collect(value, key, found)),
        _ => {}
    }
}
