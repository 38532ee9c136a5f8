//! The metrics as Prometheus reads them.

use std::time::Duration;

use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio_util::sync::CancellationToken;

use super::metric::{Metric, MetricKind, describe_all, scrape};

/// What the exposition format calls itself.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// How often histograms are folded; without it they grow for as long as nobody scrapes.
const UPKEEP_EVERY: Duration = Duration::from_secs(5);

const SECONDS: &[f64] =
    &[0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];
const EVENTS: &[f64] = &[1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1_000.0, 3_000.0, 10_000.0];

/// Renders what was recorded.
#[derive(Clone)]
pub struct Exporter(PrometheusHandle);

/// Makes the process record its metrics; once.
///
/// # Errors
/// When another recorder was installed before.
pub fn install() -> Result<Exporter, BuildError> {
    let mut builder = PrometheusBuilder::new();
    for metric in Metric::ALL.iter().filter(|metric| metric.kind() == MetricKind::Histogram) {
        let buckets = if metric.name().ends_with("_seconds") { SECONDS } else { EVENTS };
        // Without buckets it would be a summary, whose quantiles nobody can add up.
        builder = builder.set_buckets_for_metric(Matcher::Full(metric.name().into()), buckets)?;
    }
    let handle = builder.install_recorder()?;
    describe_all();
    metrics_process::Collector::default().describe();
    Metric::BuildInfo.gauge(&[env!("CARGO_PKG_VERSION")]).set(1.0);
    Ok(Exporter(handle))
}

impl Exporter {
    /// The exposition: ours, the process's and the runtime's. No outcome is seen half counted.
    pub fn render(&self) -> String {
        metrics_process::Collector::default().collect();
        record_runtime();
        let _whole = scrape();
        self.0.render()
    }

    /// Folds histograms until told to stop.
    pub async fn upkeep(self, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(UPKEEP_EVERY);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.0.run_upkeep();
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts far below 2^52")]
fn record_runtime() {
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        let runtime = runtime.metrics();
        Metric::RuntimeTasks.gauge(&[]).set(runtime.num_alive_tasks() as f64);
        Metric::RuntimeWorkers.gauge(&[]).set(runtime.num_workers() as f64);
        Metric::RuntimeQueueDepth.gauge(&[]).set(runtime.global_queue_depth() as f64);
    }
}
