//! `tidegate events`: stored events, newest first.

use clap::Args;

use super::{
    client::{AskError, Asking, Session, list},
    exit::Exit,
    moment,
    output::{Column, Show},
};

const COLUMNS: &[Column] = &[
    Column::new("received", "/received_at", Show::Time),
    Column::new("source", "/source", Show::Text),
    Column::new("action", "/action", Show::Text),
    Column::new("type", "/event_type", Show::Text),
    Column::new("user", "/user_id", Show::Text),
    Column::new("key", "/dedup_key", Show::Text),
    Column::new("id", "/event_id", Show::Whole),
];

#[derive(Args)]
pub(super) struct Events {
    #[command(flatten)]
    pub(super) asking: Asking,
    /// Of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Of this event type
    #[arg(long = "type", value_name = "TYPE")]
    event_type: Option<String>,
    /// Of this action
    #[arg(long)]
    action: Option<String>,
    /// Of the user with this id
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// With this dedup key
    #[arg(long)]
    key: Option<String>,
    #[command(flatten)]
    range: Range,
    /// The most that is shown
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
}

/// When something was received.
#[derive(Args, Clone)]
pub(super) struct Range {
    /// Received at this time or later: RFC 3339, or an age such as 15m, 24h or 7d
    #[arg(long, value_name = moment::FORM, value_parser = moment::parse)]
    pub(super) from: Option<String>,
    /// Received before this time
    #[arg(long, value_name = moment::FORM, value_parser = moment::parse)]
    pub(super) to: Option<String>,
}

pub(super) async fn run(session: &mut Session, events: Events) -> Result<Exit, AskError> {
    let query = [
        ("source", events.source),
        ("type", events.event_type),
        ("action", events.action),
        ("user", events.user),
        ("key", events.key),
        ("from", events.range.from),
        ("to", events.range.to),
    ];
    let limit = usize::try_from(events.limit).unwrap_or(usize::MAX);
    list(session, "/events", &query, limit, COLUMNS).await?;
    Ok(Exit::Done)
}
