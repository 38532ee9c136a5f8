//! Settings: raw TOML and environment in, checked settings out, every mistake at once and none silently mended.
//!
//! A component owns the type of its settings and their defaults; this module only reads them. `section` reads one table,
//! `sources`, `segment` and `bof` the senders, `embedded` is what runs without a file.

mod bof;
pub mod embedded;
pub mod mistake;
mod operator;
mod origin;
mod quantity;
mod reading;
mod secrets;
mod section;
mod segment;
mod sources;

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use sha2::{Digest, Sha256};
use toml::de::DeTable;

use self::{mistake::Mistakes, reading::Reading, section::Section};
pub use self::{origin::Origin, secrets::Credentials};
use crate::{
    clock::UnixMicros,
    database::DatabaseUrl,
    drain,
    http::{body::BodyLimits, server},
    operate::retention::Keep,
    secret::Secret,
    sources::Source,
    spool,
};

/// Checked settings.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where everything of ours lies that is not in the database.
    pub data_dir: PathBuf,
    /// The listener that senders reach.
    pub collect: Collect,
    /// The listener that operators and Prometheus reach.
    pub operate: Operate,
    /// The database.
    pub storage: DatabaseUrl,
    /// How lanes batch, and how they bear failures.
    pub drain: drain::Settings,
    /// The durable buffer.
    pub spool: spool::Settings,
    /// How many bytes of refused bodies may wait in the spool.
    pub refusals_bytes: u64,
    /// How long rows are kept.
    pub keep: Keep,
    /// How long a graceful stop may take.
    pub grace: Duration,
    /// The senders.
    pub sources: Vec<Source>,
    /// What is odd, but no mistake; for the log.
    pub warnings: Vec<String>,
    /// Tells one version of the settings from another.
    pub version: String,
}

/// The listener that senders reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collect {
    /// Its address.
    pub listen: SocketAddr,
    /// Bytes of request bodies in flight.
    pub body_memory: usize,
    /// Patience with bodies; the size limit is each source's own.
    pub body: BodyLimits,
    /// Limits of connections and heads.
    pub server: server::Settings,
}

/// The listener that operators and Prometheus reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operate {
    /// Its address.
    pub listen: SocketAddr,
    /// What opens the admin API. Where none is configured, the one that a server made when it started.
    pub token: Option<Secret>,
    /// The file that it is in, where we made it.
    pub token_file: Option<PathBuf>,
}

/// Checks settings; the pure part of [`Origin::load`], but for the files that secrets are in.
///
/// # Errors
/// Everything that is wrong with them.
pub fn parse(
    origin: &str,
    text: &str,
    environment: &BTreeMap<String, String>,
    now: UnixMicros,
) -> Result<Config, Mistakes> {
    let reading = Reading::new(origin, text, environment.clone());
    let config = match DeTable::parse(text) {
        Ok(table) => {
            let root = Section::root(&reading, table.get_ref());
            let config = read(&root, now);
            root.finish();
            config
        }
        Err(error) => {
            reading.broken(&error);
            None
        }
    };
    let (config, warnings) = reading.finish(config)?;
    let version =
        Sha256::digest(text.as_bytes()).iter().take(6).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>();
    Ok(Config { warnings, version: version.concat(), ..config })
}

/// Reads everything; `None` only where a mistake was noted.
fn read(root: &Section<'_, '_>, now: UnixMicros) -> Option<Config> {
    let data_dir = data_dir(root);
    let collect = read_collect(root.section("collect"));
    let operate = read_operate(root.section("operate"));
    let (storage, drain, keep_events) = read_storage(root.section("storage"), &data_dir);
    let spool = read_spool(root.section("spool"), &data_dir);
    let refusals = root.section("refusals");
    let refusals_bytes = refusals.bytes("max_bytes", 0..=u64::MAX).unwrap_or(spool.max_bytes / 10);
    let keep = Keep { events: keep_events, refusals: refusals.duration("keep") };
    refusals.finish();
    let shutdown = root.section("shutdown");
    let grace = shutdown.duration("grace").unwrap_or(Duration::from_secs(25));
    shutdown.finish();
    let sources = sources::read(root, collect.body_memory, now);
    Some(Config {
        data_dir,
        collect,
        operate,
        storage: storage?,
        drain,
        spool,
        refusals_bytes,
        keep,
        grace,
        sources,
        warnings: Vec::new(),
        version: String::new(),
    })
}

fn data_dir(root: &Section<'_, '_>) -> PathBuf {
    PathBuf::from(root.text("data_dir").unwrap_or_else(|| embedded::DATA_DIR.into()))
}

