//! `tidegate serve`: the server.

use std::{path::PathBuf, process::ExitCode};

use super::{
    banner,
    exit::{Exit, chain, fail, say},
};
use crate::{
    app::run::{End, StartError, run},
    clock::Clock,
    config::Origin,
    spool::OpenError,
    telemetry::exporter,
};

pub(super) fn serve(config: Option<PathBuf>) -> ExitCode {
    let origin = Origin::of_process(config);
    let mut config = match origin.load(Clock::default().now()) {
        Ok(config) => config,
        Err(mistakes) => return fail(Exit::Settings, &format!("the settings cannot be used\n{mistakes}")),
    };
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    if let Err(error) = config.ensure_operator_token() {
        return fail(Exit::Disk, &format!("the operator token cannot be kept: {}", chain(&error)));
    }
    let exporter = match exporter::install() {
        Ok(exporter) => exporter,
        Err(error) => return fail(Exit::Failed, &chain(&error)),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(Exit::Failed, &chain(&error)),
    };
    let embedded = origin.file.is_none();
    let started = |config: &_| say(&banner::text(config, embedded));
    let end = runtime.block_on(run(config, origin, Some(exporter), started));
    // Whatever still runs is abandoned, which is safe by construction.
    runtime.shutdown_background();
    match end {
        Ok(End::Stopped) => Exit::Done.into(),
        Ok(End::Overrun | End::Broken) => Exit::Failed.into(),
        Ok(End::Hurried) => Exit::Hurried.into(),
        Ok(End::Poisoned) => Exit::Disk.into(),
        Err(error) => {
            let exit = match &error {
                StartError::Disk { .. } | StartError::Spool(OpenError::Io { .. }) => Exit::Disk,
                _ => Exit::Failed,
            };
            fail(exit, &chain(&error))
        }
    }
}
