//! The admin API: what `operate` can do, put into HTTP for operators, their programs and the page.
//!
//! `access` decides who may, `session` signs a browser in, `parameters` and `request` read what is asked, `problem` says
//! what does not work; each of the others is one theme of [`routes`]. Nothing is decided here.

pub mod access;

mod dead_letters;
mod explain;
mod lanes;
mod parameters;
mod problem;
mod reading;
mod refusals;
mod request;
mod session;
mod tail;
mod upkeep;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, Response, header::CACHE_CONTROL},
    middleware::{self, Next},
    response::{IntoResponse as _, Json},
    routing::{get, post},
};
use metrics::Counter;
use serde::Serialize;
use tokio::sync::Semaphore;
use uuid::Uuid;

use self::{access::Access, problem::Problem};
use super::body::{BodyLimits, MemoryBudget};
use crate::{
    database::Database,
    drain::lane_handle::LaneHandle,
    ingest::{accept::Ingest, registry::Registry},
    operate::{audit::Auditor, reload::Reload, replay::Replay, status::StatusReport, tail::Tail},
    spool::Spool,
    store::page::Page,
};

/// What the admin API needs.
pub struct Admin {
    /// Who may.
    pub access: Arc<Access>,
    /// The sources.
    pub registry: Arc<Registry>,
    /// What judges deliveries.
    pub ingest: Arc<Ingest>,
    /// The database.
    pub database: Database,
    /// The spool.
    pub spool: Spool,
    /// The lanes.
    pub lanes: Vec<LaneHandle>,
    /// What the server is doing.
    pub status: StatusReport,
    /// Refusals' second chance.
    pub replay: Replay,
    /// Sums.
    pub auditor: Auditor,
    /// What becomes durable.
    pub tail: Tail,
    /// The settings.
    pub reload: Arc<dyn Reload>,
    /// A permit for whoever is being explained.
    pub explaining: Semaphore,
    /// Memory for bodies; not that of deliveries, so that neither side can use up the other's.
    pub budget: MemoryBudget,
    /// Patience with bodies.
    pub body: BodyLimits,
    /// Counts requests without a live token or session.
    pub turned_away: Counter,
}

/// Everything under `/admin/v1`.
pub fn routes(admin: Arc<Admin>) -> Router {
    let guarded = Router::new()
        .route("/status", get(reading::status))
        .route("/events", get(reading::events))
        .route("/receipts/{id}", get(reading::receipt))
        .route("/receipts/{id}/{element}", get(reading::receipt_element))
        .route("/audit", get(reading::audit))
        .route("/refusals", get(refusals::list))
        .route("/refusals/summary", get(refusals::summary))
        .route("/refusals/{id}", get(refusals::show))
        .route("/refusals/replay", post(refusals::replay))
        .route("/refusals/discard", post(refusals::discard))
        .route("/dead-letters", get(dead_letters::list))
        .route("/dead-letters/{sink}/{id}", get(dead_letters::show))
        .route("/dead-letters/requeue", post(dead_letters::requeue))
        .route("/dead-letters/discard", post(dead_letters::discard))
        .route("/lanes/{sink}/pause", post(lanes::pause))
        .route("/lanes/{sink}/resume", post(lanes::resume))
        .route("/tail", get(tail::tail))
        .route("/explain", post(explain::explain))
        .route("/reload", post(upkeep::reload))
        .route("/prune", post(upkeep::prune))
        .fallback(async || Problem::not_found("the admin API has no such path"))
        .method_not_allowed_fallback(async || Problem::method_not_allowed())
        .layer(middleware::from_fn_with_state(Arc::clone(&admin), guard));
    let session = Router::new()
        .route("/session", post(session::sign_in).delete(session::sign_out))
        .method_not_allowed_fallback(async || Problem::method_not_allowed());
    let api = session.merge(guarded).layer(middleware::map_response(uncached)).with_state(admin);
    Router::new().nest("/admin/v1", api)
}

/// What the operate listener answers on a path that it does not have.
pub async fn nowhere() -> Response<Body> {
    Problem::not_found("there is no such path on this listener").into_response()
}

/// What it answers after a panic; the details are in the log.
pub fn broken() -> Response<Body> {
    Problem::unavailable("internal trouble").into_response()
}

/// Lets operators pass, with the proof that they were let in.
async fn guard(State(admin): State<Arc<Admin>>, mut request: Request, next: Next) -> Response<Body> {
    match admin.access.admit(request.method(), request.headers()) {
        Ok(admission) => {
            request.extensions_mut().insert(admission);
            next.run(request).await
        }
        Err(problem) => {
            admin.turned_away.increment(1);
            problem.into_response()
        }
    }
}

/// What operators are told belongs in no cache.
async fn uncached(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// One page of a list.
#[derive(Serialize)]
struct Listed<T> {
    items: Vec<T>,
    next: Option<Uuid>,
}

impl<T> From<Page<T>> for Json<Listed<T>> {
    fn from(Page { items, next }: Page<T>) -> Self {
        Self(Listed { items, next })
    }
}
