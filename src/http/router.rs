//! The table of contents: every path of both listeners. `openapi.yaml` is compared with [`ROUTES`] by a test.

use std::{any::Any, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::Response,
    routing::{any, get},
};
use tower_http::catch_panic::CatchPanicLayer;

use super::{
    answer,
    collect::{Collect, collect},
    operations::{Operations, live, metrics, ready},
};

/// Listener, method and path of everything that is served, but for the extra paths that the settings give to sources.
pub const ROUTES: &[(Listener, &str, &str)] = &[
    (Listener::Collect, "post", "/v1/segment/{source}"),
    (Listener::Collect, "put", "/v1/segment/{source}"),
    (Listener::Collect, "patch", "/v1/segment/{source}"),
    (Listener::Collect, "post", "/v1/bof/{source}"),
    (Listener::Collect, "put", "/v1/bof/{source}"),
    (Listener::Collect, "post", "/v1/bof/{source}/{data_center}"),
    (Listener::Collect, "put", "/v1/bof/{source}/{data_center}"),
    (Listener::Collect, "get", "/livez"),
    (Listener::Collect, "get", "/readyz"),
    (Listener::Operate, "get", "/livez"),
    (Listener::Operate, "get", "/readyz"),
    (Listener::Operate, "get", "/metrics"),
];

/// Who a path is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listener {
    /// Senders.
    Collect,
    /// Operators and Prometheus.
    Operate,
}

/// What senders reach. Sources are found by their exact path, so that a reload can add and remove them.
pub fn collect_router(state: Arc<Collect>, operations: Arc<Operations>) -> Router {
    let sources =
        Router::new().route("/v1/segment/{source}", any(collect)).fallback(collect).with_state(state);
    probes(operations).merge(sources).layer(CatchPanicLayer::custom(panicked))
}

/// What operators and Prometheus reach.
pub fn operate_router(operations: Arc<Operations>) -> Router {
    let scrape = Router::new().route("/metrics", get(metrics)).with_state(Arc::clone(&operations));
    probes(operations).merge(scrape).layer(CatchPanicLayer::custom(panicked))
}

fn probes(operations: Arc<Operations>) -> Router {
    Router::new().route("/livez", get(live)).route("/readyz", get(ready)).with_state(operations)
}

/// A handler's panic is ours: the sender comes again. What it said may hold data, so only its place is logged, by the
/// panic hook.
fn panicked(_: Box<dyn Any + Send>) -> Response<Body> {
    answer::broken()
}
