//! What a person reads when the server has started.

use std::fmt::Write as _;

use crate::{
    clock::Clock,
    config::{Config, embedded},
    disk::{self, RealDisk},
    event::time::format_rfc3339,
};

/// The addresses; and for the embedded default, whose secret is its own, a line to try it with. A configured secret is
/// never printed.
pub(super) fn text(config: &Config, is_embedded: bool) -> String {
    let (collect, operate) = (config.collect.listen, config.operate.listen);
    let mut text = format!(
        "tidegate {}\n  collect  http://{collect}\n  operate  http://{operate}/metrics  http://{operate}/readyz?verbose\n  storage  {}\n  data     {}\n",
        env!("CARGO_PKG_VERSION"),
        config.storage,
        config.data_dir.display(),
    );
    for source in &config.sources {
        let paths: Vec<&str> = source.paths.iter().map(String::as_str).collect();
        let _ = writeln!(
            text,
            "  source   {} ({}) /v1/{}/{} {}",
            source.name,
            source.kind.name(),
            source.kind.name(),
            source.name,
            paths.join(" ")
        );
    }
    if is_embedded {
        let file = embedded::secret_file(&config.data_dir);
        let secret = disk::read(&RealDisk, &file, 4096).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let _ = write!(
            text,
            "\nNo settings file: this is the embedded default. Its secret is kept in {}. Try it:\n\n  \
             curl 'http://{collect}/v1/segment/{}?key={}' -d '{{\"type\":\"track\",\"event\":\"Hello\",\"userId\":\"u1\",\"timestamp\":\"{}\"}}'\n\n",
            file.display(),
            embedded::SOURCE,
            secret.unwrap_or_default().trim(),
            format_rfc3339(Clock::default().now()),
        );
    }
    text
}
