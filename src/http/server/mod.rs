//! The HTTP/1.1 server: accepts connections and defends the handlers against slow, greedy and ambiguous clients.
//!
//! | danger | defence |
//! |---|---|
//! | silent sockets, slow heads, idle connections | a deadline each, in `stream` |
//! | slow bodies | `http::body`, whose caller can still answer |
//! | a peer that does not read its answer | `write_timeout`, in `stream` |
//! | more connections than file handles | none is accepted beyond `connections` |
//! | idle connections that keep others out | they end early while there are as many as allowed |
//! | two readings of one request (smuggling) | `head` and `chunks` judge every request's raw bytes |
//! | an early answer that a reset overtakes | `stream` lingers: 64 KiB, one second |
//!
//! TLS and HTTP/2 belong to the proxy in front.

mod chunks;
mod connection;
#[cfg(any(test, fuzzing))]
pub(crate) mod fuzz;
mod head;
#[cfg(feature = "micro-benchmarks")]
pub mod micro;
mod patience;
mod refusal;
mod stream;

#[cfg(test)]
mod tests;

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::Router;
use tokio::{
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

/// How long to wait before accepting again when the machine has run out of something.
const ACCEPT_PAUSE: Duration = Duration::from_secs(1);

/// The most header fields and bytes of a head that can be allowed: hyper takes no more.
pub const HEADERS_MAX: u64 = 100;
/// See [`HEADERS_MAX`].
pub const HEAD_BYTES_MAX: u64 = 64 * 1024;

/// Limits of a listener and of each of its connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The most connections at a time; more wait in the kernel's queue.
    pub connections: usize,
    /// How long a new connection may be silent.
    pub first_byte_timeout: Duration,
    /// How long a head may take from its first byte.
    pub head_timeout: Duration,
    /// How long a connection may be idle between requests. While there are as many connections as allowed, it is no longer
    /// than a new one may be silent.
    pub idle_timeout: Duration,
    /// How long a peer may take no byte of its answer.
    pub write_timeout: Duration,
    /// The most header fields of a request; hyper itself takes no more than 100.
    pub headers: usize,
    /// The most bytes of a request's head, its line included; hyper itself takes no more than 64 KiB.
    pub head_bytes: usize,
    /// The most bytes of a query string.
    pub query_bytes: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connections: 1024,
            first_byte_timeout: Duration::from_secs(5),
            head_timeout: Duration::from_secs(5),
            idle_timeout: Duration::from_secs(75),
            write_timeout: Duration::from_secs(30),
            headers: 64,
            head_bytes: 16 * 1024,
            query_bytes: 4 * 1024,
        }
    }
}

/// Who sent a request: an extension of every request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer(pub SocketAddr);

/// Serves `router` until `stop`, then accepts nothing more, lets every request in flight be answered and closes idle
/// connections. Returns when the last connection has ended; the caller may set a deadline, for dropping this future
/// drops them all.
pub async fn serve(listener: TcpListener, router: Router, settings: Settings, stop: CancellationToken) {
    accept_all(listener, router, settings, stop).await;
}

/// Where connections come from; a seam for tests, as a machine does not run out of file handles at will.
trait Accept {
    /// Waits for the next connection. Safe to drop at any time.
    fn accept(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send;
}

impl Accept for TcpListener {
    fn accept(&self) -> impl Future<Output = io::Result<(TcpStream, SocketAddr)>> + Send {
        Self::accept(self)
    }
}

async fn accept_all(
    listener: impl Accept + Sync,
    router: Router,
    settings: Settings,
    stop: CancellationToken,
) {
    let settings = Arc::new(settings);
    let crowded = Arc::<AtomicBool>::default();
    let mut connections = JoinSet::new();
    loop {
        crowded.store(connections.len() >= settings.connections, Ordering::Relaxed);
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            Some(ended) = connections.join_next() => report(ended),
            (socket, peer) = accept(&listener), if connections.len() < settings.connections => {
                // Answers are small and whole; waiting to fill a packet only delays them.
                let _ = socket.set_nodelay(true);
                // A token of its own spares the connections from meeting at one lock.
                let stop = stop.child_token();
                let shared = (Arc::clone(&settings), Arc::clone(&crowded));
                connections.spawn(connection::serve(socket, peer, router.clone(), shared, stop));
            }
        }
    }
    // From here on the kernel refuses new connections.
    drop(listener);
    while let Some(ended) = connections.join_next().await {
        report(ended);
    }
}

/// Accepts the next connection, whatever errors come before it. A peer that has gone again is its own matter; all other
/// errors (no file handle, no memory) concern us and pass when connections end.
async fn accept(listener: &impl Accept) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept().await {
            Ok(accepted) => return accepted,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
                ) => {}
            Err(error) => {
                tracing::warn!(%error, "cannot accept connections");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if ended.is_err_and(|error| error.is_panic()) {
        tracing::error!("the task of a connection panicked");
    }
}
