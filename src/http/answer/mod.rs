//! What senders are told, of whole deliveries here and of streams in `stream`: the one place where outcomes become statuses, headers and JSON.
//!
//! Our own trouble is 503 or 429 with `Retry-After`, which senders repeat; a 4xx they throw away, so it is never said of
//! what is not theirs. No answer repeats anything of the request.

pub mod stream;

use std::time::Duration;

use axum::{
    body::Body,
    http::{
        HeaderValue, Response, StatusCode,
        header::{ACCEPT_ENCODING, ALLOW, CONTENT_TYPE, RETRY_AFTER},
    },
};
use serde::Serialize;

use super::{body::BodyError, decode::Undecoded};
use crate::{
    codec,
    ingest::answer::{Answer, BatchVerdict, ElementOutcome, ElementVerdict, Trouble, Turned, Verdict},
    sources::rule::{self, Breach},
};

/// Why a request got no further than its head.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejection {
    /// No source has this path.
    NotFound,
    /// Not a method of this source.
    Method {
        /// Those that are.
        allowed: &'static str,
    },
    /// The peer's network is not allowed.
    Network,
    /// No live secret fits.
    Key,
}

#[derive(Serialize)]
struct Told<'a> {
    committed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    duplicate: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<String>,
}

#[derive(Serialize)]
struct ToldBatch<'a> {
    committed: u64,
    ignored: u64,
    refused: u64,
    duplicates: u64,
    receipt: String,
    results: Vec<ToldElement<'a>>,
}

#[derive(Serialize)]
struct ToldElement<'a> {
    index: usize,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<&'a str>,
}

impl<'a> Told<'a> {
    fn no(message: &'a str) -> Self {
        Self {
            committed: false,
            message: Some(message),
            rule: None,
            pointer: None,
            duplicate: false,
            receipt: None,
        }
    }

    fn breach(breach: &'a Breach, receipt: String) -> Self {
        Self {
            rule: Some(breach.rule.id),
            pointer: Some(&breach.pointer),
            receipt: Some(receipt),
            ..Self::no(breach.rule.message)
        }
    }
}

/// A delivery that was taken.
pub fn taken(answer: &Answer) -> Response<Body> {
    let receipt = answer.receipt.to_string();
    match &answer.verdict {
        // The proof is what allows to say it.
        Verdict::Committed { proof: _, duplicate } => json(
            StatusCode::OK,
            &Told {
                committed: true,
                message: None,
                duplicate: *duplicate,
                receipt: Some(receipt),
                ..Told::no("")
            },
        ),
        Verdict::Ignored(breach) => json(StatusCode::OK, &Told::breach(breach, receipt)),
        Verdict::Refused { proof: _, breach } => {
            let told = Told::breach(breach, receipt);
            if breach.rule == rule::ENCODING_UNSUPPORTED {
                let mut response = json(StatusCode::UNSUPPORTED_MEDIA_TYPE, &told);
                response.headers_mut().insert(ACCEPT_ENCODING, HeaderValue::from_static(codec::ACCEPTED));
                return response;
            }
            json(StatusCode::BAD_REQUEST, &told)
        }
        Verdict::Batch(batch) => json(batch_status(batch), &told_batch(batch, receipt)),
    }
}

/// 400 only when every element is refused: a sender throws away what got a 400, good elements with it.
fn batch_status(batch: &BatchVerdict) -> StatusCode {
    if batch.refused > 0 && batch.committed + batch.ignored == 0 {
        StatusCode::BAD_REQUEST
    } else {
        StatusCode::OK
    }
}

fn told_batch(batch: &BatchVerdict, receipt: String) -> ToldBatch<'_> {
    ToldBatch {
        committed: batch.committed,
        ignored: batch.ignored,
        refused: batch.refused,
        duplicates: batch.duplicates,
        receipt,
        results: batch.results.iter().map(told_element).collect(),
    }
}

fn told_element(element: &ElementVerdict) -> ToldElement<'_> {
    let (outcome, breach) = match &element.outcome {
        ElementOutcome::Duplicate => ("duplicate", None),
        ElementOutcome::Ignored(breach) => ("ignored", Some(breach)),
        ElementOutcome::Refused(breach) => ("refused", Some(breach)),
    };
    ToldElement {
        index: element.index,
        outcome,
        rule: breach.map(|breach| breach.rule.id),
        pointer: breach.map(|breach| breach.pointer.as_str()),
    }
}

/// A request that got no further than its head.
pub fn rejected(rejection: Rejection) -> Response<Body> {
    match rejection {
        Rejection::NotFound => json(StatusCode::NOT_FOUND, &Told::no("No source has this path")),
        Rejection::Network => json(StatusCode::FORBIDDEN, &Told::no("This network is not allowed")),
        Rejection::Key => json(StatusCode::UNAUTHORIZED, &Told::no("Unauthorized")),
        Rejection::Method { allowed } => {
            let mut response = json(StatusCode::METHOD_NOT_ALLOWED, &Told::no("Method not allowed"));
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
            response
        }
    }
}

/// A body that was not read.
pub fn unread(error: BodyError) -> Response<Body> {
    match error {
        BodyError::TooLarge { .. } => too_large("limits.body"),
        BodyError::TooSlow => json(StatusCode::REQUEST_TIMEOUT, &Told::no("The body did not arrive in time")),
        BodyError::Disconnected => json(StatusCode::BAD_REQUEST, &Told::no("The body ended early")),
        BodyError::Memory => unavailable(Trouble::Busy),
    }
}

/// A body that was read and not decoded.
pub fn undecoded(undecoded: Undecoded) -> Response<Body> {
    match undecoded {
        Undecoded::TooLarge => too_large("limits.decoded"),
        Undecoded::Memory => unavailable(Trouble::Busy),
    }
}

/// A delivery that was not taken.
pub fn turned(turned: Turned) -> Response<Body> {
    match turned {
        Turned::Unsigned => rejected(Rejection::Key),
        Turned::TooLarge(setting) => too_large(setting),
        Turned::TooFast { retry_after } => {
            let told = Told::no("Faster than limits.events_per_second allows");
            later(json(StatusCode::TOO_MANY_REQUESTS, &told), retry_after)
        }
        Turned::Unavailable(trouble) => unavailable(trouble),
    }
}

/// Our own trouble.
pub fn unavailable(trouble: Trouble) -> Response<Body> {
    let response = json(StatusCode::SERVICE_UNAVAILABLE, &Told::no(&trouble.to_string()));
    later(response, trouble.retry_after())
}

/// A bug of ours: the request shall come again, the details are in the log.
pub fn broken() -> Response<Body> {
    later(json(StatusCode::SERVICE_UNAVAILABLE, &Told::no("Internal trouble")), Duration::from_secs(5))
}

fn too_large(setting: &str) -> Response<Body> {
    let message = format!("Larger than {setting} allows");
    json(StatusCode::PAYLOAD_TOO_LARGE, &Told::no(&message))
}

fn later(mut response: Response<Body>, retry_after: Duration) -> Response<Body> {
    let seconds = retry_after.as_millis().div_ceil(1000).max(1);
    if let Ok(value) = HeaderValue::from_str(&seconds.to_string()) {
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}

fn json(status: StatusCode, told: &impl Serialize) -> Response<Body> {
    let body = serde_json::to_vec(told).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
