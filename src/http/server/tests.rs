//! The server on real sockets: each promise of the module's table, and of HTTP where hyper alone would break it.
//!
//! Deadlines are real here, for they are what is tested; they are short, and nothing else waits for time to pass.

use std::{
    future::pending,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Extension, Router,
    body::{Body, Bytes},
    http::StatusCode,
    routing::{get, post},
};
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinHandle,
    time::{interval, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{Accept, Peer, Settings, accept_all, serve};

/// Far longer than anything here takes; a test that meets it has failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Limits that a test need not wait long for.
fn short() -> Settings {
    Settings {
        first_byte_timeout: Duration::from_millis(150),
        head_timeout: Duration::from_millis(150),
        idle_timeout: Duration::from_millis(150),
        write_timeout: Duration::from_millis(150),
        ..Settings::default()
    }
}

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    ended: JoinHandle<()>,
    /// Lets `/wait` answer.
    go: Arc<Notify>,
    /// Tells that `/wait` is at work.
    waiting: Arc<Notify>,
}

impl Server {
    async fn start(settings: Settings) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (go, waiting) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let stop = CancellationToken::new();
        let router = router(Arc::clone(&go), Arc::clone(&waiting));
        let ended = tokio::spawn(serve(listener, router, settings, stop.clone()));
        Self { address, stop, ended, go, waiting }
    }

    async fn connect(&self) -> Client {
        Client(TcpStream::connect(self.address).await.unwrap())
    }

    /// Sends `request` on a connection of its own and returns all that comes until the server closes it.
    async fn exchange(&self, request: impl AsRef<[u8]>) -> String {
        let mut client = self.connect().await;
        client.send(request).await;
        client.rest().await
    }

    /// Stops the server and waits for its last connection.
    async fn end(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.ended).await.unwrap().unwrap();
    }
}

fn router(go: Arc<Notify>, waiting: Arc<Notify>) -> Router {
    let wait = move || async move {
        waiting.notify_one();
        go.notified().await;
        "waited"
    };
    // Answers with the body, or says that it was broken off.
    let echo = |body: Body| async {
        body.collect().await.map_or((StatusCode::BAD_REQUEST, Bytes::from("broken")), |body| {
            (StatusCode::OK, body.to_bytes())
        })
    };
    Router::new()
        .route("/echo", post(echo))
        .route("/wait", post(wait))
        .route("/early", post(|| async { (StatusCode::UNAUTHORIZED, "early") }))
        .route("/forever", post(|_: Body| pending::<()>()))
        .route("/large", get(|| async { vec![b'x'; 64 << 20] }))
        .route("/peer", get(|Extension(Peer(peer)): Extension<Peer>| async move { peer.to_string() }))
}

struct Client(TcpStream);

impl Client {
    async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        timeout(PATIENCE, self.0.write_all(bytes.as_ref())).await.unwrap().unwrap();
    }

    /// All that comes until the server closes the connection, which must not be by a reset.
    async fn rest(&mut self) -> String {
        let mut answer = Vec::new();
        timeout(PATIENCE, self.0.read_to_end(&mut answer))
            .await
            .expect("the server closes")
            .expect("no reset");
        String::from_utf8(answer).unwrap()
    }

    /// Reads until what has come ends with `end`.
    async fn until(&mut self, end: &str) -> String {
        let mut answer = Vec::new();
        while !answer.ends_with(end.as_bytes()) {
            let byte = timeout(PATIENCE, self.0.read_u8()).await.expect("an answer");
            answer.push(
                byte.unwrap_or_else(|error| panic!("{error} after {:?}", String::from_utf8_lossy(&answer))),
            );
        }
        String::from_utf8(answer).unwrap()
    }
}

fn echo(body: &str) -> String {
    format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

const CLOSING_PEER: &str = "GET /peer HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fn assert_refused(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer:?}");
    assert!(answer.contains("connection: close\r\n"), "{answer:?}");
    assert!(answer.contains("\r\n\r\n{\"committed\":false,\"message\":\""), "{answer:?}");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer:?}");
}

#[tokio::test]
async fn silent_connections_are_closed() {
    let server = Server::start(Settings { idle_timeout: PATIENCE, ..short() }).await;
    assert_eq!(server.connect().await.rest().await, "");
    assert_eq!(server.exchange("\r\n\r\n\r").await, "");
}

