//! Running a server until a signal or a failed disk ends it.
//!
//! The order of a graceful stop: not ready any more → accept nothing new → finish what is under way → last fsync → lanes
//! deliver what is left → close. All of it under one deadline; what is left then is safe in the spool. A second signal
//! leaves at once, and a poisoned spool leaves with its own code, so that a supervisor starts a process that recovers.

use std::time::Duration;

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::{Instant, timeout_at},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use super::build::StartError;
use super::{
    build::Server,
    reload::{record_loaded, reload},
};
use crate::{
    config::{Config, Origin},
    drain::lane::LaneEnd,
    http::server,
    telemetry::exporter::Exporter,
};

/// How often the users directory is looked at.
const USERS_POLLED_EVERY: Duration = Duration::from_secs(1);

/// How long requests under way have to be answered once the spool is poisoned.
const POISONED_GRACE: Duration = Duration::from_secs(1);

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By a signal, in order.
    Stopped,
    /// By a signal, but requests were cut off at the deadline.
    Overrun,
    /// By a second signal, at once.
    Hurried,
    /// The disk failed a write or an fsync.
    Poisoned,
}

/// Serves until something ends it. `started` is called once everything listens.
///
/// # Errors
/// When it could not start.
pub async fn run(
    config: Config,
    origin: Origin,
    exporter: Option<Exporter>,
    started: impl FnOnce(&Config),
) -> Result<End, StartError> {
    let mut signals = Signals::install()?;
    let server = Server::build(&config, exporter.clone()).await?;
    record_loaded();
    let background = CancellationToken::new();
    let tasks = TaskTracker::new();
    tasks.spawn(std::sync::Arc::clone(&server.users).poll(USERS_POLLED_EVERY, background.clone()));
    if let Some(exporter) = exporter {
        tasks.spawn(exporter.upkeep(background.clone()));
    }
    started(&config);
    let end = serve(server, &config, &origin, &mut signals).await;
    background.cancel();
    Ok(end)
}

async fn serve(server: Server, config: &Config, origin: &Origin, signals: &mut Signals) -> End {
    let Server { spool, database, lane, users: _, registry, health, stopping, collect, operate } = server;
    let stop = Stop::default();
    let settings = &config.collect.server;
    let mut collecting =
        tokio::spawn(server::serve(collect.0, collect.1, settings.clone(), stop.collect.clone()));
    let operating = tokio::spawn(server::serve(operate.0, operate.1, settings.clone(), stop.operate.clone()));
    let mut lane = tokio::spawn(lane.run(stop.finish.clone(), stop.now.clone()));

    loop {
        tokio::select! {
            biased;
            () = spool.poisoned() => {
                tracing::error!("the spool is poisoned: leaving, so that the next start recovers it");
                stopping.cancel();
                stop.collect.cancel();
                let _ = timeout_at(Instant::now() + POISONED_GRACE, &mut collecting).await;
                return End::Poisoned;
            }
            asked = signals.next() => match asked {
                Asked::Reload => drop(reload(origin, config, &registry)),
                Asked::Stop => break,
            },
            ended = &mut lane => {
                // A lane ends only when told to; anything else is a bug of ours, and the next start goes on from the cursor.
                tracing::error!(?ended, "the lane ended: leaving, so that the next start recovers it");
                return End::Poisoned;
            }
        }
    }
    tracing::info!(ready = health.is_ready(), grace_seconds = config.grace.as_secs_f64(), "stopping");
    stopping.cancel();
    let deadline = Instant::now() + config.grace;
    let orderly = async {
        stop.collect.cancel();
        let finished = timeout_at(deadline, &mut collecting).await.is_ok();
        if !finished {
            tracing::warn!("requests were cut off at the deadline; their senders were not answered");
        }
        let closed = spool.close().await;
        stop.finish.cancel();
        let lane_end = timeout_at(deadline, &mut lane).await;
        stop.now.cancel();
        let lane_end = match lane_end {
            Ok(ended) => ended.ok(),
            Err(_) => lane.await.ok(),
        };
        match lane_end {
            Some(LaneEnd::Drained) => tracing::info!("everything is delivered"),
            Some(LaneEnd::Left { behind }) => {
                tracing::warn!(behind, "records are left in the spool for the next start");
            }
            None => tracing::error!("the lane failed while stopping; its records are left in the spool"),
        }
        stop.operate.cancel();
        let _ = timeout_at(deadline, operating).await;
        let _ = timeout_at(deadline, database.close()).await;
        match (closed, finished) {
            (Err(_), _) => End::Poisoned,
            (Ok(()), true) => End::Stopped,
            (Ok(()), false) => End::Overrun,
        }
    };
    tokio::select! {
        end = orderly => end,
        () = signals.stop() => End::Hurried,
    }
}

/// What tells each part to stop.
#[derive(Default)]
struct Stop {
    collect: CancellationToken,
    operate: CancellationToken,
    finish: CancellationToken,
    now: CancellationToken,
}

/// What a signal asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asked {
    Stop,
    Reload,
}

/// The signals that we listen to, from before anything is built: none is missed.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn install() -> Result<Self, StartError> {
        let install = |kind| signal(kind).map_err(StartError::Signals);
        Ok(Self {
            terminate: install(SignalKind::terminate())?,
            interrupt: install(SignalKind::interrupt())?,
            hang_up: install(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.interrupt.recv() => Asked::Stop,
            _ = self.hang_up.recv() => Asked::Reload,
        }
    }

    /// The next signal to stop; there is nothing left to reload.
    async fn stop(&mut self) {
        while self.next().await != Asked::Stop {}
    }
}
