//! `tidegate spool`: looking into the spool of a stopped server. Nothing in it is changed, whatever is found.

mod dump;
mod export;
mod records;
mod verify;

use std::{io, path::PathBuf, process::ExitCode, sync::Arc};

use clap::{Args, Subcommand};

use super::{
    exit::{Exit, chain, fail},
    output::Output,
};
use crate::{
    disk::RealDisk,
    spool::inspect::{InspectError, Inspection},
};

#[derive(Subcommand)]
pub(super) enum Spool {
    /// Read everything and report what is there and what is damaged; ends with 1 if anything is
    Verify(Place),
    /// List the records: what they are and where they lie
    Dump(Dump),
    /// Print the records as JSON, one a line: events as stored, refusals with what was refused
    Export(Export),
}

/// Where the spool is.
#[derive(Args)]
pub(super) struct Place {
    /// The data directory, or the spool itself
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    /// Print JSON, one object a line
    #[arg(long)]
    json: bool,
}

#[derive(Args)]
pub(super) struct Dump {
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    part: Part,
}

#[derive(Args)]
pub(super) struct Export {
    /// The data directory, or the spool itself
    #[arg(value_name = "DIR")]
    directory: PathBuf,
    #[command(flatten)]
    part: Part,
}

/// Which records.
#[derive(Args)]
struct Part {
    /// Begin with this sequence
    #[arg(long, value_name = "SEQUENCE", default_value_t = 0)]
    from: u64,
    /// The most that is shown
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
}

/// Why the spool could not be looked at.
#[derive(Debug, thiserror::Error)]
pub(super) enum LookError {
    /// It cannot be read.
    #[error(transparent)]
    Inspect(#[from] InspectError),
    /// What was found cannot be written.
    #[error("standard output")]
    Output(#[from] io::Error),
}

pub(super) fn run(command: Spool) -> ExitCode {
    let ended = match command {
        Spool::Verify(place) => look(&place.directory, place.json, verify::run),
        Spool::Dump(Dump { place, part }) => {
            look(&place.directory, place.json, |inspection, out| dump::run(inspection, out, &part))
        }
        Spool::Export(Export { directory, part }) => {
            look(&directory, true, |inspection, out| export::run(inspection, out, &part))
        }
    };
    match ended {
        Ok(exit) => exit.into(),
        Err(error) => match LookError::exit(&error) {
            Exit::Done => Exit::Done.into(),
            exit => fail(exit, &chain(&error)),
        },
    }
}

fn look(
    directory: &std::path::Path,
    json: bool,
    command: impl FnOnce(&mut Inspection, &mut Output) -> Result<Exit, LookError>,
) -> Result<Exit, LookError> {
    let mut inspection = Inspection::open(Arc::new(RealDisk), directory)?;
    let mut out = Output::new(json);
    let exit = command(&mut inspection, &mut out)?;
    out.flush()?;
    Ok(exit)
}

impl LookError {
    fn exit(&self) -> Exit {
        match self {
            Self::Inspect(InspectError::NoSpool { .. }) => Exit::BadInput,
            // The disk is well: somebody else may read it.
            Self::Inspect(InspectError::Io { source, .. })
                if source.kind() == io::ErrorKind::PermissionDenied =>
            {
                Exit::BadInput
            }
            Self::Inspect(InspectError::Locked { .. }) => Exit::Failed,
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Inspect(InspectError::Io { .. }) | Self::Output(_) => Exit::Disk,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spool_that_may_not_be_read_is_no_failure_of_the_disk() {
        let exit = |kind: io::ErrorKind| {
            LookError::exit(&InspectError::Io { path: "data".into(), source: kind.into() }.into())
        };
        assert_eq!(exit(io::ErrorKind::PermissionDenied), Exit::BadInput);
        assert_eq!(exit(io::ErrorKind::Other), Exit::Disk);
    }
}
