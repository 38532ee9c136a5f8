//! The operator's token: the configured one, else one that is made at the first start and kept beside the data.

use std::{
    io,
    path::{Path, PathBuf},
};

use super::{Config, Operate, embedded};
use crate::{
    disk::{self, RealDisk},
    secret::Secret,
};

/// A secret file holds one line.
const TOKEN_BYTES_MAX: u64 = 4096;

/// Where the token lies that we make ourselves.
fn token_file(data_dir: &Path) -> PathBuf {
    embedded::secret_file(data_dir, "operator")
}

impl Operate {
    /// Takes the token that was made at the first start, if the settings name none and it was made.
    pub(super) fn recall_token(&mut self, data_dir: &Path) {
        if self.token.is_some() {
            return;
        }
        let file = token_file(data_dir);
        if let Ok(token) = read(&file) {
            self.token = Some(token);
            self.token_file = Some(file);
        }
    }
}

impl Config {
    /// The same, and makes the token where it was never made. A server does this when it starts.
    ///
    /// # Errors
    /// When the token cannot be kept.
    pub fn ensure_operator_token(&mut self) -> io::Result<()> {
        if self.operate.token.is_none() {
            let file = token_file(&self.data_dir);
            embedded::ensure_secret(&RealDisk, &file)?;
            self.operate.token = Some(read(&file)?);
            self.operate.token_file = Some(file);
        }
        Ok(())
    }
}

fn read(file: &Path) -> io::Result<Secret> {
    let bytes = disk::read(&RealDisk, file, TOKEN_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|_| io::ErrorKind::InvalidData)?;
    Ok(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}
