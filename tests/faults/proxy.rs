//! The network between a collector and PostgreSQL: a relay that can be slow, silent, dead, or gone at the wrong moment.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::watch,
    time::sleep,
};

/// The end of the message by which a client commits.
const COMMIT: &[u8] = b"COMMIT\0";

/// What a slow network passes on at a time, and how long it rests afterwards.
const SLOW_BYTES: usize = 2048;
const SLOW_REST: Duration = Duration::from_millis(5);

/// One commit in so many is hit, so that the others make progress.
const COMMITS_PER_CUT: usize = 3;

/// What the network is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Network {
    Well,
    Slow,
    /// Everything is reset.
    Down,
    /// Nothing passes; it does later.
    Silent,
    /// Nothing passes, and on the connections that noticed nothing ever will.
    HalfOpen,
    /// The connection is reset at a commit, before, while or after the server hears of it.
    Cut(Moment),
}

/// When a connection is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    Before,
    Inside,
    /// The server has committed, and its answer is lost.
    After,
}

/// The relay.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    network: watch::Sender<Network>,
    hits: Arc<AtomicUsize>,
}

impl Proxy {
    /// Relays to a server on this port.
    pub(crate) async fn start(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            network: watch::Sender::new(Network::Well),
            hits: Arc::default(),
        };
        let (network, hits) = (proxy.network.subscribe(), Arc::clone(&proxy.hits));
        tokio::spawn(async move {
            let commits = Arc::new(AtomicUsize::new(0));
            while let Ok((client, _)) = listener.accept().await {
                let relay = Relay {
                    network: network.clone(),
                    hits: Arc::clone(&hits),
                    commits: Arc::clone(&commits),
                };
                // Whatever ends a relay ends both of its connections.
                tokio::spawn(relay.run(client, port));
            }
        });
        proxy
    }

    /// This URL, by way of the relay.
    pub(crate) fn url(&self, url: &str) -> String {
        let (before, after) = url.rsplit_once('@').unwrap();
        let (_, database) = after.split_once('/').unwrap();
        format!("{before}@{}/{database}", self.address)
    }

    /// Changes the network, for all connections.
    pub(crate) fn set(&self, network: Network) {
        self.network.send_replace(network);
    }

    /// How often somebody met with what is wrong with the network.
    pub(crate) fn hits(&self) -> usize {
        self.hits.load(Ordering::Relaxed)
    }
}

/// One connection and its other half.
struct Relay {
    network: watch::Receiver<Network>,
    hits: Arc<AtomicUsize>,
    commits: Arc<AtomicUsize>,
}

impl Relay {
    async fn run(mut self, client: TcpStream, port: u16) -> io::Result<()> {
        let _ = client.set_zero_linger();
        if *self.network.borrow_and_update() == Network::Down {
            self.hit();
            return Ok(());
        }
        let server = TcpStream::connect(("127.0.0.1", port)).await?;
        server.set_zero_linger()?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        self.relay(client, server).await
    }

    async fn relay(&mut self, mut client: TcpStream, mut server: TcpStream) -> io::Result<()> {
        let (mut up, mut down) = (vec![0; 16 << 10], vec![0; 16 << 10]);
        loop {
            let network = *self.network.borrow_and_update();
            match network {
                Network::Down => {
                    self.hit();
                    return Ok(());
                }
                Network::Silent | Network::HalfOpen => {
                    if self.is_missed(&client, &server).await {
                        self.hit();
                        if network == Network::HalfOpen {
                            return forget(client, server).await;
                        }
                        let _ = self.network.changed().await;
                    }
                    continue;
                }
                Network::Well | Network::Slow | Network::Cut(_) => {}
            }
            let most = if network == Network::Slow { SLOW_BYTES } else { up.len() };
            tokio::select! {
                _ = self.network.changed() => {}
                read = client.read(&mut up[..most]) => {
                    let sent = &up[..read?];
                    if sent.is_empty() {
                        return Ok(());
                    }
                    if let Network::Cut(moment) = network && self.is_cut(sent) {
                        return cut(moment, sent, &mut server).await;
                    }
                    server.write_all(sent).await?;
                    self.rest(network).await;
                }
                read = server.read(&mut down[..most]) => {
                    let sent = &down[..read?];
                    if sent.is_empty() {
                        return Ok(());
                    }
                    client.write_all(sent).await?;
                }
            }
        }
    }

    /// Waits until one of the two says something that the other does not hear, which is answered yes, or until the network
    /// changes.
    async fn is_missed(&mut self, client: &TcpStream, server: &TcpStream) -> bool {
        tokio::select! {
            _ = self.network.changed() => false,
            said = client.readable() => said.is_ok(),
            said = server.readable() => said.is_ok(),
        }
    }

    fn is_cut(&self, sent: &[u8]) -> bool {
        let commits = sent.windows(COMMIT.len()).any(|window| window == COMMIT);
        let is_cut = commits && self.commits.fetch_add(1, Ordering::Relaxed).is_multiple_of(COMMITS_PER_CUT);
        if is_cut {
            self.hit();
        }
        is_cut
    }

    async fn rest(&self, network: Network) {
        if network == Network::Slow {
            self.hit();
            sleep(SLOW_REST).await;
        }
    }

    fn hit(&self) {
        self.hits.fetch_add(1, Ordering::Relaxed);
    }
}

/// Passes on as much of a commit as the moment asks for.
async fn cut(moment: Moment, sent: &[u8], server: &mut TcpStream) -> io::Result<()> {
    match moment {
        Moment::Before => {}
        Moment::Inside => server.write_all(&sent[..sent.len() - COMMIT.len() / 2]).await?,
        Moment::After => {
            server.write_all(sent).await?;
            // The answer says that it is done; nobody hears of it.
            server.readable().await?;
        }
    }
    Ok(())
}

/// Keeps a connection open on which nothing passes any more, until the client gives it up. The server is not told: its
/// half stays as well.
async fn forget(mut client: TcpStream, server: TcpStream) -> io::Result<()> {
    let mut unheard = vec![0; 16 << 10];
    while client.read(&mut unheard).await? > 0 {}
    drop(server);
    Ok(())
}
