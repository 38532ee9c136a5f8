//! Replacing what may change while the server runs: secrets, allowlists, limits and sources.

use crate::{
    clock::Clock,
    config::{Config, Origin, mistake::Mistakes},
    ingest::registry::Registry,
    telemetry::metric::Metric,
};

/// Reads the settings again and puts their sources in force. Deliveries under way keep the settings they began with.
///
/// # Errors
/// When the settings hold a mistake: then nothing has changed.
pub(super) fn reload(origin: &Origin, running: &Config, registry: &Registry) -> Result<(), Mistakes> {
    let successful = Metric::ConfigReloadSuccessful.gauge(&[]);
    let config = origin.load(Clock::default().now()).inspect_err(|mistakes| {
        successful.set(0.0);
        for mistake in &mistakes.0 {
            tracing::error!(%mistake, "settings not reloaded, the old ones stay in force");
        }
    })?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    for setting in needs_restart(running, &config) {
        tracing::warn!(setting, "changed, and takes effect at the next start only");
    }
    registry.replace(config.sources, config.version.clone());
    record_loaded();
    tracing::info!(version = config.version, "settings reloaded");
    Ok(())
}

/// Notes that the settings in force were accepted just now.
#[expect(clippy::cast_precision_loss, reason = "seconds with a fraction, as Prometheus wants them")]
pub(super) fn record_loaded() {
    Metric::ConfigReloadSuccessful.gauge(&[]).set(1.0);
    Metric::ConfigReloadTimestamp.gauge(&[]).set(Clock::default().now() as f64 / 1e6);
}

/// Settings that differ and are read at the start only.
fn needs_restart(running: &Config, new: &Config) -> Vec<&'static str> {
    let differs = [
        ("data_dir", running.data_dir != new.data_dir),
        ("collect", running.collect != new.collect),
        ("operate", running.operate != new.operate),
        ("storage.url", running.storage != new.storage),
        ("storage", running.drain != new.drain),
        ("spool", running.spool != new.spool),
        ("refusals.max_bytes", running.refusals_bytes != new.refusals_bytes),
        ("shutdown.grace", running.grace != new.grace),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(setting, _)| setting).collect()
}
