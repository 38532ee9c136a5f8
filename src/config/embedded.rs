//! The settings that run without a file: everything under one directory, and secrets made once and kept there.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    io,
    path::{Path, PathBuf},
};

use super::mistake::{Mistake, Mistakes};
use crate::{
    disk::{self, Disk, RealDisk},
    secret::Secret,
    sources::{bof, segment},
};

/// Where data lies when nothing else is said.
pub const DATA_DIR: &str = "./tidegate-data";

/// The variable that says otherwise.
const DATA_DIR_VARIABLE: &str = "TIDEGATE_DATA_DIR";

/// The sources: one of each kind, called by the name of its kind.
pub const SOURCES: [&str; 2] = [segment::KIND, bof::KIND];

/// The file in the data directory that holds a source's secret.
pub fn secret_file(data_dir: &Path, source: &str) -> PathBuf {
    data_dir.join("secrets").join(source)
}

/// What mistakes in it are told of.
pub(super) const ORIGIN: &str = "embedded default";

/// Where data lies: `./tidegate-data`, or what the environment says.
pub fn data_dir(environment: &BTreeMap<String, String>) -> PathBuf {
    PathBuf::from(environment.get(DATA_DIR_VARIABLE).map_or(DATA_DIR, String::as_str))
}

/// The settings' text.
pub(super) fn settings(environment: &BTreeMap<String, String>) -> String {
    let data_dir = data_dir(environment);
    let quoted = |path: &Path| toml::Value::from(path.display().to_string()).to_string();
    let mut text = format!("data_dir = {}\n", quoted(&data_dir));
    for source in SOURCES {
        let file = quoted(&secret_file(&data_dir, source));
        let _ = writeln!(
            text,
            "[[source]]\nname = \"{source}\"\nkind = \"{source}\"\nsecrets = [{{ id = \"generated\", file = {file} }}]"
        );
    }
    text
}

/// Makes the secrets that are not there yet.
pub(super) fn ensure_secrets(environment: &BTreeMap<String, String>) -> Result<(), Mistakes> {
    for source in SOURCES {
        let file = secret_file(&data_dir(environment), source);
        ensure_secret(&RealDisk, &file).map_err(|error| {
            let message = format!("{} cannot be made: {error}", file.display());
            Mistakes(vec![Mistake { origin: ORIGIN.into(), line: None, key: String::new(), message }])
        })?;
    }
    Ok(())
}

pub(super) fn ensure_secret(disk: &dyn Disk, file: &Path) -> io::Result<()> {
    match disk.open(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => return other.map(drop),
    }
    disk.create_dir_all(disk::directory_of(file), true)?;
    let secret = Secret::generate().map_err(io::Error::other)?;
    let line = zeroize::Zeroizing::new(format!("{}\n", secret.expose()));
    disk::write_durable(disk, file, line.as_bytes(), true)
}
