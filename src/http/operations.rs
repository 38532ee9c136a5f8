//! Probes and metrics.

use std::{fmt::Write as _, sync::Arc};

use axum::{
    body::Body,
    extract::State,
    http::{HeaderValue, Request, Response, StatusCode, header::CONTENT_TYPE},
};

use super::body::MemoryBudget;
use crate::{
    operate::health::Health,
    telemetry::{
        exporter::{self, Exporter},
        metric::Metric,
    },
};

/// What probes and metrics need.
pub struct Operations {
    /// The server's health.
    pub health: Arc<Health>,
    /// The recorded metrics; none in tests that have no recorder.
    pub exporter: Option<Exporter>,
    /// Memory for bodies, to show how much of it is used.
    pub budget: MemoryBudget,
}

/// The process answers.
pub async fn live() -> Response<Body> {
    text(StatusCode::OK, "ok\n".into())
}

/// Whether a delivery would be taken; with `?verbose`, why.
pub async fn ready(State(operations): State<Arc<Operations>>, request: Request<Body>) -> Response<Body> {
    let checks = operations.health.checks();
    let ready = checks.iter().all(|check| check.ok || !check.decisive);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut body = String::new();
    if request
        .uri()
        .query()
        .is_some_and(|query| query.split('&').any(|part| part == "verbose" || part.starts_with("verbose=")))
    {
        for check in checks {
            let mark = if check.ok { "+" } else { "-" };
            let separator = if check.detail.is_empty() { "" } else { " " };
            let _ = writeln!(body, "[{mark}] {}{separator}{}", check.name, check.detail);
        }
    }
    body.push_str(if ready { "ready\n" } else { "not ready\n" });
    text(status, body)
}

/// Everything that is counted and measured.
pub async fn metrics(State(operations): State<Arc<Operations>>) -> Response<Body> {
    operations.health.record_gauges();
    #[expect(clippy::cast_precision_loss, reason = "bytes of memory, far below 2^52")]
    Metric::BodyMemory.gauge(&[]).set(operations.budget.used() as f64);
    let Some(exporter) = &operations.exporter else { return text(StatusCode::NOT_FOUND, String::new()) };
    let mut response = text(StatusCode::OK, exporter.render());
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(exporter::CONTENT_TYPE));
    response
}

fn text(status: StatusCode, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
