//! Building a server from its settings, from the disk upwards.

use std::{io, net::SocketAddr, path::PathBuf, sync::Arc};

use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::Clock,
    config::Config,
    database::Database,
    disk::{Disk, RealDisk},
    drain::{dead_letters::DeadLetters, lane::Lane},
    http::{
        body::MemoryBudget,
        collect::Collect,
        operations::Operations,
        router::{collect_router, operate_router},
    },
    ingest::{accept::Ingest, refusal_share::RefusalShare, registry::Registry},
    operate::health::Health,
    sinks::sql_sink,
    spool::{OpenError, Spool},
    store::users::UsersDirectory,
    telemetry::{exporter::Exporter, metric::Metric},
};

/// Name of the lane that every installation has.
const STORAGE_LANE: &str = "storage";

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
    pub(super) registry: Arc<Registry>,
    pub(super) stopping: CancellationToken,
    pub(super) collect: (TcpListener, axum::Router),
    pub(super) operate: (TcpListener, axum::Router),
}

impl Server {
    /// Opens the spool, takes the addresses and connects the parts. Databases are not waited for: the lane does that.
    pub(super) async fn build(config: &Config, exporter: Option<Exporter>) -> Result<Self, StartError> {
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let clock = Clock::default();
        let (spool, letters) = open_data(config, &disk).await?;
        let database = Database::new(&config.storage);
        let sink = sql_sink(database.clone(), STORAGE_LANE, clock.clone());
        let lane = Lane::new(spool.clone(), sink, Arc::new(letters), config.drain, clock.clone());
        let users = Arc::new(UsersDirectory::new(database.clone()));
        let registry = Arc::new(Registry::new(config.sources.clone(), config.version.clone()));
        let refusals = RefusalShare::new(config.refusals_bytes);
        let ingest = Arc::new(Ingest::new(spool.clone(), Arc::clone(&users), refusals)?);
        let stopping = CancellationToken::new();
        let health = Arc::new(Health::new(
            spool.clone(),
            Arc::clone(&registry),
            Arc::clone(&users),
            vec![lane.status()],
            stopping.clone(),
        ));
        let budget = MemoryBudget::new(config.collect.body_memory);
        let operations =
            Arc::new(Operations { health: Arc::clone(&health), exporter, budget: budget.clone() });
        let collect = Collect {
            registry: Arc::clone(&registry),
            ingest,
            budget,
            body: config.collect.body,
            clock,
            threads: Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from))),
            unrouted: Metric::UnroutedRequests.counter(&[]),
        };
        Ok(Self {
            collect: (
                listen(config.collect.listen).await?,
                collect_router(Arc::new(collect), Arc::clone(&operations)),
            ),
            operate: (listen(config.operate.listen).await?, operate_router(operations)),
            spool,
            database,
            lane,
            users,
            registry,
            stopping,
        })
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
