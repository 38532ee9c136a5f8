//! `tidegate prune`: deletes stored rows by age, or those of one user.

use clap::{Args, ValueEnum};
use serde::Deserialize;
use serde_json::json;

use super::{
    client::{AskError, Asking, Session},
    exit::Exit,
    moment,
    output::count,
};

#[derive(Args)]
pub(super) struct Prune {
    #[command(flatten)]
    pub(super) asking: Asking,
    /// What was received before this time: RFC 3339, or an age such as 90d
    #[arg(long, value_name = moment::FORM, value_parser = moment::parse)]
    before: String,
    /// Only what is about this user: events with this user id or anonymous id, and refusals whose body has it as a whole
    /// string or number
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Only rows of this table
    #[arg(long, value_enum)]
    only: Option<Rows>,
    /// Only say how many rows it would be
    #[arg(long)]
    dry_run: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Rows {
    Events,
    Refusals,
}

#[derive(Deserialize)]
struct Pruned {
    events: u64,
    refusals: u64,
}

pub(super) async fn run(session: &mut Session, prune: Prune) -> Result<Exit, AskError> {
    let is_wanted = |rows| prune.only.is_none_or(|only| only == rows);
    let body = json!({
        "before": prune.before,
        "user": prune.user,
        "events": is_wanted(Rows::Events),
        "refusals": is_wanted(Rows::Refusals),
        "dry_run": prune.dry_run,
    });
    let answer = session.admin.post("/prune", &body).await?;
    if session.out.is_json() {
        session.out.json(&String::from_utf8_lossy(&answer))?;
        return Ok(Exit::Done);
    }
    let Pruned { events, refusals } = session.admin.read(&answer)?;
    let would = if prune.dry_run { "would be " } else { "" };
    session.out.line(&format!("{} events and {} refusals {would}deleted", count(events), count(refusals)))?;
    Ok(Exit::Done)
}
