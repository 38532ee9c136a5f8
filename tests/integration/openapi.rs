//! `openapi.yaml` and the server say the same.

use std::collections::BTreeSet;

use axum::http::StatusCode;
use saphyr::{LoadableYamlNode, Yaml};
use tidegate::{
    http::router::{Listener, ROUTES},
    sources::bof::{OverloadStatus, SuccessStatus},
};

const DESCRIPTION: &str = include_str!("../../openapi.yaml");
const DELIVERIES: &str = "/v1/segment/{source}";
const STREAMS: [&str; 2] = ["/v1/bof/{source}", "/v1/bof/{source}/{data_center}"];

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
    for method in ["post", "put", "patch"] {
        assert_described(DELIVERIES, method, &given);
    }
    let streamed = statuses_given_to_streams();
    for (path, method) in STREAMS.iter().flat_map(|path| [(path, "post"), (path, "put")]) {
        assert_described(path, method, &streamed);
    }
}

#[track_caller]
fn assert_described(path: &str, method: &str, given: &BTreeSet<u16>) {
    let responses = keys(&description()["paths"][path][method]["responses"]);
    let described: BTreeSet<u16> = responses.iter().map(|status| status.parse().unwrap()).collect();
    assert_eq!(described, *given, "{method} {path}; left: openapi.yaml, right: the code");
}

/// Streams are answered what whole deliveries are, but for an encoding that is not supported: theirs is detected. And
/// two of their statuses are set.
fn statuses_given_to_streams() -> BTreeSet<u16> {
    let mut given = statuses_given();
    assert!(given.remove(&415));
    given.extend(statuses_named(include_str!("../../src/http/answer/stream.rs")));
    given.extend(SuccessStatus::ALL.iter().map(|status| status.code()));
    given.extend(OverloadStatus::ALL.iter().map(|status| status.code()));
    given
}

/// The statuses in the only two files that make answers to senders of whole deliveries.
fn statuses_given() -> BTreeSet<u16> {
    let server = include_str!("../../src/http/server/refusal.rs");
    let spelled = server.split('"').filter_map(|literal| {
        let (status, reason) = literal.split_once(' ')?;
        let status = StatusCode::from_bytes(status.as_bytes()).ok()?;
        (status.canonical_reason() == Some(reason)).then_some(status.as_u16())
    });
    spelled.chain(statuses_named(include_str!("../../src/http/answer/mod.rs"))).collect()
}

/// The statuses that code names.
fn statuses_named(code: &str) -> impl Iterator<Item = u16> {
    code.split("StatusCode::").skip(1).filter_map(|rest| {
        let name: String =
            rest.chars().take_while(|letter| letter.is_ascii_uppercase() || *letter == '_').collect();
        status_named(&name)
    })
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
