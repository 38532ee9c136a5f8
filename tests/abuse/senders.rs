//! Well-behaved senders, who are owed a 200 for each of their events.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::{
    client::{Connection, Request},
    server::{KEY, track},
};

const SENDERS: usize = 4;

/// A sender that has been answered thinks for a moment: they stand for many, and are not the load to be measured.
const PAUSE: Duration = Duration::from_millis(4);

/// Senders at work.
pub(crate) struct Senders {
    seen: Arc<Seen>,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<u64>>,
}

#[derive(Default)]
struct Seen {
    latencies: Mutex<Vec<Duration>>,
    failures: Mutex<Vec<String>>,
}

/// What the senders saw since they were asked last.
#[derive(Debug)]
pub(crate) struct Service {
    pub(crate) answered: usize,
    pub(crate) p99: Duration,
}

impl Senders {
    pub(crate) fn start(address: SocketAddr) -> Self {
        let (seen, stop) = (Arc::<Seen>::default(), Arc::<AtomicBool>::default());
        let threads = (0..SENDERS).map(|sender| {
            let (seen, stop) = (Arc::clone(&seen), Arc::clone(&stop));
            thread::spawn(move || send(sender, address, &seen, &stop))
        });
        let threads = threads.collect();
        Self { seen, stop, threads }
    }

    /// How they were served since the last call; every answer must have been 200.
    #[track_caller]
    pub(crate) fn service(&self) -> Service {
        let failures = self.seen.failures.lock().unwrap();
        assert!(failures.is_empty(), "senders were not served: {failures:?}");
        let mut latencies = std::mem::take(&mut *self.seen.latencies.lock().unwrap());
        latencies.sort_unstable();
        let p99 = latencies.get(latencies.len() * 99 / 100).copied().unwrap_or_default();
        Service { answered: latencies.len(), p99 }
    }

    /// Lets them finish, and tells how many events were answered with 200.
    pub(crate) fn finish(self) -> u64 {
        self.service();
        self.stop.store(true, Ordering::Relaxed);
        self.threads.into_iter().map(|sender| sender.join().unwrap()).sum()
    }
}

fn send(sender: usize, address: SocketAddr, seen: &Seen, stop: &AtomicBool) -> u64 {
    let mut connection = Connection::open(address).unwrap();
    let mut sent = 0;
    while !stop.load(Ordering::Relaxed) {
        let event = track(&format!("valid-{sender}-{sent}"));
        let start = Instant::now();
        match connection.send(&Request::post(&format!("/v1/segment/web?key={KEY}"), event)) {
            Ok(answer) if answer.status == 200 => {
                seen.latencies.lock().unwrap().push(start.elapsed());
                sent += 1;
            }
            Ok(answer) => seen.failures.lock().unwrap().push(format!("{}: {}", answer.status, answer.text())),
            Err(error) => {
                seen.failures.lock().unwrap().push(error.to_string());
                return sent;
            }
        }
        thread::sleep(PAUSE);
    }
    sent
}
