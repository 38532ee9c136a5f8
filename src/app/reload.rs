//! Replacing what may change while the server runs: secrets, allowlists, limits and sources, and the operator's token.

use std::sync::{Arc, Mutex, PoisonError};

use crate::{
    clock::Clock,
    config::{
        Config, Origin,
        mistake::{Mistake, Mistakes},
    },
    http::admin::access::Access,
    ingest::registry::Registry,
    operate::{
        reload::{Reload, Reloaded, SettingsMistake},
        status::SettingsAge,
    },
    telemetry::metric::Metric,
};

/// Reads the settings again, for a signal or for an operator.
pub(super) struct Reloader {
    pub(super) origin: Origin,
    /// The settings with which the server started.
    pub(super) running: Config,
    pub(super) registry: Arc<Registry>,
    pub(super) access: Arc<Access>,
    pub(super) settings: Arc<SettingsAge>,
    /// Held while reloading: of two at once, the later one reads the later settings.
    pub(super) busy: Mutex<()>,
}

impl Reloader {
    fn refuse(&self, mistakes: Mistakes) -> Vec<SettingsMistake> {
        self.settings.refused();
        Metric::ConfigReloadSuccessful.gauge(&[]).set(0.0);
        for mistake in &mistakes.0 {
            tracing::error!(%mistake, "settings not reloaded, the old ones stay in force");
        }
        mistakes.0.into_iter().map(told).collect()
    }
}

impl Reload for Reloader {
    /// Deliveries under way keep the settings they began with.
    fn reload(&self) -> Result<Reloaded, Vec<SettingsMistake>> {
        let _one_at_a_time = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let mut config =
            self.origin.load(Clock::default().now()).map_err(|mistakes| self.refuse(mistakes))?;
        // Settings that no longer name a token get one of ours: nobody is locked out.
        config.ensure_operator_token().map_err(|error| {
            let message = format!("the operator token cannot be kept: {error}");
            let (origin, key) = (config.data_dir.display().to_string(), "operate.token".to_owned());
            self.refuse(Mistakes(vec![Mistake { origin, line: None, key, message }]))
        })?;
        for warning in &config.warnings {
            tracing::warn!("{warning}");
        }
        let needs_restart = needs_restart(&self.running, &config);
        for setting in &needs_restart {
            tracing::warn!(setting, "changed, and takes effect at the next start only");
        }
        self.registry.replace(config.sources, config.version.clone());
        self.access.replace(config.operate.token.as_ref());
        self.settings.accepted(Clock::default().now());
        record_loaded();
        tracing::info!(version = config.version, "settings reloaded");
        Ok(Reloaded { config_version: config.version, warnings: config.warnings, needs_restart })
    }
}

fn told(mistake: Mistake) -> SettingsMistake {
    let Mistake { origin, line, key, message } = mistake;
    SettingsMistake { origin, line, key, message }
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
        ("operate.listen", running.operate.listen != new.operate.listen),
        ("storage.url", running.storage != new.storage),
        ("storage", running.drain != new.drain),
        ("spool", running.spool != new.spool),
        ("refusals.max_bytes", running.refusals_bytes != new.refusals_bytes),
        ("storage.keep", running.keep.events != new.keep.events),
        ("refusals.keep", running.keep.refusals != new.keep.refusals),
        ("shutdown.grace", running.grace != new.grace),
    ];
    differs.into_iter().filter(|(_, differs)| *differs).map(|(setting, _)| setting).collect()
}
