//! `openapi.yaml` and the server say the same.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use saphyr::{LoadableYamlNode, Yaml};
use tidegate::http::router::{Listener, ROUTES};

const DESCRIPTION: &str = include_str!("../../openapi.yaml");
const DELIVERIES: &str = "/v1/segment/{source}";

fn description() -> Yaml<'static> {
    Yaml::load_from_str(DESCRIPTION).unwrap().remove(0)
}

fn keys(yaml: &Yaml<'_>) -> Vec<String> {
    yaml.as_mapping().unwrap().keys().map(|key| key.as_str().unwrap().to_owned()).collect()
}

#[test]
fn routes_and_descriptions_are_the_same() {
    let routes: BTreeSet<(String, String, String)> = ROUTES
        .iter()
        .map(|(listener, method, path)| {
            let tag = match listener {
                Listener::Collect => "collect",
                Listener::Operate => "operate",
            };
            (tag.to_owned(), (*method).to_owned(), (*path).to_owned())
        })
        .collect();
    assert_eq!(routes.len(), ROUTES.len(), "a route is listed twice");
    let yaml = description();
    let mut described = BTreeSet::new();
    for path in keys(&yaml["paths"]) {
        let item = &yaml["paths"][path.as_str()];
        let methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
        for method in keys(item).into_iter().filter(|key| methods.contains(&key.as_str())) {
            for tag in item[method.as_str()]["tags"].as_sequence().unwrap() {
                described.insert((tag.as_str().unwrap().to_owned(), method.clone(), path.clone()));
            }
        }
    }
    assert_eq!(described, routes, "left: openapi.yaml, right: ROUTES");
}

#[test]
fn every_status_that_a_sender_can_get_is_described() {
    let given = statuses_given();
    assert!(given.len() > 10, "{given:?}");
    let yaml = description();
    for method in ["post", "put", "patch"] {
        let responses = keys(&yaml["paths"][DELIVERIES][method]["responses"]);
        let described: BTreeSet<u16> = responses.iter().map(|status| status.parse().unwrap()).collect();
        assert_eq!(described, given, "{method}; left: openapi.yaml, right: the code");
    }
}

/// The statuses in the only two files that make answers to senders.
fn statuses_given() -> BTreeSet<u16> {
    let handlers = include_str!("../../src/http/answer/mod.rs");
    let named = handlers.split("StatusCode::").skip(1).map(|rest| {
        let name: String =
            rest.chars().take_while(|letter| letter.is_ascii_uppercase() || *letter == '_').collect();
        status_named(&name)
    });
    let server = include_str!("../../src/http/server/refusal.rs");
    let spelled = server.split('"').filter_map(|literal| {
        let (status, reason) = literal.split_once(' ')?;
        let status = StatusCode::from_bytes(status.as_bytes()).ok()?;
        (status.canonical_reason() == Some(reason)).then_some(status.as_u16())
    });
    named.flatten().chain(spelled).collect()
}

/// `PAYLOAD_TOO_LARGE` is 413.
fn status_named(name: &str) -> Option<u16> {
    let of = |status: &StatusCode| {
        status.canonical_reason().map(|reason| reason.replace([' ', '-'], "_").to_uppercase())
    };
    let found = (100..600)
        .filter_map(|status| StatusCode::from_u16(status).ok())
        .find(|status| of(status).as_deref() == Some(name));
    assert!(found.is_some() || name.is_empty(), "no status is named {name}");
    found.map(|status| status.as_u16())
}