fn read_collect(section: Section<'_, '_>) -> Collect {
    let defaults = server::Settings::default();
    let body = BodyLimits::default();
    let collect = Collect {
        listen: listen(&section, 8080),
        body_memory: section.bytes_in_memory("body_memory", 1 << 20..=u64::MAX).unwrap_or(64 << 20),
        body: BodyLimits {
            deadline: section.duration("body_timeout").unwrap_or(body.deadline),
            min_rate: section.bytes("body_min_rate", 0..=u64::MAX).unwrap_or(body.min_rate),
            grace: section.duration("body_min_rate_grace").unwrap_or(body.grace),
            ..body
        },
        server: read_server(&section, &defaults),
    };
    section.finish();
    collect
}

fn read_operate(section: Section<'_, '_>) -> Operate {
    let token = section.has("token").then(|| section.section("token"));
    let token = token.and_then(|named| {
        let secret = secrets::secret(&named, "operate.token");
        if let Some(secret) = &secret {
            secrets::warn_if_weak(&named, "operate.token", secret, None, 0);
        }
        named.finish();
        secret
    });
    let operate = Operate { listen: operate_listen(&section), token, token_file: None };
    section.finish();
    operate
}

fn operate_listen(section: &Section<'_, '_>) -> SocketAddr {
    listen(section, 8081)
}

fn listen(section: &Section<'_, '_>, port: u16) -> SocketAddr {
    let parse = |text: &str| text.parse().map_err(|_| "must be an address such as 127.0.0.1:8080".to_owned());
    section.parsed("listen", parse).unwrap_or_else(|| (Ipv4Addr::LOCALHOST, port).into())
}

fn read_server(section: &Section<'_, '_>, defaults: &server::Settings) -> server::Settings {
    let count = |key, most, default: usize| {
        section.integer(key, 1..=most).map_or(default, |count| usize::try_from(count).unwrap_or(default))
    };
    server::Settings {
        connections: count("connections", 1_000_000, defaults.connections),
        first_byte_timeout: section.duration("first_byte_timeout").unwrap_or(defaults.first_byte_timeout),
        head_timeout: section.duration("head_timeout").unwrap_or(defaults.head_timeout),
        idle_timeout: section.duration("idle_timeout").unwrap_or(defaults.idle_timeout),
        write_timeout: section.duration("write_timeout").unwrap_or(defaults.write_timeout),
        headers: count("headers", server::HEADERS_MAX, defaults.headers),
        head_bytes: section
            .bytes_in_memory("head_bytes", 1024..=server::HEAD_BYTES_MAX)
            .unwrap_or(defaults.head_bytes),
        query_bytes: section.bytes_in_memory("query_bytes", 64..=u64::MAX).unwrap_or(defaults.query_bytes),
    }
}

fn read_storage(
    section: Section<'_, '_>,
    data_dir: &Path,
) -> (Option<DatabaseUrl>, drain::Settings, Option<Duration>) {
    let parse = |text: &str| DatabaseUrl::parse(text).map_err(|error| error.to_string());
    let url = if section.has("url") {
        section.parsed("url", parse)
    } else {
        Some(DatabaseUrl::sqlite(data_dir.join("events.db")))
    };
    let defaults = drain::Settings::default();
    let batch = section.section("batch");
    let drain = drain::Settings {
        events: batch
            .integer("events", 1..=100_000)
            .map_or(defaults.events, |events| usize::try_from(events).unwrap_or(defaults.events)),
        bytes: batch.bytes_in_memory("bytes", 1024..=u64::MAX).unwrap_or(defaults.bytes),
        age: batch.duration("age").unwrap_or(defaults.age),
        dead_letters_bytes: section
            .bytes("dead_letters", 0..=u64::MAX)
            .unwrap_or(defaults.dead_letters_bytes),
        ..defaults
    };
    batch.finish();
    let keep = section.duration("keep");
    section.finish();
    (url, drain, keep)
}

fn read_spool(section: Section<'_, '_>, data_dir: &Path) -> spool::Settings {
    let defaults = spool::Settings::default();
    let settings = spool::Settings {
        directory: data_dir.join("spool"),
        max_bytes: section.bytes("max_bytes", 1 << 16..=u64::MAX).unwrap_or(defaults.max_bytes),
        file_bytes: section.bytes("file_bytes", 1 << 12..=u64::MAX).unwrap_or(defaults.file_bytes),
        min_free: section.bytes("min_free", 0..=u64::MAX).unwrap_or(defaults.min_free),
        queue_bytes: section.bytes("queue_bytes", 1 << 16..=u64::MAX).unwrap_or(defaults.queue_bytes),
        queue_wait: section.duration("queue_wait").unwrap_or(defaults.queue_wait),
    };
    section.finish();
    settings
}

#[cfg(test)]
mod tests;
