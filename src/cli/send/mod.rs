//! `tidegate send`: plays a sender. `target` says where to and what opens it, `sample` and `file` what is sent,
//! `delivery` how it is packed, `load` sends it, and `summary` tells how it went.
//!
//! Nothing is sent twice: an answer that is no success is counted and told.

mod delivery;
mod file;
mod load;
mod sample;
mod summary;
mod target;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, ValueEnum};

use self::{load::End, summary::Summary, target::Target};
use super::{
    client::AskError,
    exit::{Exit, chain, fail},
    output::Output,
};

#[derive(Args)]
pub(super) struct Send {
    /// A source of the settings, whose address and secrets are taken from there
    #[arg(required_unless_present = "url")]
    source: Option<String>,
    /// Where to send instead, such as https://events.example/v1/segment/web
    #[arg(long, value_name = "URL", conflicts_with = "source", requires = "kind")]
    url: Option<String>,
    /// What is sent there
    #[arg(long, value_enum, conflicts_with = "source")]
    kind: Option<Kind>,
    /// File that holds the key; without it, the variable TIDEGATE_KEY, else the settings
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// File that holds the secret to sign with; without it, the settings
    #[arg(long, value_name = "FILE")]
    signing_secret_file: Option<PathBuf>,
    /// Send the JSON records of this file (an array, or one after the other; plain, gzip, zstd or lzop), - for standard
    /// input; without it, made-up ones
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// How many events; without it, 100, or the whole file
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// How many events in one delivery
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..))]
    batch: u16,
    /// The most events a second; without it, as fast as they are taken
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
    /// How many deliveries at once
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=1024))]
    concurrency: u16,
    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

/// What a source takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// Segment's webhooks
    Segment,
    /// MediaMath's bid opportunities
    Bof,
}

pub(super) fn run(send: &Send, config: Option<PathBuf>) -> ExitCode {
    let ended = Target::find(send, config).and_then(|target| load::run(send, target));
    let (summary, end) = match ended {
        Ok(ended) => ended,
        Err(error) => return fail(error.exit(), &error.to_string()),
    };
    match told(&summary, send.json) {
        Err(error) if error.exit() != Exit::Done => return fail(error.exit(), &chain(&error)),
        _ => {}
    }
    match end {
        End::Input(error) => fail(error.exit(), &error.to_string()),
        End::KeyRefused => fail(Exit::TokenRefused, "the source refuses the key"),
        End::NobodyThere(error) => fail(Exit::Unavailable, &error.to_string()),
        End::Interrupted => Exit::Hurried.into(),
        End::Sent if summary.all_taken() => Exit::Done.into(),
        End::Sent => Exit::Failed.into(),
    }
}

fn told(summary: &Summary, json: bool) -> Result<(), AskError> {
    let mut out = Output::new(json);
    summary.tell(&mut out)?;
    Ok(out.flush()?)
}