#[tokio::test]
async fn idle_connections_give_way_to_those_who_wait() {
    let settings = || Settings { connections: 1, idle_timeout: PATIENCE, head_timeout: PATIENCE, ..short() };
    let server = Server::start(settings()).await;
    let mut idle = server.connect().await;
    idle.send(echo("one")).await;
    idle.until("\r\n\r\none").await;
    assert!(server.exchange(CLOSING_PEER).await.starts_with("HTTP/1.1 200 "));
    assert_eq!(idle.rest().await, "");

    // As long as there is room for others it stays.
    let server = Server::start(Settings { connections: 2, ..settings() }).await;
    let mut idle = server.connect().await;
    idle.send(echo("one")).await;
    idle.until("\r\n\r\none").await;
    assert!(timeout(Duration::from_millis(600), idle.0.read_u8()).await.is_err());
    idle.send(echo("two")).await;
    idle.until("\r\n\r\ntwo").await;
}

#[tokio::test]
async fn heads_that_stall_are_answered_408() {
    let server =
        Server::start(Settings { idle_timeout: PATIENCE, first_byte_timeout: PATIENCE, ..short() }).await;
    assert_refused(&server.exchange("P").await, 408);
    assert_refused(&server.exchange("GET /peer HTTP/1.1\r\nHost: a\r\n").await, 408);
    let mut client = server.connect().await;
    client.send(echo("one")).await;
    client.until("\r\n\r\none").await;
    client.send("GET").await;
    assert_refused(&client.rest().await, 408);
}

#[tokio::test]
async fn heads_that_trickle_do_not_move_the_deadline() {
    let server = Server::start(short()).await;
    let start = Instant::now();
    let (mut reader, mut writer) = server.connect().await.0.into_split();
    let trickle = tokio::spawn(async move {
        let mut pace = interval(Duration::from_millis(10));
        writer.write_all(b"GET /peer HTTP/1.1\r\nX: ").await.unwrap();
        while writer.write_all(b"x").await.is_ok() {
            pace.tick().await;
        }
    });
    let mut status = [0; 12];
    timeout(PATIENCE, reader.read_exact(&mut status)).await.unwrap().unwrap();
    assert_eq!(&status, b"HTTP/1.1 408");
    assert!(start.elapsed() >= Duration::from_millis(150));
    timeout(PATIENCE, trickle).await.unwrap().unwrap();
}

#[tokio::test]
async fn idle_connections_are_closed() {
    let server =
        Server::start(Settings { first_byte_timeout: PATIENCE, head_timeout: PATIENCE, ..short() }).await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.send(echo("one")).await;
        client.until("\r\n\r\none").await;
    }
    assert_eq!(client.rest().await, "");
}

#[tokio::test]
async fn bodies_that_stall_are_broken_off() {
    let server = Server::start(short()).await;
    let stalled = "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf";
    assert!(server.exchange(stalled).await.ends_with("broken"));
}

