//! Why a command got no answer, or not the one that was asked for; and what it ends with.

use std::{fmt, io, path::PathBuf};

use serde::Deserialize;

use super::http::Unreached;
use crate::{
    cli::{exit::Exit, output::printable},
    config::mistake::Mistakes,
};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum AskError {
    /// The settings that say where the server is.
    #[error("the settings cannot be used\n{0}")]
    Settings(Mistakes),
    /// There are none.
    #[error("there are no settings here: name them with --config, or a server with --url and --token-file")]
    NoSettings,
    /// The settings have no token.
    #[error("the settings name no operate.token, and no server has made one here: see --token-file")]
    NoToken,
    /// The settings' token belongs to the settings' address only.
    #[error("--url needs a token of its own: --token-file or TIDEGATE_TOKEN")]
    TokenOfElsewhere,
    /// Not an address.
    #[error("{0:?} is no address: it must be like https://events.example:8081")]
    Address(String),
    /// A file that the command line names.
    #[error("{}: {source}", path.display())]
    Input {
        /// Which.
        path: PathBuf,
        /// Why it cannot be read.
        source: io::Error,
    },
    /// What stands in it.
    #[error("{0}")]
    BadInput(String),
    /// TLS could not be set up.
    #[error("no TLS: {0}")]
    Tls(io::Error),
    /// Nobody answered.
    #[error("no answer from {address}: {source}")]
    Unreached {
        /// Who was asked.
        address: String,
        /// Why.
        source: Unreached,
    },
    /// It was a stream, and it broke off.
    #[error("{address} broke the stream off")]
    BadEnd {
        /// Who was asked.
        address: String,
    },
    /// The token does not open this server.
    #[error("{address} refuses the token")]
    TokenRefused {
        /// Who was asked.
        address: String,
    },
    /// The server says no.
    #[error("{0}")]
    Answered(Problem),
    /// Whoever answered is no tidegate, or another version.
    #[error("{address} does not answer as tidegate's operate listener does (status {status})")]
    Unintelligible {
        /// Who was asked.
        address: String,
        /// What it said.
        status: u16,
    },
    /// What was found cannot be written.
    #[error("standard output: {0}")]
    Output(#[from] io::Error),
}

/// What the server says went wrong.
#[derive(Debug, Deserialize)]
pub(in crate::cli) struct Problem {
    status: u16,
    #[serde(default)]
    code: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    mistakes: Vec<SettingsMistake>,
}

#[derive(Debug, Deserialize)]
struct SettingsMistake {
    #[serde(default)]
    origin: String,
    line: Option<u64>,
    #[serde(default)]
    key: String,
    #[serde(default)]
    message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = if self.detail.is_empty() { &self.code } else { &self.detail };
        formatter.write_str(&printable(words))?;
        for SettingsMistake { origin, line, key, message } in &self.mistakes {
            let line = line.map(|line| format!(":{line}")).unwrap_or_default();
            let key = if key.is_empty() { String::new() } else { format!("{key}: ") };
            write!(formatter, "\n{}", printable(&format!("{origin}{line}: {key}{message}")))?;
        }
        Ok(())
    }
}

impl AskError {
    /// Of a command that was given a name: if there is no such thing, it is the input that is wrong.
    pub(in crate::cli) fn into_bad_name(self) -> Self {
        match self {
            Self::Answered(problem) if problem.status == 404 => Self::BadInput(problem.to_string()),
            other => other,
        }
    }

    /// What the command ends with.
    pub(in crate::cli) fn exit(&self) -> Exit {
        match self {
            Self::Settings(_) | Self::NoSettings | Self::NoToken => Exit::Settings,
            Self::TokenOfElsewhere | Self::Address(_) => Exit::Usage,
            Self::Input { .. } | Self::BadInput(_) => Exit::BadInput,
            Self::Unreached { .. } | Self::BadEnd { .. } => Exit::Unavailable,
            Self::TokenRefused { .. } => Exit::TokenRefused,
            Self::Answered(problem) => problem.exit(),
            Self::Tls(_) | Self::Unintelligible { .. } => Exit::Failed,
            // A reader that has gone away has seen what it wanted.
            Self::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => Exit::Done,
            Self::Output(_) => Exit::Disk,
        }
    }
}

impl Problem {
    fn exit(&self) -> Exit {
        match self.status {
            400 | 413 => Exit::BadInput,
            422 => Exit::Settings,
            503 => Exit::Unavailable,
            _ => Exit::Failed,
        }
    }
}
