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
    admin::{self, Admin},
    answer,
    collect::{Collect, collect},
    operations::{Operations, live, metrics, ready},
    page,
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
    (Listener::Operate, "get", "/"),
    (Listener::Operate, "get", "/assets/{file}"),
    (Listener::Operate, "get", "/docs"),
    (Listener::Operate, "get", "/openapi.yaml"),
    (Listener::Operate, "post", "/admin/v1/session"),
    (Listener::Operate, "delete", "/admin/v1/session"),
    (Listener::Operate, "get", "/admin/v1/status"),
    (Listener::Operate, "get", "/admin/v1/events"),
    (Listener::Operate, "get", "/admin/v1/receipts/{id}"),
    (Listener::Operate, "get", "/admin/v1/receipts/{id}/{element}"),
    (Listener::Operate, "get", "/admin/v1/audit"),
    (Listener::Operate, "get", "/admin/v1/refusals"),
    (Listener::Operate, "get", "/admin/v1/refusals/summary"),
    (Listener::Operate, "get", "/admin/v1/refusals/{id}"),
    (Listener::Operate, "post", "/admin/v1/refusals/replay"),
    (Listener::Operate, "post", "/admin/v1/refusals/discard"),
    (Listener::Operate, "get", "/admin/v1/dead-letters"),
    (Listener::Operate, "get", "/admin/v1/dead-letters/{sink}/{id}"),
    (Listener::Operate, "post", "/admin/v1/dead-letters/requeue"),
    (Listener::Operate, "post", "/admin/v1/dead-letters/discard"),
    (Listener::Operate, "post", "/admin/v1/lanes/{sink}/pause"),
    (Listener::Operate, "post", "/admin/v1/lanes/{sink}/resume"),
    (Listener::Operate, "get", "/admin/v1/tail"),
    (Listener::Operate, "post", "/admin/v1/explain"),
    (Listener::Operate, "post", "/admin/v1/reload"),
    (Listener::Operate, "post", "/admin/v1/prune"),
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
pub fn operate_router(operations: Arc<Operations>, admin: Arc<Admin>) -> Router {
    let scrape = Router::new().route("/metrics", get(metrics)).with_state(Arc::clone(&operations));
    probes(operations)
        .merge(scrape)
        .merge(page::routes())
        .merge(admin::routes(admin))
        .fallback(admin::nowhere)
        .layer(CatchPanicLayer::custom(|_| admin::broken()))
}

fn probes(operations: Arc<Operations>) -> Router {
    Router::new().route("/livez", get(live)).route("/readyz", get(ready)).with_state(operations)
}

/// A handler's panic is ours: the sender comes again. What it said may hold data, so only its place is logged, by the
/// panic hook.
fn panicked(_: Box<dyn Any + Send>) -> Response<Body> {
    answer::broken()
}
