//! Secrets of the settings: named, never written down. `{ env = … }`, `{ file = … }`, or `{ value = … }` with a warning.

use std::path::Path;

use chrono::DateTime;

use super::section::Section;
use crate::{
    clock::UnixMicros,
    disk::{self, RealDisk},
    secret::Secret,
    sources::key::{Key, KeyRing, SHORT_SECRET_CHARS},
};

/// A secret file holds one line; anything longer was named by mistake.
const SECRET_FILE_BYTES_MAX: u64 = 64 << 10;

/// The secret that a table names; `None` and a mistake noted if it cannot be had.
pub(super) fn secret(section: &Section<'_, '_>, what: &str) -> Option<Secret> {
    let named = ["env", "file", "value"].map(|key| section.has(key));
    if named.iter().filter(|named| **named).count() != 1 {
        section.mistake("env", "must have exactly one of env, file and value");
        return None;
    }
    if let Some(variable) = section.text("env") {
        section.reading.environment_read.borrow_mut().insert(variable.clone());
        let Some(value) = section.reading.environment.get(&variable) else {
            section.mistake("env", format!("the environment has no {variable}"));
            return None;
        };
        return Some(Secret::new(value.clone()));
    }
    if let Some(path) = section.text("file") {
        return match disk::read(&RealDisk, Path::new(&path), SECRET_FILE_BYTES_MAX) {
            Ok(bytes) => match String::from_utf8(bytes) {
                // Editors and `echo` end a file with a line break that is not meant.
                Ok(text) => Some(Secret::new(text.trim_end_matches(['\r', '\n']).to_owned())),
                Err(_) => {
                    section.mistake("file", format!("{path} is not text"));
                    None
                }
            },
            Err(error) => {
                section.mistake("file", format!("{path} cannot be read: {error}"));
                None
            }
        };
    }
    section
        .reading
        .warn(format!("{what} stands in the settings themselves; name a file or a variable instead"));
    section.text("value").map(Secret::new)
}

/// What a sender needs to be let in to a source.
#[derive(Debug)]
pub struct Credentials {
    /// Its key.
    pub key: Secret,
    /// What it signs with, where the source wants that.
    pub signing_secret: Option<Secret>,
}

/// The credentials of a source, in settings that were checked before.
pub(super) fn credentials(root: &Section<'_, '_>, name: &str, now: UnixMicros) -> Option<Credentials> {
    let sections = root.sections("source", "name");
    let source = sections.iter().find(|section| section.text("name").as_deref() == Some(name))?;
    let opens = |section: &Section<'_, '_>| match section.text("not_after") {
        Some(end) => DateTime::parse_from_rfc3339(&end).is_ok_and(|end| now < end.timestamp_micros()),
        None => true,
    };
    let keys = source.sections("secrets", "id");
    let mut live =
        keys.iter().filter(|section| opens(section)).filter_map(|section| secret(section, "a key"));
    Some(Credentials {
        key: live.find(|key| !key.is_empty())?,
        signing_secret: source
            .has("signing_secret")
            .then(|| secret(&source.section("signing_secret"), "signing_secret"))
            .flatten(),
    })
}

/// The keys of a source: `secrets = [{ id = …, env = …, not_after = … }, …]`.
pub(super) fn key_ring(source: &Section<'_, '_>, name: &str, now: UnixMicros) -> KeyRing {
    let mut keys: Vec<Key> = Vec::new();
    for section in source.sections("secrets", "id") {
        let id = section.text("id").unwrap_or_default();
        let what = format!("secret {id:?} of source {name:?}");
        if id.is_empty() {
            section.mistake("id", "a secret needs an id, by which logs and metrics call it");
        } else if keys.iter().any(|key| key.id() == id) {
            section.mistake("id", "two secrets of one source have this id");
        }
        let not_after = section.parsed("not_after", |text| {
            DateTime::parse_from_rfc3339(text)
                .map(|at| at.timestamp_micros())
                .map_err(|_| "must be a timestamp such as 2027-06-01T00:00:00Z".into())
        });
        if let Some(secret) = secret(&section, &what) {
            warn_if_weak(&section, &what, &secret, not_after, now);
            keys.push(Key::new(id, &secret, not_after));
        }
        section.finish();
    }
    if keys.is_empty() {
        source.reading.warn(format!("source {name:?} has no secret: it answers 401 to everything"));
    }
    KeyRing::new(keys)
}

/// An empty, short or expired secret is odd, and never stops a start.
pub(super) fn warn_if_weak(
    section: &Section<'_, '_>,
    what: &str,
    secret: &Secret,
    not_after: Option<UnixMicros>,
    now: UnixMicros,
) {
    if secret.is_empty() {
        section.reading.warn(format!("{what} is empty: it opens nothing"));
    } else if secret.expose().chars().count() < SHORT_SECRET_CHARS {
        section.reading.warn(format!("{what} is short: use at least {SHORT_SECRET_CHARS} random characters"));
    }
    if not_after.is_some_and(|end| end <= now) {
        section.reading.warn(format!("{what} has expired: it opens nothing"));
    }
}
