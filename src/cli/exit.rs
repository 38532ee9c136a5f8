//! Exit codes, after sysexits.h, and the last words before them.

use std::{error::Error, io::Write as _, process::ExitCode};

/// Why a command ended. Scripts and supervisors rely on these numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    BadInput = 65,
    Unavailable = 69,
    Disk = 74,
    TokenRefused = 77,
    Settings = 78,
    Hurried = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Says something that is no data, to standard error.
pub(super) fn tell(text: &str) {
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Says what went wrong, and ends.
pub(super) fn fail(exit: Exit, message: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "tidegate: {message}");
    exit.into()
}

/// An error with everything beneath it, on one line.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// Writes to standard output. A reader that has gone away is no failure of ours.
pub(super) fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes());
    let _ = out.flush();
}
