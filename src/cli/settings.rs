//! The settings of the server that a command is about.

use std::path::PathBuf;

use super::client::AskError;
use crate::config::{Origin, embedded};

/// Where the settings are. Loading the embedded default makes its data directory, which somebody who asks in the wrong
/// place must not leave behind; so without settings there must have been a server here.
pub(super) fn origin(config: Option<PathBuf>) -> Result<Origin, AskError> {
    let origin = Origin::of_process(config);
    let is_here = origin.file.is_some() || embedded::data_dir(&origin.environment).exists();
    if is_here { Ok(origin) } else { Err(AskError::NoSettings) }
}
