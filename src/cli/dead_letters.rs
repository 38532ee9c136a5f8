//! `tidegate dead-letters`: the records that a sink refused for good, and giving them to it again.

use std::{collections::BTreeSet, fmt};

use clap::{ArgGroup, Args, Subcommand};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    client::{AskError, Asking, Session, list},
    exit::Exit,
    output::{Column, Show, count, detail, members, notice},
};

const COLUMNS: &[Column] = &[
    Column::new("failed", "/failed_at", Show::Time),
    Column::new("sink", "/sink", Show::Text),
    Column::new("kind", "/kind", Show::Text),
    Column::new("source", "/source", Show::Text),
    Column::new("reason", "/reason", Show::Text),
    Column::new("code", "/code", Show::Text),
    Column::new("attempts", "/attempts", Show::Count),
    Column::new("bytes", "/bytes", Show::Bytes),
    Column::new("id", "/id", Show::Whole),
];

#[derive(Args)]
pub(super) struct DeadLetters {
    #[command(flatten)]
    pub(super) asking: Asking,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List dead letters, newest first
    List(List),
    /// Show one, with the database's own words and the record
    Show(One),
    /// Write them again to the sink that refused them
    Requeue(Which),
    /// Delete them for good
    Discard(Which),
}

#[derive(Args)]
struct List {
    /// Of this sink
    #[arg(long, value_name = "NAME")]
    sink: Option<String>,
    /// The most that is shown
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..))]
    limit: u64,
}

#[derive(Args)]
struct One {
    #[command(flatten)]
    sink: Sink,
    /// The letter's id
    #[arg(value_parser = id)]
    id: String,
}

#[derive(Args)]
#[command(group(ArgGroup::new("which").required(true).args(["ids", "all"])))]
struct Which {
    #[command(flatten)]
    sink: Sink,
    /// The letters' ids
    #[arg(value_name = "ID", value_parser = id)]
    ids: Vec<String>,
    /// All of the sink
    #[arg(long)]
    all: bool,
    /// Of all, those behind this one
    #[arg(skip)]
    after: Option<String>,
}

#[derive(Args)]
struct Sink {
    /// The sink that refused them
    #[arg(long, value_name = "NAME", default_value = "storage", value_parser = super::lanes::sink)]
    sink: String,
}

/// Twenty digits, a dash, hexadecimal digits: nothing else gets into the path.
fn id(text: &str) -> Result<String, String> {
    let plain = text.bytes().all(|byte| byte == b'-' || byte.is_ascii_hexdigit());
    if plain && !text.is_empty() {
        Ok(text.to_owned())
    } else {
        Err("must be the id of a dead letter".into())
    }
}

pub(super) async fn run(session: &mut Session, letters: DeadLetters) -> Result<Exit, AskError> {
    match letters.command {
        Command::List(List { sink, limit }) => {
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            list(session, "/dead-letters", &[("sink", sink)], limit, COLUMNS).await?;
            Ok(Exit::Done)
        }
        Command::Show(One { sink, id }) => show(session, &sink.sink, &id).await,
        Command::Requeue(which) => requeue(session, which).await,
        Command::Discard(which) => discard(session, &which).await,
    }
}

async fn show(session: &mut Session, sink: &str, id: &str) -> Result<Exit, AskError> {
    let answer = session.admin.get(&format!("/dead-letters/{sink}/{id}"), &[]).await?;
    let json = String::from_utf8_lossy(&answer);
    let out = &mut session.out;
    if out.is_json() {
        out.json(&json)?;
        return Ok(Exit::Done);
    }
    out.line(detail(&json, &["record", "payload_base64"]).trim_end())?;
    for (name, value) in members(&json) {
        if name == "record" && value.get() != "null" {
            out.line(&format!("\n{}", detail(value.get(), &[]).trim_end()))?;
        }
    }
    Ok(Exit::Done)
}

#[derive(Deserialize)]
struct Requeued {
    #[serde(rename = "requeued")]
    written: u64,
    failed: Vec<Failed>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Failed {
    id: String,
    why: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, why } = self;
        match why.as_str() {
            "missing" => write!(formatter, "{id} is no dead letter, or no longer one"),
            "stored_but_letter_stays" => {
                write!(formatter, "{id} was written, but its file could not be removed")
            }
            "disk" | "record_unreadable" => write!(formatter, "{id} cannot be read: {why}"),
            why if why.starts_with("letter_") => write!(formatter, "{id} cannot be read: {why}"),
            why => write!(formatter, "{id} was refused again: {why}"),
        }
    }
}

#[derive(Deserialize)]
struct Discarded {
    discarded: u64,
}

impl Which {
    fn body(&self) -> Value {
        match (self.all, &self.after) {
            (true, None) => json!({ "sink": self.sink.sink, "all": true }),
            (true, Some(after)) => json!({ "sink": self.sink.sink, "all": true, "after": after }),
            (false, _) => json!({ "sink": self.sink.sink, "ids": self.ids }),
        }
    }

    /// Leaves out what was tried, up to this letter.
    fn go_behind(&mut self, last: String) {
        let tried = self.ids.iter().position(|id| *id == last).map_or(self.ids.len(), |place| place + 1);
        self.ids.drain(..tried);
        self.after = Some(last);
    }
}

/// One call tries a part; this goes on behind it until all were tried once.
async fn requeue(session: &mut Session, mut which: Which) -> Result<Exit, AskError> {
    let (mut written, mut exit) = (0, Exit::Done);
    loop {
        let answer = session.admin.post("/dead-letters/requeue", &which.body()).await?;
        if session.out.is_json() {
            session.out.json(&String::from_utf8_lossy(&answer))?;
        }
        let part: Requeued = session.admin.read(&answer)?;
        written += part.written;
        for failed in &part.failed {
            notice(&failed.to_string());
            exit = Exit::Failed;
        }
        match part.next {
            Some(last) => which.go_behind(last),
            None => break,
        }
    }
    if !session.out.is_json() {
        session.out.line(&format!("{} written", count(written)))?;
    }
    Ok(exit)
}

async fn discard(session: &mut Session, which: &Which) -> Result<Exit, AskError> {
    let mut total = 0;
    loop {
        let answer = session.admin.post("/dead-letters/discard", &which.body()).await?;
        if session.out.is_json() {
            session.out.json(&String::from_utf8_lossy(&answer))?;
        }
        let Discarded { discarded } = session.admin.read(&answer)?;
        total += discarded;
        if !which.all || discarded == 0 {
            break;
        }
    }
    if !session.out.is_json() {
        session.out.line(&format!("{} deleted", count(total)))?;
    }
    let named = which.ids.iter().collect::<BTreeSet<_>>().len() as u64;
    if total < named {
        notice(&format!("{} of the ids are no dead letters, or no longer", count(named - total)));
        return Ok(Exit::Failed);
    }
    Ok(Exit::Done)
}
