//! `tidegate lanes`: pausing and resuming what moves records to a sink.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::{
    client::{AskError, Asking, Session},
    exit::Exit,
    output::Table,
    status,
};

#[derive(Args)]
pub(super) struct Lanes {
    #[command(flatten)]
    pub(super) asking: Asking,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Stop writing to a sink, until resume or a restart; what arrives meanwhile waits in the spool
    Pause(Sink),
    /// Write again, at once: also ends the waiting after a failure
    Resume(Sink),
}

#[derive(Args)]
struct Sink {
    /// The sink's name, such as storage
    #[arg(value_parser = sink)]
    sink: String,
}

/// A plain name: nothing else gets into the path.
pub(super) fn sink(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if !text.is_empty() && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("must be the name of a sink, such as storage".into())
    }
}

pub(super) async fn run(session: &mut Session, lanes: Lanes) -> Result<Exit, AskError> {
    let (sink, what) = match lanes.command {
        Command::Pause(Sink { sink }) => (sink, "pause"),
        Command::Resume(Sink { sink }) => (sink, "resume"),
    };
    let answer = session.admin.post(&format!("/lanes/{sink}/{what}"), &json!({})).await?;
    if session.out.is_json() {
        session.out.json(&String::from_utf8_lossy(&answer))?;
        return Ok(Exit::Done);
    }
    let lane: Value = session.admin.read(&answer)?;
    let mut table = Table::new(status::LANES);
    table.add(&lane);
    session.out.table(&table)?;
    Ok(Exit::Done)
}
