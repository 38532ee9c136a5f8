//! `tidegate users import`: loads the users directory into the database, from where running servers pick it up.

use std::{fs::File, path::PathBuf, process::ExitCode};

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressStyle};

use super::exit::{Exit, chain, fail, say};
use crate::{
    clock::Clock,
    config::Origin,
    database::{Database, Fault},
    store::users::{ImportError, import},
};

#[derive(Subcommand)]
pub(super) enum Users {
    /// Add and rename users from a CSV file with the header `id,username`; running servers see them within a second
    Import {
        /// The CSV file
        file: PathBuf,
    },
}

pub(super) fn run(command: Users, config: Option<PathBuf>) -> ExitCode {
    let Users::Import { file } = command;
    let config = match Origin::of_process(config).load(Clock::default().now()) {
        Ok(config) => config,
        Err(mistakes) => return fail(Exit::Settings, &format!("the settings cannot be used\n{mistakes}")),
    };
    let input = match File::open(&file) {
        Ok(input) => input,
        Err(error) => return fail(Exit::BadInput, &format!("{}: {error}", file.display())),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(Exit::Failed, &chain(&error)),
    };
    // Shows itself on a terminal only.
    let bar = ProgressBar::new_spinner().with_style(style());
    let database = Database::new(&config.storage);
    let imported = runtime.block_on(async {
        let imported = import(&database, input, &mut |rows| bar.set_position(rows)).await;
        database.close().await;
        imported
    });
    bar.finish_and_clear();
    match imported {
        Ok(summary) => {
            let (added, updated, unchanged) = (summary.added, summary.updated, summary.unchanged);
            say(&format!("{added} added, {updated} updated, {unchanged} unchanged\n"));
            Exit::Done.into()
        }
        Err(error) => {
            let exit = match &error {
                ImportError::Database(error)
                    if matches!(error.fault, Fault::Transient | Fault::Interrupted) =>
                {
                    Exit::Unavailable
                }
                ImportError::Database(_) => Exit::Failed,
                _ => Exit::BadInput,
            };
            fail(exit, &format!("{}: nothing imported: {}", file.display(), chain(&error)))
        }
    }
}

fn style() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {human_pos} rows ({per_sec})")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
}
