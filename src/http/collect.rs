//! Taking deliveries: from a request's head to the answer, with nothing of the query kept on the way.
//!
//! The order is the contract's: path, method, network, key; only then is the body read.

use std::{panic::AssertUnwindSafe, sync::Arc, time::Instant};

use axum::{
    body::Body,
    extract::State,
    http::{
        HeaderName, HeaderValue, Request, Response, StatusCode,
        header::{CONTENT_TYPE, HOST},
        request::Parts,
    },
};
use futures_util::FutureExt as _;
use metrics::Counter;
use tokio::sync::Semaphore;

use super::{
    answer::{self, Rejection},
    body::{self, BodyLimits, MemoryBudget},
    decode::decode,
    server::Peer,
};
use crate::{
    clock::Clock,
    ingest::{
        accept::Ingest,
        registry::{Door, Doors, Registry},
    },
    sources::{
        Kind,
        delivery::{AuthenticDelivery, RawDelivery},
        segment,
    },
};

static SIGNATURE: HeaderName = HeaderName::from_static("x-signature");
static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");

/// The methods that sources accept, as the header `Allow` lists them.
const SEGMENT_METHODS: &str = "POST, PUT, PATCH";
const BOF_METHODS: &str = "POST, PUT";

/// A request id longer than this is not repeated.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// What taking deliveries needs.
pub struct Collect {
    /// The sources.
    pub registry: Arc<Registry>,
    /// Where deliveries go.
    pub ingest: Arc<Ingest>,
    /// Memory for bodies.
    pub budget: MemoryBudget,
    /// Patience with bodies; their size is each source's own limit.
    pub body: BodyLimits,
    /// Our clock.
    pub clock: Clock,
    /// One permit for each delivery that may keep a thread of its own busy.
    pub threads: Arc<Semaphore>,
    /// Counts requests that name no source.
    pub unrouted: Counter,
}

/// Answers a request to any path that may be a source's.
pub async fn collect(State(collect): State<Arc<Collect>>, request: Request<Body>) -> Response<Body> {
    let started = Instant::now();
    let (head, body) = request.into_parts();
    let mut response = collect.answer(&head, body, started).await;
    if let Some(id) = head.headers.get(&REQUEST_ID).filter(|id| is_plain(id)) {
        response.headers_mut().insert(REQUEST_ID.clone(), id.clone());
    }
    response
}

impl Collect {
    async fn answer(&self, head: &Parts, body: Body, started: Instant) -> Response<Body> {
        let doors = self.registry.doors();
        let Some((door, data_center)) = doors.find_with_data_center(head.uri.path()) else {
            self.unrouted.increment(1);
            return answer::rejected(Rejection::NotFound);
        };
        let response = match self.authenticate(door, head) {
            Ok(delivery) => match &door.source.kind {
                Kind::Segment(settings) => self.take((&doors, door), settings, delivery, head, body).await,
                Kind::Bof(settings) => {
                    let data_center = data_center.map(str::to_owned);
                    self.take_stream((&doors, door), settings, (delivery, data_center), head, body).await
                }
            },
            Err(rejection) => answer::rejected(rejection),
        };
        door.answered(response.status().as_u16(), started);
        log(door, head, response.status(), started);
        response
    }

    fn authenticate(&self, door: &Arc<Door>, head: &Parts) -> Result<AuthenticDelivery, Rejection> {
        let allowed = match door.source.kind {
            Kind::Segment(_) => SEGMENT_METHODS,
            Kind::Bof(_) => BOF_METHODS,
        };
        if !allowed.split(", ").any(|method| head.method == method) {
            return Err(Rejection::Method { allowed });
        }
        let networks = &door.source.allowed_networks;
        if !networks.is_empty() {
            let peer = head.extensions.get::<Peer>().map(|Peer(address)| address.ip().to_canonical());
            if !peer.is_some_and(|peer| networks.iter().any(|network| network.contains(&peer))) {
                return Err(Rejection::Network);
            }
        }
        let header = |name| head.headers.get(name).map(|value: &HeaderValue| value.as_bytes().to_vec());
        let raw = RawDelivery {
            source: Arc::clone(&door.source),
            method: head.method.as_str().to_owned(),
            path: head.uri.path().to_owned(),
            host: host_without_port(head),
            content_type: header(CONTENT_TYPE)
                .map(|value| String::from_utf8_lossy(&value).into_owned())
                .unwrap_or_default(),
            signature: header(SIGNATURE.clone()),
            received_at: self.clock.now(),
        };
        let delivery = raw.authenticate(head.uri.query()).map_err(|_| Rejection::Key)?;
        door.key_used(delivery.key_index(), delivery.head().received_at);
        Ok(delivery)
    }

    /// Takes a delivery of a source of kind `segment`, which is held whole.
    async fn take(
        &self,
        (doors, door): (&Doors, &Arc<Door>),
        settings: &Arc<segment::Settings>,
        delivery: AuthenticDelivery,
        head: &Parts,
        body: Body,
    ) -> Response<Body> {
        if let Err(trouble) = self.ingest.admit(door) {
            return answer::unavailable(trouble);
        }
        let limits = BodyLimits { bytes: door.source.limits.body_bytes, ..self.body };
        let (wire, mut memory) = match body::read(body, &limits, &self.budget).await {
            Ok(read) => read,
            Err(error) => return answer::unread(error),
        };
        let body = match decode(head, wire, door.source.limits.decoded_bytes, &mut memory).await {
            Ok(body) => body,
            Err(undecoded) => return answer::undecoded(undecoded),
        };
        let accepting = self.ingest.accept(door, settings, delivery, &doors.config_version, body);
        let accepted = AssertUnwindSafe(accepting).catch_unwind().await;
        drop(memory);
        match accepted {
            Ok(Ok(answer)) => answer::taken(&answer),
            Ok(Err(turned)) => answer::turned(turned),
            // Its place is in the log already; what it said may repeat what was sent.
            Err(_panic) => {
                tracing::error!(source = %door.source.name, "taking a delivery failed");
                answer::broken()
            }
        }
    }
}

fn host_without_port(head: &Parts) -> String {
    let host = head.headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let end = match host.rfind(':') {
        // The colons of an IPv6 address stand inside brackets.
        Some(colon) if host.rfind(']').is_none_or(|bracket| bracket < colon) => colon,
        _ => host.len(),
    };
    host.get(..end).unwrap_or_default().to_owned()
}

fn is_plain(id: &HeaderValue) -> bool {
    id.len() <= REQUEST_ID_BYTES_MAX && id.as_bytes().iter().all(u8::is_ascii_graphic)
}

/// One line a request, for whoever turns it on. The source's name stands for the path; the query is never there.
fn log(door: &Door, head: &Parts, status: StatusCode, started: Instant) {
    tracing::debug!(
        source = %door.source.name,
        method = %head.method,
        status = status.as_u16(),
        duration_ms = started.elapsed().as_secs_f64() * 1e3,
        request_id = head.headers.get(&REQUEST_ID).filter(|id| is_plain(id)).and_then(|id| id.to_str().ok()),
        traceparent = head.headers.get(&TRACE_PARENT).filter(|id| is_plain(id)).and_then(|id| id.to_str().ok()),
        "delivery answered"
    );
}
