//! The command line: a file per command. Data goes to standard output; logs, progress and errors to standard error.

mod ask;
mod audit;
mod banner;
mod check;
mod client;
mod completions;
mod dead_letters;
mod events;
mod exit;
mod explain;
mod healthcheck;
mod lanes;
mod moment;
mod output;
mod prune;
mod receipt;
mod refusals;
mod reload;
mod secrets;
mod send;
mod serve;
mod settings;
mod spool;
mod status;
mod tail;
mod users;

use std::{path::PathBuf, process::ExitCode};

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;

use self::exit::Exit;
use crate::telemetry::logs::{self, LogFormat};

const AFTER_HELP: &str = "\
Examples:
  tidegate                                 serve with the embedded default: SQLite, generated secrets
  tidegate serve --config tidegate.toml    serve with settings of your own
  tidegate check --config tidegate.toml    find every mistake in them, without starting
  tidegate send segment                    send made-up events to a source
  tidegate status                          how the spool, the lanes and the sources are doing
  tidegate refusals summary --from 24h     what was refused since yesterday, and why

Exit codes: 0 done, 1 failed, not found or not so, 2 usage, 65 bad input, 69 server or database unavailable, 74 disk failed,
77 token or key refused, 78 settings, 130 stopped in a hurry.";

/// Collects events that other systems push over HTTP and gets each of them into storage exactly once.
#[derive(Parser)]
#[command(version, after_help = AFTER_HELP, disable_help_subcommand = true)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Args)]
#[command(next_help_heading = "Options for all commands")]
struct Common {
    /// Settings file; without one, ./tidegate.toml if there is one, else the embedded default
    #[arg(long, global = true, value_name = "FILE", env = "TIDEGATE_CONFIG")]
    config: Option<PathBuf>,
    /// What to log, in the syntax of RUST_LOG
    #[arg(long, global = true, value_name = "FILTER", env = "TIDEGATE_LOG")]
    log: Option<String>,
    /// How to log
    #[arg(long, global = true, value_enum, default_value_t, env = "TIDEGATE_LOG_FORMAT")]
    log_format: LogFormat,
}

#[derive(Subcommand)]
enum Command {
    /// Take deliveries until stopped (the default)
    Serve,
    /// Check the settings and report every mistake with its line
    Check,
    /// The directory of users that sources with `users = "directory"` look users up in
    #[command(subcommand)]
    Users(users::Users),
    /// Ask a running server whether it is ready: exit code 0 or 1, for container health checks
    Healthcheck,
    #[command(flatten)]
    Ask(ask::Ask),
    /// Play a sender: made-up events, or those of a file
    Send(send::Send),
    /// Make secrets
    #[command(subcommand)]
    Secrets(secrets::Secrets),
    /// Look into the spool of a stopped server, changing nothing
    #[command(subcommand)]
    Spool(spool::Spool),
    /// Print what lets a shell complete this command line
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    let Cli { common, command } = Cli::parse();
    if let Err(error) = logs::init(common.log_format, common.log.as_deref()) {
        return exit::fail(Exit::Usage, &format!("the log filter cannot be used: {error}"));
    }
    log_panics();
    let config = common.config;
    match command.unwrap_or(Command::Serve) {
        Command::Serve => serve::serve(config),
        Command::Check => check::check(config),
        Command::Users(users) => users::run(users, config),
        Command::Healthcheck => healthcheck::healthcheck(config),
        Command::Ask(question) => ask::run(question, config),
        Command::Send(send) => send::run(&send, config),
        Command::Secrets(secrets) => secrets::run(secrets),
        Command::Spool(spool) => spool::run(spool),
        Command::Completions { shell } => completions::run(shell),
    }
}

/// A panic is logged by its place only: its message may repeat what a sender sent.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(place, "panicked");
    }));
}
