//! The admin API as operators and their programs meet it.

mod access;
mod explain;
mod lanes;
mod reading;
mod replay;
mod tail;
mod upkeep;

use std::fs;

use serde_json::Value;

use crate::{
    client::{Answer, Request},
    server::{KEY, Server},
};

/// The operator token that a server made for itself.
pub(crate) fn token(server: &Server<'_>) -> String {
    fs::read_to_string(server.site.path("data/secrets/operator")).unwrap().trim().to_owned()
}

/// A request of the operator.
pub(crate) fn request(server: &Server<'_>, method: &str, target: &str) -> Request {
    let request = Request::new(method, &format!("/admin/v1{target}"));
    request.header("Authorization", &format!("Bearer {}", token(server)))
}

/// Sends a request of the operator.
#[track_caller]
fn send(server: &Server<'_>, request: &Request) -> Answer {
    request.send(server.operate).unwrap_or_else(|error| panic!("{error}; the log: {}", server.log()))
}

/// Asks and expects an answer.
#[track_caller]
pub(crate) fn get(server: &Server<'_>, target: &str) -> Value {
    send(server, &request(server, "GET", target)).expect(200).json()
}

/// Asks for something to be done.
#[track_caller]
pub(crate) fn post(server: &Server<'_>, target: &str, body: &Value) -> Value {
    send(server, &request(server, "POST", target).with_body(body.to_string())).expect(200).json()
}

/// Insists on a problem of this status and code, in its proper dress.
#[track_caller]
fn assert_problem(answer: &Answer, status: u16, code: &str) {
    let told = answer.clone().expect(status).json();
    assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{answer:?}");
    assert_eq!(
        (told["status"].as_u64(), told["code"].as_str()),
        (Some(u64::from(status)), Some(code)),
        "{told}"
    );
    assert!(told["detail"].as_str().is_some_and(|detail| !detail.is_empty()), "{told}");
}

/// Sends an event to the source `web` that it refuses: it names no user.
#[track_caller]
fn refused(server: &Server<'_>, message_id: &str) -> Answer {
    let event = format!(
        r#"{{"type":"track","event":"Ordered","timestamp":"2026-01-31T12:00:00Z","messageId":"{message_id}"}}"#
    );
    server.send(&Request::post(&format!("/v1/segment/web?key={KEY}"), event)).expect(400)
}
