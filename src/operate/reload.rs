//! Reading the settings again while the server runs. What that means is known above; here is what is told of it.

use serde::Serialize;

/// The settings were read again and are in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Reloaded {
    /// Which settings these are.
    pub config_version: String,
    /// What is odd about them.
    pub warnings: Vec<String>,
    /// What has changed in them and is read at the start only.
    pub needs_restart: Vec<&'static str>,
}

/// A mistake in the settings, for which they were not taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SettingsMistake {
    /// The file, or `environment`.
    pub origin: String,
    /// The line, where there is one.
    pub line: Option<usize>,
    /// The key or the variable.
    pub key: String,
    /// What is wrong with it. Never repeats a secret.
    pub message: String,
}

/// The settings of a running server.
pub trait Reload: Send + Sync {
    /// Reads them again and puts them in force, or changes nothing. Reads files, so it blocks.
    ///
    /// # Errors
    /// Everything that is wrong with them.
    fn reload(&self) -> Result<Reloaded, Vec<SettingsMistake>>;
}
