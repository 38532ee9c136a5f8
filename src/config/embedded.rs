//! The settings that run without a file: everything under one directory, and secrets made once and kept there.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
};

use super::mistake::{Mistake, Mistakes};
use crate::{
    disk::{self, Disk, RealDisk},
    secret::Secret,
};

/// Where data lies when nothing else is said.
pub const DATA_DIR: &str = "./tidegate-data";

/// The variable that says otherwise.
const DATA_DIR_VARIABLE: &str = "TIDEGATE_DATA_DIR";

/// The one source.
pub const SOURCE: &str = "segment";

/// The file in the data directory that holds the source's secret.
pub fn secret_file(data_dir: &Path) -> PathBuf {
    data_dir.join("secrets").join(SOURCE)
}

/// What mistakes in it are told of.
pub(super) const ORIGIN: &str = "embedded default";

fn data_dir(environment: &BTreeMap<String, String>) -> PathBuf {
    PathBuf::from(environment.get(DATA_DIR_VARIABLE).map_or(DATA_DIR, String::as_str))
}

/// The settings' text.
pub(super) fn settings(environment: &BTreeMap<String, String>) -> String {
    let data_dir = data_dir(environment);
    let quoted = |path: &Path| toml::Value::from(path.display().to_string()).to_string();
    format!(
        "data_dir = {}\n[[source]]\nname = \"{SOURCE}\"\nkind = \"segment\"\nsecrets = [{{ id = \"generated\", file = {} }}]\n",
        quoted(&data_dir),
        quoted(&secret_file(&data_dir)),
    )
}

/// Makes the secret, unless that was done before.
pub(super) fn ensure_secrets(environment: &BTreeMap<String, String>) -> Result<(), Mistakes> {
    let file = secret_file(&data_dir(environment));
    ensure_secret(&RealDisk, &file).map_err(|error| {
        let message = format!("{} cannot be made: {error}", file.display());
        Mistakes(vec![Mistake { origin: ORIGIN.into(), line: None, key: String::new(), message }])
    })
}

fn ensure_secret(disk: &dyn Disk, file: &Path) -> io::Result<()> {
    match disk.open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other.map(drop),
    }
    disk.create_dir_all(disk::directory_of(file), true)?;
    let secret = Secret::generate().map_err(io::Error::other)?;
    let line = zeroize::Zeroizing::new(format!("{}\n", secret.expose()));
    disk::write_durable(disk, file, line.as_bytes(), true)
}
