//! `tidegate refusals`: what was refused, why, and getting it back once the rule is mended.

mod read;
mod settle;

use clap::{ArgGroup, Args, Subcommand};
use uuid::Uuid;

use super::{
    client::{AskError, Asking, Session},
    events::Range,
    exit::Exit,
};

#[derive(Args)]
pub(super) struct Refusals {
    #[command(flatten)]
    pub(super) asking: Asking,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List refusals, newest first
    List(List),
    /// Show one refusal, and what was refused
    Show(Show),
    /// Count refusals by source, rule and state
    Summary(Chosen),
    /// Put new refusals through the rules as they are now, and store what passes; repeating it does no harm
    Replay(Replay),
    /// Mark new refusals as discarded: they are kept, and no longer replayed
    Discard(Discard),
}

/// Which refusals.
#[derive(Args, Clone)]
struct Chosen {
    /// Of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Refused by this rule
    #[arg(long)]
    rule: Option<String>,
    /// In this state
    #[arg(long, value_parser = ["new", "replayed", "discarded"])]
    state: Option<String>,
    #[command(flatten)]
    range: Range,
}

#[derive(Args)]
struct List {
    #[command(flatten)]
    chosen: Chosen,
    /// The most that is shown
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
}

#[derive(Args)]
struct Show {
    /// The refusal's id
    id: Uuid,
    /// Print only what was refused, byte for byte
    #[arg(long, conflicts_with = "json")]
    body: bool,
}

/// Which new refusals are settled.
#[derive(Args)]
struct Unsettled {
    /// Of this source
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
    /// Refused by this rule
    #[arg(long)]
    rule: Option<String>,
    #[command(flatten)]
    range: Range,
    /// This one; may be given several times
    #[arg(long = "id", value_name = "ID")]
    ids: Vec<Uuid>,
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args)]
struct Replay {
    #[command(flatten)]
    which: Unsettled,
}

#[derive(Args)]
#[command(group(
    ArgGroup::new("some").required(true).multiple(true).args(["source", "rule", "from", "to", "ids", "all"])
))]
struct Discard {
    #[command(flatten)]
    which: Unsettled,
    /// All that are new
    #[arg(long, conflicts_with_all = ["source", "rule", "from", "to", "ids"])]
    all: bool,
}

pub(super) async fn run(session: &mut Session, refusals: Refusals) -> Result<Exit, AskError> {
    match refusals.command {
        Command::List(List { chosen, limit }) => read::list(session, chosen, limit).await,
        Command::Show(Show { id, body }) => read::show(session, id, body).await,
        Command::Summary(chosen) => read::summary(session, chosen).await,
        Command::Replay(Replay { which }) => settle::replay(session, which).await,
        Command::Discard(Discard { which, all }) => settle::discard(session, which, all).await,
    }
}
