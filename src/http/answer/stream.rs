//! What the sender of a stream is told: counts, whatever became of it.

use axum::{
    body::Body,
    http::{Response, StatusCode},
};
use serde::Serialize;

use super::{Told, json, later};
use crate::{
    http::body::BodyError,
    ingest::{
        answer::{StreamAnswer, StreamEnd, Trouble},
        tally::Outcomes,
    },
    sources::bof,
};

#[derive(Serialize)]
struct ToldStream<'a> {
    committed: u64,
    filtered: u64,
    sampled_out: u64,
    duplicates: u64,
    refused: u64,
    #[serde(skip_serializing_if = "is_zero")]
    shed: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks with a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// A delivery that was taken as a stream.
pub fn streamed(answer: &StreamAnswer, settings: &bof::Settings) -> Response<Body> {
    let told = |message| told_stream(answer, message);
    match &answer.end {
        StreamEnd::Complete => success(settings, &told(None)),
        StreamEnd::Broken(breach) => {
            let told = ToldStream { rule: Some(breach.rule.id), ..told(Some(breach.rule.message)) };
            json(StatusCode::BAD_REQUEST, &told)
        }
        StreamEnd::TooLarge(setting) => {
            json(StatusCode::PAYLOAD_TOO_LARGE, &told(Some(&format!("Larger than {setting} allows"))))
        }
        StreamEnd::Input(error) => {
            let (status, message) = match error.get_ref().and_then(|error| error.downcast_ref()) {
                Some(BodyError::TooLarge { .. }) => {
                    (StatusCode::PAYLOAD_TOO_LARGE, "Larger than limits.body allows")
                }
                Some(BodyError::TooSlow) => (StatusCode::REQUEST_TIMEOUT, "The body did not arrive in time"),
                _ => (StatusCode::BAD_REQUEST, "The body ended early"),
            };
            json(status, &told(Some(message)))
        }
        StreamEnd::Unavailable(trouble) => {
            let response = json(overload_status(settings), &told(Some(&trouble.to_string())));
            later(response, trouble.retry_after())
        }
    }
}

/// A stream for which there is no room, and of which nothing was read.
pub fn overloaded(trouble: Trouble, settings: &bof::Settings) -> Response<Body> {
    later(json(overload_status(settings), &Told::no(&trouble.to_string())), trouble.retry_after())
}

fn overload_status(settings: &bof::Settings) -> StatusCode {
    StatusCode::from_u16(settings.overload.code()).unwrap_or(StatusCode::SERVICE_UNAVAILABLE)
}

fn success(settings: &bof::Settings, told: &ToldStream<'_>) -> Response<Body> {
    match StatusCode::from_u16(settings.success.code()) {
        Ok(StatusCode::NO_CONTENT) => {
            let mut response = Response::new(Body::empty());
            *response.status_mut() = StatusCode::NO_CONTENT;
            response
        }
        status => json(status.unwrap_or(StatusCode::OK), told),
    }
}

fn told_stream<'a>(answer: &StreamAnswer, message: Option<&'a str>) -> ToldStream<'a> {
    let Outcomes { committed, duplicate, refused, filtered, sampled_out, shed, .. } = answer.counts;
    ToldStream {
        committed,
        filtered,
        sampled_out,
        duplicates: duplicate,
        refused,
        shed,
        receipt: answer.receipt.map(|receipt| receipt.to_string()),
        message,
        rule: None,
    }
}
