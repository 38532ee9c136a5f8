//! The tail, as server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::HeaderMap,
    response::{
        IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;

use super::{Admin, access::Admission, parameters::Parameters, problem::Problem};
use crate::operate::tail::{Notice, TailFilter, TailOutcome};

/// How often a quiet stream says that it is alive. The second time that a reader who has left is told so, its place is
/// free again.
const KEEP_ALIVE: Duration = Duration::from_secs(2);

/// Where a reader that was cut off had come to.
const LAST_EVENT_ID: &str = "last-event-id";

/// Records as they become durable.
pub(super) async fn tail(
    State(admin): State<Arc<Admin>>,
    Extension(admission): Extension<Admission>,
    headers: HeaderMap,
    mut asked: Parameters,
) -> Result<impl IntoResponse, Problem> {
    let filter = TailFilter {
        source: asked.text("source"),
        event_type: asked.text("type"),
        outcome: asked.parsed("outcome", "committed or refused", |text| match text {
            "committed" => Some(TailOutcome::Committed),
            "refused" => Some(TailOutcome::Refused),
            _ => None,
        })?,
        rule: asked.text("rule"),
    };
    asked.finish()?;
    let last: Option<u64> = match headers.get(LAST_EVENT_ID) {
        None => None,
        Some(last) => {
            let last = last.to_str().ok().and_then(|last| last.parse().ok());
            Some(last.ok_or_else(|| Problem::invalid("`Last-Event-ID` must be the id of an event"))?)
        }
    };
    let from = last.map(|last| last.saturating_add(1));
    let follower =
        admin.tail.follow(filter, from).map_err(|error| Problem::unavailable(error.to_string()))?;
    let notices = stream::unfold((follower, admission), async |(mut follower, admission)| {
        let notice = tokio::select! {
            // Who may no longer see what comes is cut off in the midst of it.
            biased;
            () = admission.ended() => None,
            notice = follower.next() => notice,
        };
        notice.map(|notice| (Ok::<_, Infallible>(event(notice)), (follower, admission)))
    });
    Ok(Sse::new(notices).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)))
}

fn event(notice: Notice) -> Event {
    match notice {
        Notice::Record { sequence, name, json } => {
            Event::default().id(sequence.to_string()).event(name).data(json)
        }
        Notice::Dropped { records } => {
            Event::default().event("dropped").data(format!("{{\"records\":{records}}}"))
        }
        Notice::End => Event::default().event("end").data("{}"),
    }
}
