//! The commands that ask a running server over its admin API.

use std::{path::PathBuf, process::ExitCode};

use clap::Subcommand;

use super::{
    audit, client::Asking, dead_letters, events, explain, lanes, prune, receipt, refusals, reload, status,
    tail,
};

#[derive(Subcommand)]
pub(super) enum Ask {
    /// How the spool, the lanes and the sources are doing
    Status(Asking),
    /// Stored events, newest first
    Events(events::Events),
    /// What became of a delivery, or of one element of it
    Receipt(receipt::Receipt),
    /// What was refused, and getting it back
    Refusals(refusals::Refusals),
    /// What the database refused for good, and giving it to it again
    DeadLetters(dead_letters::DeadLetters),
    /// Watch what arrives
    Tail(tail::Tail),
    /// What each rule says about an event, with nothing stored; exit code 1 if it would be refused
    Explain(explain::Explain),
    /// Pause and resume writing to a sink
    Lanes(lanes::Lanes),
    /// Let the server read its settings again
    Reload(Asking),
    /// Does everything that was received add up? Exit code 0 or 1
    Audit(Asking),
    /// Delete stored rows by age, or those of one user
    ///
    /// The spool and the dead letters are not searched. What takes too long is given up with exit code 69; what was
    /// deleted until then stays deleted: ask again.
    Prune(prune::Prune),
}

pub(super) fn run(ask: Ask, config: Option<PathBuf>) -> ExitCode {
    match ask {
        Ask::Status(asking) => asking.run(config, status::run),
        Ask::Reload(asking) => asking.run(config, reload::run),
        Ask::Audit(asking) => asking.run(config, audit::run),
        Ask::Events(asked) => {
            asked.asking.clone().run(config, async |session| events::run(session, asked).await)
        }
        Ask::Receipt(asked) => {
            asked.asking.clone().run(config, async |session| receipt::run(session, asked).await)
        }
        Ask::Refusals(asked) => {
            asked.asking.clone().run(config, async |session| refusals::run(session, asked).await)
        }
        Ask::DeadLetters(asked) => {
            asked.asking.clone().run(config, async |session| dead_letters::run(session, asked).await)
        }
        Ask::Tail(asked) => asked.asking.clone().run(config, async |session| tail::run(session, asked).await),
        Ask::Explain(asked) => {
            asked.asking.clone().run(config, async |session| explain::run(session, asked).await)
        }
        Ask::Lanes(asked) => {
            asked.asking.clone().run(config, async |session| lanes::run(session, asked).await)
        }
        Ask::Prune(asked) => {
            asked.asking.clone().run(config, async |session| prune::run(session, asked).await)
        }
    }
}
