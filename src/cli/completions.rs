//! `tidegate completions`: what lets a shell complete this command line.

use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::{Shell, generate};

use super::{
    Cli,
    exit::{Exit, say},
};

pub(super) fn run(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    generate(shell, &mut Cli::command(), "tidegate", &mut script);
    say(&String::from_utf8_lossy(&script));
    Exit::Done.into()
}