#[tokio::test]
async fn a_peer_that_takes_no_answer_is_dropped() {
    let server = Server::start(short()).await;
    let mut client = server.connect().await;
    client.send("GET /large HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.until("\r\n\r\n").await;
    server.end().await;
}

#[tokio::test]
async fn ambiguous_requests_are_refused() {
    let server = Server::start(Settings::default()).await;
    for fields in [
        "Host: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n",
        "Host: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 0\r\n",
        "Host: a\r\nContent-Length: 0\r\nContent-Length: 0\r\n",
        "Host: a\r\nContent-Length: 0\r\nContent-Length: 1\r\n",
        "Host: a\r\nTransfer-Encoding: chunked, identity\r\n",
        "Host: a\r\nX: b\r\n folded\r\n",
        "Host : a\r\n",
        "Host: a\nX: b\r\n",
        "Host: a\r\nHost: a\r\n",
        "X: no host\r\n",
    ] {
        for version in ["1.1", "1.0"] {
            let request = format!("POST /echo HTTP/{version}\r\n{fields}\r\n0\r\n\r\n");
            assert_refused(&server.exchange(&request).await, 400);
        }
    }
}

#[tokio::test]
async fn what_hyper_refuses_is_a_400_too() {
    let server = Server::start(Settings::default()).await;
    for request in [
        "GET / HTTP/3.0\r\nHost: a\r\n\r\n",
        "GET / http/1.1\r\nHost: a\r\n\r\n",
        "G(T / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /\u{1} HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX(: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \0\r\n\r\n",
        "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ] {
        let answer = server.exchange(request).await;
        assert!(answer.starts_with("HTTP/1.1 400 "), "{request:?}: {answer:?}");
        assert!(answer.contains("connection: close\r\n"), "{request:?}: {answer:?}");
    }
}

#[tokio::test]
async fn other_protocols_are_refused_at_once() {
    let server = Server::start(Settings { head_timeout: PATIENCE, ..Settings::default() }).await;
    assert_refused(&server.exchange(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03").await, 400);
    assert_refused(&server.exchange("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await, 400);
    assert_refused(&server.exchange("CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n").await, 400);
    assert_refused(&server.exchange("GET http://b/peer HTTP/1.1\r\nHost: a\r\n\r\n").await, 400);
}

#[tokio::test]
async fn ambiguous_requests_are_refused_behind_others() {
    let server = Server::start(Settings::default()).await;
    let smuggled =
        "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    for first in [
        echo("one"),
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\none\r\n0\r\n\r\n".into(),
        "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3;x\r\none\r\n0\r\nT: t\r\n\r\n"
            .into(),
    ] {
        let answers = server.exchange([&first, smuggled].concat()).await;
        let (answer, refusal) = answers.split_once("\r\n\r\none").expect("the first is answered");
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
        assert_refused(refusal, 400);
    }
}

#[tokio::test]
async fn a_refused_request_does_not_cut_off_the_answer_before_it() {
    let server = Server::start(Settings::default()).await;
    let mut client = server.connect().await;
    client.send("POST /wait HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\n\r\n").await;
    server.waiting.notified().await;
    server.go.notify_one();
    let answers = client.rest().await;
    let (answer, refusal) = answers.split_once("\r\n\r\nwaited").expect("the first is answered");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
    assert_refused(refusal, 400);
}

#[tokio::test]
async fn malformed_chunks_break_the_body_off_and_end_the_connection() {
    let server = Server::start(Settings::default()).await;
    for chunks in ["3\nabc\n0\n\n", "3\r\nabcd\r\n0\r\n\r\n", "x\r\n", "3\r\nabc\r\n0\r\n\n"] {
        let head = "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";
        let answer = server.exchange([head, chunks, &echo("smuggled")].concat()).await;
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.ends_with("broken"), "{answer:?}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer:?}");
    }
}

#[tokio::test]
async fn large_heads_are_refused() {
    let server = Server::start(Settings::default()).await;
    let fields = |count| format!("GET /peer HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: a\r\n".repeat(count));
    assert_refused(&server.exchange(fields(64)).await, 431);
    assert_refused(&server.exchange(fields(10_000)).await, 431);
    let unended = format!("GET /peer HTTP/1.1\r\nHost: a\r\nX: {}", "x".repeat(16 * 1024));
    assert_refused(&server.exchange(unended).await, 431);
    let query = format!("GET /peer?{} HTTP/1.1\r\nHost: a\r\n\r\n", "q".repeat(4097));
    assert_refused(&server.exchange(query).await, 414);
    let path = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "p".repeat(70_000));
    assert_refused(&server.exchange(path).await, 414);
}

#[tokio::test]
async fn heads_at_the_limits_are_served() {
    let server = Server::start(Settings::default()).await;
    let fields = format!("{}X: {}\r\n", "X: a\r\n".repeat(61), "x".repeat(11_000));
    let query = "q".repeat(4096);
    let request = format!("GET /peer?{query} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n{fields}\r\n");
    assert!(server.exchange(request).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_handler_that_answers_early_does_not_ask_for_the_body() {
    let server = Server::start(Settings::default()).await;
    let request =
        "POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\nExpect: 100-continue\r\n\r\n";
    let mut client = server.connect().await;
    client.send(request).await;
    let answer = client.until("early").await;
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer:?}");
    assert!(answer.contains("connection: close\r\n"), "{answer:?}");
}

#[tokio::test]
async fn a_handler_that_reads_the_body_asks_for_it() {
    let server = Server::start(Settings::default()).await;
    let mut client = server.connect().await;
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n").await;
    assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("one").await;
    assert!(client.until("\r\n\r\none").await.starts_with("HTTP/1.1 200 "));
}

/// Sends the head of a large request to `/early` and reads all of the answer, to the end of the stream.
async fn answered_early(server: &Server) -> TcpStream {
    let mut client = server.connect().await;
    client.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 100000000\r\n\r\n").await;
    let answer = client.rest().await;
    assert!(answer.contains("connection: close\r\n") && answer.ends_with("early"), "{answer:?}");
    client.0
}

#[tokio::test]
async fn an_early_answer_is_not_overtaken_by_a_reset() {
    let server = Server::start(Settings::default()).await;
    let mut sender = answered_early(&server).await;
    // The server has answered and will send no more, yet it takes what comes: each of these would meet the reset that
    // the one before has called forth.
    for _ in 0..6 {
        sender.write_all(&[b'x'; 10_000]).await.expect("no reset");
    }
}

#[tokio::test]
async fn a_sender_that_ignores_an_early_answer_is_cut_off() {
    let server = Server::start(Settings::default()).await;
    let mut sender = answered_early(&server).await;
    let mut sent = 0;
    let endless = async {
        while sender.write_all(&[b'x'; 10_000]).await.is_ok() {
            sent += 10_000;
        }
    };
    timeout(PATIENCE, endless).await.unwrap();
    // What lies in the kernel's buffers is beyond our control, but it is not what a second would have let through.
    assert!(sent < 32 << 20, "{sent}");
}

#[tokio::test]
async fn an_early_answer_to_a_request_that_is_there_keeps_the_connection() {
    let server = Server::start(Settings::default()).await;
    let mut client = server.connect().await;
    for _ in 0..3 {
        client.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\none").await;
        let answer = client.until("early").await;
        assert!(!answer.contains("connection: close"), "{answer:?}");
    }
    client.send(echo("two")).await;
    client.until("\r\n\r\ntwo").await;
}

#[tokio::test]
async fn the_rest_of_a_body_is_not_awaited_for_long() {
    let server = Server::start(Settings::default()).await;
    let mut client = server.connect().await;
    client.send("POST /early HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\nx").await;
    client.until("early").await;
    let start = Instant::now();
    server.end().await;
    assert!(start.elapsed() < Duration::from_secs(4));
}

#[tokio::test]
async fn connections_beyond_the_limit_wait() {
    let server = Server::start(Settings { connections: 1, ..Settings::default() }).await;
    let mut first = server.connect().await;
    first.send(echo("one")).await;
    first.until("\r\n\r\none").await;
    let mut second = server.connect().await;
    second.send(CLOSING_PEER).await;
    // The first is still served while the second has to wait.
    first.send(echo("two")).await;
    first.until("\r\n\r\ntwo").await;
    assert!(timeout(Duration::from_millis(100), second.0.read_u8()).await.is_err());
    drop(first);
    assert!(second.rest().await.starts_with("HTTP/1.1 200 "));
}

/// Runs out of file handles once.
struct Exhausted {
    listener: TcpListener,
    calls: Arc<AtomicUsize>,
}

impl Accept for Exhausted {
    async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        if self.calls.fetch_add(1, Ordering::Relaxed) == 0 {
            return Err(io::Error::from_raw_os_error(24));
        }
        self.listener.accept().await
    }
}

#[tokio::test]
async fn running_out_of_file_handles_is_survived_without_spinning() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let calls = Arc::new(AtomicUsize::new(0));
    let exhausted = Exhausted { listener, calls: Arc::clone(&calls) };
    let start = Instant::now();
    let router = router(Arc::default(), Arc::default());
    tokio::spawn(accept_all(exhausted, router, Settings::default(), CancellationToken::new()));
    let mut client = Client(TcpStream::connect(address).await.unwrap());
    client.send(CLOSING_PEER).await;
    assert!(client.rest().await.starts_with("HTTP/1.1 200 "));
    assert!(start.elapsed() >= super::ACCEPT_PAUSE);
    // The failure, the connection, and the wait for the next with what the connection's end interrupts.
    assert!(calls.load(Ordering::Relaxed) <= 4);
}

#[tokio::test]
async fn handlers_know_the_peer() {
    let server = Server::start(Settings::default()).await;
    let mut client = server.connect().await;
    let address = client.0.local_addr().unwrap().to_string();
    client.send(CLOSING_PEER).await;
    assert!(client.rest().await.ends_with(&address));
}

#[tokio::test]
async fn stopping_finishes_what_is_in_flight_and_closes_the_idle() {
    let server = Server::start(Settings::default()).await;
    let mut fresh = server.connect().await;
    let mut idle = server.connect().await;
    idle.send(echo("one")).await;
    idle.until("\r\n\r\none").await;
    let mut busy = server.connect().await;
    busy.send("POST /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
    server.waiting.notified().await;
    server.stop.cancel();
    assert_eq!(idle.rest().await, "");
    assert_eq!(fresh.rest().await, "");
    assert!(TcpStream::connect(server.address).await.is_err());
    assert!(!server.ended.is_finished());
    server.go.notify_one();
    let answer = busy.rest().await;
    assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("connection: close\r\n"), "{answer:?}");
    server.end().await;
}

#[tokio::test]
async fn dropping_the_server_drops_its_connections() {
    let server = Server::start(Settings::default()).await;
    let mut client = server.connect().await;
    client.send("POST /forever HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.send(echo("")).await;
    server.ended.abort();
    assert_ne!(timeout(PATIENCE, client.0.read(&mut [0])).await.unwrap().unwrap_or(0), 1);
}

#[tokio::test]
async fn a_client_that_has_closed_its_half_is_answered() {
    let server = Server::start(Settings::default()).await;
    let mut client = server.connect().await;
    client.send("POST /wait HTTP/1.1\r\nHost: a\r\n\r\n").await;
    client.0.shutdown().await.unwrap();
    server.waiting.notified().await;
    server.go.notify_one();
    assert!(client.rest().await.ends_with("waited"));
}

#[tokio::test]
async fn a_client_that_goes_away_breaks_its_body_off() {
    let server = Server::start(Settings::default()).await;
    let mut client = server.connect().await;
    client.send("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf").await;
    client.0.shutdown().await.unwrap();
    assert!(client.rest().await.ends_with("broken"));
}

#[tokio::test]
async fn a_pipeline_in_any_pieces_is_answered_in_order() {
    let server = Server::start(Settings::default()).await;
    let mut pipeline = String::new();
    for number in 0..40 {
        match number % 3 {
            0 => pipeline.push_str(&echo(&format!("<{number}>"))),
            1 => {
                let body = format!("<{number}>");
                let chunks = format!("1\r\n<\r\n{:x}\r\n{}\r\n0\r\n\r\n", body.len() - 1, &body[1..]);
                pipeline.push_str("POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
                pipeline.push_str(&chunks);
            }
            _ => {
                pipeline.push_str(&echo(&format!("<{number}>{}", "x".repeat(20_000))));
                // The empty line that some clients send behind a body.
                pipeline.push_str("\r\n");
            }
        }
    }
    pipeline.push_str(CLOSING_PEER);
    for piece in [1, 7, 1000, 8191, 8192, 8193, usize::MAX] {
        let (mut reader, mut writer) = server.connect().await.0.into_split();
        writer.as_ref().set_nodelay(true).unwrap();
        let bytes = pipeline.clone().into_bytes();
        // Only the first requests go byte by byte; the rest would take its time and show nothing new.
        let piece_total = if piece == 1 { 20_000 } else { bytes.len() };
        let send = tokio::spawn(async move {
            for piece in bytes[..piece_total].chunks(piece) {
                writer.write_all(piece).await.unwrap();
            }
            writer.write_all(&bytes[piece_total..]).await.unwrap();
        });
        let mut answers = String::new();
        timeout(PATIENCE, reader.read_to_string(&mut answers)).await.unwrap().unwrap();
        send.await.unwrap();
        let mut rest = answers.as_str();
        for number in 0..40 {
            let (answer, behind) = rest.split_once(&format!("<{number}>")).expect("answers in order");
            assert!(answer.trim_start_matches('x').starts_with("HTTP/1.1 200 "), "{number} by {piece}");
            assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{number} by {piece}");
            rest = behind;
        }
        assert!(rest.contains("127.0.0.1:"));
    }
}

#[tokio::test]
async fn an_offer_of_another_protocol_is_passed_over() {
    let server = Server::start(Settings::default()).await;
    let upgrade =
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n";
    let request = format!("GET /peer HTTP/1.1\r\nHost: a\r\n{upgrade}\r\n");
    let answers = server.exchange([&request, CLOSING_PEER].concat()).await;
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 2, "{answers:?}");
}

#[tokio::test]
async fn ten_thousand_requests_use_one_connection() {
    let server = Server::start(Settings::default()).await;
    let (mut reader, mut writer) = server.connect().await.0.into_split();
    let send = tokio::spawn(async move {
        let requests = echo("one").repeat(100);
        for _ in 0..100 {
            writer.write_all(requests.as_bytes()).await.unwrap();
        }
        writer.write_all(CLOSING_PEER.as_bytes()).await.unwrap();
    });
    let mut answers = String::new();
    timeout(PATIENCE, reader.read_to_string(&mut answers)).await.unwrap().unwrap();
    send.await.unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 ").count(), 10_001);
    assert_eq!(answers.matches("\r\n\r\none").count(), 10_000);
}
