//! Building a server from its settings, from the disk upwards.

use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use super::reload::Reloader;
use crate::{
    clock::Clock,
    config::{Config, Origin},
    database::Database,
    disk::{Disk, RealDisk},
    drain::{dead_letters::DeadLetters, lane::Lane},
    http::{
        admin::{Admin, access::Access},
        body::MemoryBudget,
        collect::Collect,
        operations::Operations,
        router::{collect_router, operate_router},
    },
    ingest::{accept::Ingest, refusal_share::RefusalShare, registry::Registry},
    operate::{
        audit::Auditor,
        health::Health,
        pace::Pace,
        reload::Reload,
        replay::Replay,
        status::{SettingsAge, StatusReport},
        tail::Tail,
    },
    sinks::sql_sink,
    spool::{OpenError, Spool},
    store::users::UsersDirectory,
    telemetry::{exporter::Exporter, metric::Metric},
};

/// Name of the lane that every installation has.
const STORAGE_LANE: &str = "storage";

/// Memory for the bodies of operators' requests.
const OPERATE_BODY_MEMORY: usize = 8 << 20;

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A directory or file of ours cannot be used.
    #[error("cannot use {}", path.display())]
    Disk {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The spool cannot be opened; held by another process, or the disk failed.
    #[error(transparent)]
    Spool(#[from] OpenError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Signals cannot be listened to.
    #[error("cannot listen to signals")]
    Signals(#[source] io::Error),
    /// The operating system has no randomness to give.
    #[error("no randomness")]
    Randomness(#[from] getrandom::Error),
}

/// All parts of a server, not yet serving.
pub(super) struct Server {
    pub(super) spool: Spool,
    pub(super) database: Database,
    pub(super) lane: Lane,
    pub(super) users: Arc<UsersDirectory>,
    pub(super) reloader: Arc<Reloader>,
    pub(super) pace: Arc<Pace>,
    pub(super) stopping: CancellationToken,
    pub(super) collect: (TcpListener, axum::Router),
    pub(super) operate: (TcpListener, axum::Router),
}

impl Server {
    /// Opens the spool, takes the addresses and connects the parts. Databases are not waited for: the lane does that.
    pub(super) async fn build(
        config: &Config,
        origin: Origin,
        exporter: Option<Exporter>,
    ) -> Result<Self, StartError> {
        let core = Core::open(config).await?;
        let settings = Arc::new(SettingsAge::new(core.clock.now()));
        let access = Arc::new(Access::new(config.operate.token.as_ref(), core.clock.clone()));
        let reloader = Arc::new(Reloader {
            origin,
            running: config.clone(),
            registry: Arc::clone(&core.registry),
            access: Arc::clone(&access),
            settings: Arc::clone(&settings),
            busy: Mutex::default(),
        });
        let status = core.status(settings);
        let pace = Arc::clone(&status.pace);
        let operations = Arc::new(Operations {
            health: Arc::clone(&status.health),
            exporter,
            budget: core.budget.clone(),
        });
        let collect = collect_router(Arc::new(core.collect(config)), Arc::clone(&operations));
        let admin = core.admin(config, status, access, Arc::clone(&reloader) as _);
        let Core { spool, database, lane, users, stopping, .. } = core;
        Ok(Self {
            collect: (listen(config.collect.listen).await?, collect),
            operate: (listen(config.operate.listen).await?, operate_router(operations, Arc::new(admin))),
            spool,
            database,
            lane,
            users,
            reloader,
            pace,
            stopping,
        })
    }
}

/// What both listeners are made of.
struct Core {
    clock: Clock,
    spool: Spool,
    database: Database,
    lane: Lane,
    users: Arc<UsersDirectory>,
    registry: Arc<Registry>,
    ingest: Arc<Ingest>,
    budget: MemoryBudget,
    stopping: CancellationToken,
}

impl Core {
    async fn open(config: &Config) -> Result<Self, StartError> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let clock = Clock::default();
        let (spool, letters) = open_data(config, &disk).await?;
        let database = Database::new(&config.storage);
        let sink = sql_sink(database.clone(), STORAGE_LANE, clock.clone());
        let lane = Lane::new(spool.clone(), sink, Arc::new(letters), config.drain, clock.clone());
        let users = Arc::new(UsersDirectory::new(database.clone()));
        let refusals = RefusalShare::new(config.refusals_bytes);
        Ok(Self {
            registry: Arc::new(Registry::new(config.sources.clone(), config.version.clone())),
            ingest: Arc::new(Ingest::new(spool.clone(), Arc::clone(&users), refusals)?),
            budget: MemoryBudget::new(config.collect.body_memory),
            stopping: CancellationToken::new(),
            clock,
            spool,
            database,
            lane,
            users,
        })
    }

    fn collect(&self, config: &Config) -> Collect {
        Collect {
            registry: Arc::clone(&self.registry),
            ingest: Arc::clone(&self.ingest),
            budget: self.budget.clone(),
            body: config.collect.body,
            clock: self.clock.clone(),
            threads: Arc::new(Semaphore::new(Collect::deliveries_at_once(
                std::thread::available_parallelism().map_or(2, usize::from),
                config.collect.body_memory,
            ))),
            unrouted: Metric::UnroutedRequests.counter(&[]),
        }
    }

    fn status(&self, settings: Arc<SettingsAge>) -> StatusReport {
        let (spool, registry, users) = (&self.spool, &self.registry, &self.users);
        let lanes = vec![self.lane.status()];
        let stopping = self.stopping.clone();
        StatusReport {
            started_at: self.clock.now(),
            begun_at: spool.end(),
            clock: self.clock.clone(),
            health: Arc::new(Health::new(
                spool.clone(),
                Arc::clone(registry),
                Arc::clone(users),
                lanes,
                stopping,
            )),
            registry: Arc::clone(registry),
            spool: spool.clone(),
            pace: Arc::new(Pace::new(spool.clone())),
            lanes: vec![self.lane.handle()],
            settings,
        }
    }

    fn admin(
        &self,
        config: &Config,
        status: StatusReport,
        access: Arc<Access>,
        reload: Arc<dyn Reload>,
    ) -> Admin {
        let (database, ingest, registry) = (&self.database, &self.ingest, &self.registry);
        Admin {
            access,
            registry: Arc::clone(registry),
            ingest: Arc::clone(ingest),
            database: database.clone(),
            spool: self.spool.clone(),
            lanes: status.lanes.clone(),
            status,
            replay: Replay::new(database.clone(), Arc::clone(ingest), Arc::clone(registry)),
            auditor: Auditor::default(),
            tail: Tail::new(self.spool.clone(), self.stopping.clone()),
            reload,
            explaining: Semaphore::new(1),
            budget: MemoryBudget::new(OPERATE_BODY_MEMORY),
            body: config.collect.body,
            turned_away: Metric::OperatorsTurnedAway.counter(&[]),
        }
    }
}

/// Everything on disk that is not the database. Recovery reads files, so it runs off the runtime's workers.
async fn open_data(config: &Config, disk: &Arc<dyn Disk>) -> Result<(Spool, DeadLetters), StartError> {
    let (disk, config) = (Arc::clone(disk), config.clone());
    let open = move || {
        let failed = |path: &PathBuf| {
            let path = path.clone();
            move |source| StartError::Disk { path, source }
        };
        disk.create_dir_all(&config.data_dir, true).map_err(failed(&config.data_dir))?;
        let (spool, recovery) = Spool::open(Arc::clone(&disk), config.spool.clone())?;
        let records = recovery.end.saturating_sub(recovery.oldest);
        tracing::info!(spool_id = %recovery.id, records, torn_bytes = recovery.torn_bytes, "spool opened");
        let directory = config.data_dir.join("dead").join(STORAGE_LANE);
        let letters =
            DeadLetters::open(Arc::clone(&disk), directory.clone(), config.drain.dead_letters_bytes);
        Ok((spool, letters.map_err(failed(&directory))?))
    };
    match tokio::task::spawn_blocking(open).await {
        Ok(opened) => opened,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

async fn listen(address: SocketAddr) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| StartError::Listen { address, source })
}
