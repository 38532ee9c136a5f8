//! What a person reads when the server has started.

use std::fmt::Write as _;

use crate::{
    clock::Clock,
    config::{Config, embedded},
    disk::{self, RealDisk},
    event::time::format_rfc3339,
    sources::bof,
};

/// Secrets are short; a longer file is none of ours.
const SECRET_FILE_BYTES_MAX: u64 = 4096;

const OPPORTUNITY: &str = r#"{"AuctionId":"1","ExchangeId":"15","ChannelType":"DISPLAY","Body":{"imp":[{"id":"1","banner":{"w":300,"h":250}}],"site":{"domain":"news.example"}}}"#;

/// The addresses; and for the embedded default, whose secrets are its own, a line to try each source with. A configured
/// secret is never printed.
pub(super) fn text(config: &Config, is_embedded: bool) -> String {
    let (collect, operate) = (config.collect.listen, config.operate.listen);
    let mut text = format!(
        "tidegate {}\n  collect  http://{collect}\n  operate  http://{operate}/  /docs  /metrics  /readyz?verbose\n",
        env!("CARGO_PKG_VERSION"),
    );
    if let Some(file) = &config.operate.token_file {
        let _ = writeln!(text, "  token    {}, to sign in there", file.display());
    }
    let _ = writeln!(text, "  storage  {}\n  data     {}", config.storage, config.data_dir.display());
    for source in &config.sources {
        let paths: Vec<String> =
            [source.own_path()].into_iter().chain(source.paths.iter().cloned()).collect();
        let _ = writeln!(text, "  source   {} ({}) {}", source.name, source.kind.name(), paths.join(" "));
    }
    if is_embedded {
        let _ = write!(
            text,
            "\nNo settings file: this is the embedded default. Its secrets are kept in {}. Try it:\n\n",
            config.data_dir.join("secrets").display(),
        );
        for source in embedded::SOURCES {
            let url = format!("http://{collect}/v1/{source}/{source}?key={}", secret(config, source));
            let _ = writeln!(text, "  {}\n", trial(source, &url));
        }
    }
    text
}

fn secret(config: &Config, source: &str) -> String {
    let file = embedded::secret_file(&config.data_dir, source);
    let bytes = disk::read(&RealDisk, &file, SECRET_FILE_BYTES_MAX).unwrap_or_default();
    String::from_utf8_lossy(&bytes).trim().to_owned()
}

/// A line that sends a source what its kind takes.
fn trial(kind: &str, url: &str) -> String {
    match kind {
        bof::KIND => format!("echo '{OPPORTUNITY}' | gzip | curl '{url}' --data-binary @-"),
        _ => format!(
            "curl '{url}' -d '{{\"type\":\"track\",\"event\":\"Hello\",\"userId\":\"u1\",\"timestamp\":\"{}\"}}'",
            format_rfc3339(Clock::default().now())
        ),
    }
}
