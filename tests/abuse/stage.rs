//! Where the cases play: one server, senders beside it, and what is noted of each case.

use std::{
    collections::BTreeMap,
    env,
    fmt::Write as _,
    fs,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use crate::{
    client::{Answer, Connection, Request},
    senders::Senders,
    server::{KEY, Server, Site, source, web},
};

/// More than this the server never takes: 64 MiB are for bodies, as much again for what they are made into, and a block of
/// lzop, of which a sender decides, may take 128 MiB beside them.
const MEMORY_MAX: u64 = 256 << 20;

/// How many threads abuse at a time.
const ABUSERS: usize = 4;

/// Waits of a few seconds instead of many, so that each happens often.
const PATIENCE: &str = "[collect]\nfirst_byte_timeout = \"1s\"\nhead_timeout = \"1s\"\nbody_min_rate_grace = \"1s\"\n\
                        write_timeout = \"2s\"\nidle_timeout = \"5s\"\n";

/// The site of all cases: `web` is what the senders send to, `abused` and `mm` are for others who know a key.
pub(crate) fn site() -> Site {
    let keys = format!("secrets = [{{ id = \"k\", value = \"{KEY}\" }}]\n");
    let firehose = format!("[[source]]\nname = \"mm\"\nkind = \"bof\"\n{keys}");
    let settings = [PATIENCE.to_owned(), web(""), source("abused", &keys), firehose];
    Site::new(&settings.concat()).with_variable("TIDEGATE_LOG", "debug")
}

/// A server with its senders.
pub(crate) struct Stage<'s> {
    pub(crate) server: Server<'s>,
    senders: Senders,
    length: Duration,
    table: String,
}

impl<'s> Stage<'s> {
    pub(crate) fn start(site: &'s Site) -> Self {
        let server = site.start();
        let senders = Senders::start(server.collect);
        let seconds = env::var("TIDEGATE_ABUSE_SECONDS").ok().map(|seconds| seconds.parse().unwrap());
        let length = seconds.map_or(Duration::from_millis(1500), Duration::from_secs);
        Self { server, senders, length, table: String::new() }
    }

    /// Plays a case: several abusers do the same over and over, until its time is over and each has done it once. They
    /// note how they were answered, and may only be answered as `expected`, and must be in each of these ways.
    pub(crate) fn case(&mut self, name: &str, expected: &[&str], abuse: impl Fn(&Abuser) + Sync) {
        self.senders.service();
        self.forget_peak_memory();
        let abuser = Abuser { address: self.server.collect, answers: Mutex::default() };
        let end = Instant::now() + self.length;
        thread::scope(|scope| {
            for _ in 0..ABUSERS {
                scope.spawn(|| {
                    abuse(&abuser);
                    while Instant::now() < end {
                        abuse(&abuser);
                    }
                });
            }
        });
        let peak = self.server.peak_memory_bytes();
        let service = self.senders.service();
        let answers = abuser.answers.into_inner().unwrap();
        let found: Vec<&str> = answers.keys().map(String::as_str).collect();
        let mut wanted = expected.to_vec();
        wanted.sort_unstable();
        assert_eq!(found, wanted, "{name}");
        assert!(service.answered > 20, "{name}: the senders sent nothing: {service:?}");
        assert!(peak < MEMORY_MAX, "{name}: the server took {peak} bytes");
        let told: Vec<String> = answers.iter().map(|(answer, times)| format!("{answer} × {times}")).collect();
        let (told, peak, p99) = (told.join(", "), peak >> 20, service.p99.as_secs_f64() * 1e3);
        let line = format!("| {name} | {told} | {peak} MiB | {p99:.0} ms of {} |", service.answered);
        eprintln!("{line}");
        writeln!(self.table, "{line}").unwrap();
    }

    /// Ends the load: everything that was answered is stored once, nothing that was smuggled is, and what was counted
    /// adds up.
    pub(crate) fn end(self) {
        let Self { server, senders, table, .. } = self;
        let sent = i64::try_from(senders.finish()).unwrap();
        let site = server.site;
        server.stop();
        let stored: (i64, i64) =
            site.row("SELECT count(*), count(DISTINCT dedup_key) FROM events WHERE dedup_key LIKE 'valid-%'");
        assert_eq!(stored, (sent, sent), "every event that was answered is stored once");
        let smuggled: (i64,) = site.row("SELECT count(*) FROM events WHERE dedup_key LIKE 'smuggled%'");
        assert_eq!(smuggled, (0,));
        if let Ok(path) = env::var("TIDEGATE_ABUSE_TABLE") {
            fs::write(path, table).unwrap();
        }
    }

    /// From here on the peak is that of what follows.
    fn forget_peak_memory(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.server.child.id()), "5").unwrap();
    }
}

/// Somebody who means no good, and notes what comes of it.
pub(crate) struct Abuser {
    pub(crate) address: SocketAddr,
    answers: Mutex<BTreeMap<String, u64>>,
}

impl Abuser {
    pub(crate) fn note(&self, answer: impl Into<String>) {
        *self.answers.lock().unwrap().entry(answer.into()).or_default() += 1;
    }

    /// Sends a request over a connection of its own, and notes the status.
    pub(crate) fn send(&self, request: &Request) -> Answer {
        let answer = request.send(self.address).unwrap();
        self.note(answer.status.to_string());
        answer
    }

    /// Posts to the source `abused`, whose key it knows.
    pub(crate) fn post(&self, body: impl Into<Vec<u8>>) -> Answer {
        self.send(&Request::post(&format!("/v1/segment/abused?key={KEY}"), body))
    }

    /// Sends bytes, closes its half, and notes the status of each answer and whether the server closed the connection.
    pub(crate) fn exchange(&self, bytes: &[u8]) -> String {
        let answers = exchange(self.address, bytes).unwrap();
        let statuses: Vec<&str> =
            answers.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)).collect();
        self.note(statuses.join(" then "));
        answers
    }
}

/// What a server answers to these bytes until it closes the connection.
fn exchange(address: SocketAddr, bytes: &[u8]) -> io::Result<String> {
    let mut stream = connect(address)?;
    // The server may have refused before the last byte was sent.
    let _ = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
    let mut answers = Vec::new();
    match stream.read_to_end(&mut answers) {
        Err(error) if answers.is_empty() => Err(error),
        _ => Ok(String::from_utf8_lossy(&answers).into_owned()),
    }
}

pub(crate) fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    stream.set_write_timeout(Some(Duration::from_secs(30)))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// A connection that is kept.
pub(crate) fn keep(address: SocketAddr) -> Connection {
    Connection::open(address).unwrap()
}
