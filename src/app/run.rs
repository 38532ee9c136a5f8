//! Running a server until a signal or a failed disk ends it.
//!
//! The order of a graceful stop: not ready any more → accept nothing new → finish what is under way → last fsync → lanes
//! deliver what is left → close. All of it under one deadline; what is left then is safe in the spool. A second signal
//! leaves at once, and a poisoned spool leaves with its own code, so that a supervisor starts a process that recovers.

use std::{sync::Arc, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    task::{JoinHandle, JoinSet},
    time::{Instant, timeout, timeout_at},
};
use tokio_util::sync::CancellationToken;

pub use super::build::StartError;
use super::{
    build::Server,
    file_handles,
    reload::{Reloader, record_loaded},
};
use crate::{
    clock::Clock,
    config::{Config, Origin},
    database::Database,
    drain::lane::LaneEnd,
    http::server,
    operate::{reload::Reload as _, retention},
    spool::Spool,
    telemetry::exporter::Exporter,
};

/// How often the pace of the spool is sampled.
const PACE_SAMPLED_EVERY: Duration = Duration::from_secs(5);

/// How often rows are looked for that are older than they are kept.
const RETENTION_EVERY: Duration = Duration::from_hours(1);

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
    /// A part of it ended without being told to: a bug of ours.
    Broken,
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
    let server = Server::build(&config, origin, exporter.clone()).await?;
    record_loaded();
    let background = CancellationToken::new();
    let mut tasks = JoinSet::new();
    tasks.spawn(Arc::clone(&server.users).poll(USERS_POLLED_EVERY, background.clone()));
    let (pace, stop) = (Arc::clone(&server.pace), background.clone());
    tasks.spawn(async move { pace.run(PACE_SAMPLED_EVERY, stop).await });
    tasks.spawn(retention::keep(
        server.database.clone(),
        config.keep,
        Clock::default(),
        RETENTION_EVERY,
        background.clone(),
    ));
    if let Some(exporter) = exporter {
        tasks.spawn(exporter.upkeep(background.clone()));
    }
    started(&config);
    let end = serve(server, &config, &mut signals).await;
    background.cancel();
    tasks.shutdown().await;
    Ok(end)
}

async fn serve(server: Server, config: &Config, signals: &mut Signals) -> End {
    let mut running = Running::start(server, config);
    if let Some(end) = running.until_told(signals).await {
        return end;
    }
    tracing::info!(grace_seconds = config.grace.as_secs_f64(), "stopping");
    let end = tokio::select! {
        end = running.stop_in_order(Instant::now() + config.grace) => end,
        () = signals.stop() => End::Hurried,
    };
    if matches!(end, End::Hurried | End::Overrun) {
        // The last handle would wait for the writer, and with it for a disk that is too slow for the deadline.
        std::mem::forget(running.spool);
    }
    end
}

/// The parts at work, and what tells each of them to stop.
struct Running {
    spool: Spool,
    database: Database,
    reloader: Arc<Reloader>,
    stopping: CancellationToken,
    stop: Stop,
    collecting: JoinHandle<()>,
    operating: JoinHandle<()>,
    lane: JoinHandle<LaneEnd>,
}

impl Running {
    fn start(server: Server, config: &Config) -> Self {
        let Server { spool, database, lane, reloader, stopping, collect, operate, .. } = server;
        let stop = Stop::default();
        let connections = file_handles::connections(config.collect.server.connections);
        let settings = |connections| server::Settings { connections, ..config.collect.server.clone() };
        Self {
            spool,
            database,
            reloader,
            stopping,
            collecting: tokio::spawn(server::serve(
                collect.0,
                collect.1,
                settings(connections.collect),
                stop.collect.clone(),
            )),
            operating: tokio::spawn(server::serve(
                operate.0,
                operate.1,
                settings(connections.operate),
                stop.operate.clone(),
            )),
            lane: tokio::spawn(lane.run(stop.finish.clone(), stop.now.clone())),
            stop,
        }
    }

    /// Waits until a signal asks to stop (`None`), or until something ended that must not.
    async fn until_told(&mut self, signals: &mut Signals) -> Option<End> {
        let ended = loop {
            tokio::select! {
                biased;
                () = self.spool.poisoned() => {
                    tracing::error!("the spool is poisoned: leaving, so that the next start recovers it");
                    self.stopping.cancel();
                    self.stop.collect.cancel();
                    let _ = timeout(POISONED_GRACE, &mut self.collecting).await;
                    return Some(End::Poisoned);
                }
                asked = signals.next() => match asked {
                    // What is wrong is logged there.
                    Asked::Reload => drop(self.reloader.reload()),
                    Asked::Stop => return None,
                },
                _ = &mut self.collecting => break "collect listener",
                _ = &mut self.operating => break "operate listener",
                _ = &mut self.lane => break "lane",
            }
        };
        tracing::error!(
            ended,
            "ended without being told to: leaving, so that the next start begins it again"
        );
        Some(End::Broken)
    }

    async fn stop_in_order(&mut self, deadline: Instant) -> End {
        self.stopping.cancel();
        self.stop.collect.cancel();
        let finished = timeout_at(deadline, &mut self.collecting).await.is_ok();
        if !finished {
            self.collecting.abort();
            tracing::warn!("requests were cut off at the deadline; their senders were not answered");
        }
        let closed = timeout_at(deadline, self.spool.close()).await;
        if closed.is_err() {
            tracing::warn!("the last fsync was not waited for beyond the deadline");
        }
        self.finish_lane(deadline).await;
        self.stop.operate.cancel();
        let _ = timeout_at(deadline, &mut self.operating).await;
        let _ = timeout_at(deadline, self.database.close()).await;
        match closed {
            Ok(Err(_)) => End::Poisoned,
            Ok(Ok(())) if finished => End::Stopped,
            _ => End::Overrun,
        }
    }

    /// Lets the lane deliver what is left. What it leaves at the deadline is safe: the next start delivers it.
    async fn finish_lane(&mut self, deadline: Instant) {
        self.stop.finish.cancel();
        let end = match timeout_at(deadline, &mut self.lane).await {
            Ok(end) => end,
            Err(_) => {
                self.stop.now.cancel();
                (&mut self.lane).await
            }
        };
        match end {
            Ok(LaneEnd::Drained) => tracing::info!("everything is delivered"),
            Ok(LaneEnd::Left { behind }) => {
                tracing::warn!(behind, "records are left in the spool for the next start");
            }
            Err(_) => tracing::error!("the lane failed while stopping; its records are left in the spool"),
        }
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
