//! `tidegate check`: is this a settings file that a server would start with?

use std::{path::PathBuf, process::ExitCode};

use super::exit::{Exit, fail, say};
use crate::{clock::Clock, config::Origin};

pub(super) fn check(config: Option<PathBuf>) -> ExitCode {
    let origin = Origin::of_process(config);
    // Checks what `serve` would start with, down to making the secrets of the embedded default.
    let name = origin.file.as_ref().map_or("embedded default".into(), |file| file.display().to_string());
    match origin.load(Clock::default().now()) {
        Ok(config) => {
            let warnings: Vec<String> =
                config.warnings.iter().map(|warning| format!("warning: {warning}\n")).collect();
            say(&format!(
                "{}{}: no mistakes; {} sources served, version {}\n",
                warnings.concat(),
                name,
                config.sources.len(),
                config.version,
            ));
            Exit::Done.into()
        }
        Err(mistakes) => {
            let count = mistakes.0.len();
            let noun = if count == 1 { "mistake" } else { "mistakes" };
            fail(Exit::Settings, &format!("{count} {noun}\n{mistakes}"))
        }
    }
}
