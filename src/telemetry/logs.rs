//! Where log lines go: standard error, for people on a terminal, as JSON everywhere else.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// The shape of a log line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// Text.
    Text,
    /// One JSON object a line.
    Json,
}

/// What is logged when `TIDEGATE_LOG` says nothing.
const DEFAULT_FILTER: &str = "info";

/// What never logs below this level, whatever the filter says: these libraries print buffers, and with them a query
/// string or a body, at their lower levels.
const QUIET: &[&str] = &[
    "hyper=info",
    "hyper_util=info",
    "sqlx=warn",
    "sqlx_postgres::options=error",
    "h2=info",
    "tower_http=info",
];

/// Sends log lines to standard error. `filter` is in the syntax of `RUST_LOG`.
///
/// # Errors
/// When the filter cannot be read, or logs were set up before.
pub fn init(format: LogFormat, filter: Option<&str>) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    let mut env_filter = EnvFilter::builder().parse(filter.unwrap_or(DEFAULT_FILTER))?;
    for directive in QUIET {
        env_filter = env_filter.add_directive(directive.parse()?);
    }
    let terminal = std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt().with_env_filter(env_filter).with_writer(std::io::stderr);
    match format {
        LogFormat::Text => builder.with_ansi(terminal).try_init(),
        LogFormat::Auto if terminal => builder.with_ansi(std::env::var_os("NO_COLOR").is_none()).try_init(),
        LogFormat::Auto | LogFormat::Json => builder.json().flatten_event(true).try_init(),
    }
}
