//! `tidegate tail`: what arrives, as it arrives.

use std::io;

use clap::Args;
use hyper::{HeaderMap, header::HeaderName};
use serde_json::Value;

use super::{
    client::{AskError, Asking, Notice, Notices, Session},
    exit::Exit,
    output::{Output, member, notice, time},
};

#[derive(Args)]
pub(super) struct Tail {
    #[command(flatten)]
    pub(super) asking: Asking,
    /// Of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Of this event type
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Only what was committed, or only what was refused
    #[arg(long, value_parser = ["committed", "refused"])]
    outcome: Option<String>,
    /// Refused by this rule
    #[arg(long)]
    rule: Option<String>,
    /// Begin behind this sequence of the spool, if it is still there, instead of now
    #[arg(long, value_name = "SEQUENCE")]
    after: Option<u64>,
    /// End after so many
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

pub(super) async fn run(session: &mut Session, tail: Tail) -> Result<Exit, AskError> {
    let Session { admin, out } = session;
    let query =
        [("source", tail.source), ("type", tail.event_type), ("outcome", tail.outcome), ("rule", tail.rule)];
    let mut headers = HeaderMap::new();
    if let Some(after) = tail.after {
        headers.insert(HeaderName::from_static("last-event-id"), after.into());
    }
    let body = admin.stream("/tail", &query, headers).await?;
    let mut notices = Notices::new(admin, body);
    let mut shown = 0;
    while tail.limit.is_none_or(|limit| shown < limit) {
        match notices.next().await? {
            None => return Err(AskError::BadEnd { address: admin.address().to_owned() }),
            Some(Notice { event, data }) => match event.as_str() {
                "end" => {
                    notice("the server is stopping");
                    break;
                }
                "dropped" => {
                    let dropped: Value = serde_json::from_str(&data).unwrap_or_default();
                    notice(&format!("{} records went by unseen", member(&dropped, "/records")));
                }
                "event" | "refusal" => {
                    show(out, &event, &data)?;
                    shown += 1;
                }
                // A later version may have more to tell.
                _ => {}
            },
        }
    }
    Ok(Exit::Done)
}

/// One line, which is seen at once.
fn show(out: &mut Output, event: &str, data: &str) -> io::Result<()> {
    if out.is_json() {
        out.json(data)?;
        return out.flush();
    }
    let item: Value = serde_json::from_str(data).unwrap_or_default();
    let of = |pointer| member(&item, pointer);
    let (received, source) = (time(&of("/received_at")), of("/source"));
    let line = if event == "event" {
        let (action, event_type, user) = (of("/action"), of("/event_type"), of("/user_id"));
        format!("{received}  {source}  committed  {action}  {event_type}  {user}  {}", of("/event_id"))
    } else {
        format!("{received}  {source}  refused    {}  {}  {}", of("/rule"), of("/pointer"), of("/refusal_id"))
    };
    out.line(&line)?;
    out.flush()
}
