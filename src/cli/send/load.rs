//! Sending: one thread makes deliveries at the rate that was asked for, tasks send them.

use std::{
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    Method, Request,
    header::{CONTENT_TYPE, HeaderValue},
};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::{
    sync::{Mutex, mpsc},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{Send, delivery::Delivery, file, sample, summary::Summary, target::Target};
use crate::cli::client::{
    AskError,
    http::{Http, Unreached},
};

/// Longer than any collector lets a sender wait.
const PATIENCE: Duration = Duration::from_secs(30);

const SAMPLES: u64 = 100;

/// Deliveries made ahead for each that is being sent.
const AHEAD: usize = 2;

/// Why sending ended.
pub(super) enum End {
    /// Everything was sent.
    Sent,
    /// The rest of the input cannot be read.
    Input(AskError),
    /// Nothing that follows would be let in either.
    KeyRefused,
    /// Not a single answer came.
    NobodyThere(AskError),
    /// Somebody wants it to end.
    Interrupted,
}

/// Sends everything, and answers how it went.
pub(super) fn run(send: &Send, target: Target) -> Result<(Summary, End), AskError> {
    let http = Http::new(&target.uri).map_err(AskError::Tls)?;
    let (deliveries, queue) = mpsc::channel(usize::from(send.concurrency) * AHEAD);
    let records: Records = match &send.file {
        Some(path) => Box::new(file::open(path)?),
        None => Box::new(sample::events(target.kind).map(Ok)),
    };
    let count = send.count.or(send.file.is_none().then_some(SAMPLES));
    let bar = progress(count);
    let packing = Packing { kind: target.kind, batch: usize::from(send.batch), rate: send.rate };
    let records = Box::new(records.take(usize::try_from(count.unwrap_or(u64::MAX)).unwrap_or(usize::MAX)));
    // Not waited for at the end: it may be reading what never comes.
    thread::Builder::new()
        .name("deliveries".into())
        .spawn(move || packing.make(records, &deliveries))
        .map_err(AskError::Output)?;
    let sender =
        Arc::new(Sender { http, target, queue: Mutex::new(queue), bar, stop: CancellationToken::new() });
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(AskError::Output)?;
    let end = runtime.block_on(Arc::clone(&sender).send_all(send.concurrency));
    sender.bar.finish_and_clear();
    Ok(end)
}

type Records = Box<dyn Iterator<Item = Result<Bytes, AskError>> + std::marker::Send>;
type Made = Result<Delivery, AskError>;

/// How records become deliveries.
struct Packing {
    kind: super::Kind,
    batch: usize,
    rate: Option<u32>,
}

impl Packing {
    /// Makes deliveries until there are no more records, or nobody wants them.
    fn make(&self, mut records: Records, deliveries: &mpsc::Sender<Made>) {
        let (started, mut made) = (Instant::now(), 0);
        loop {
            let (batch, error) = self.batch(&mut records);
            if !batch.is_empty() {
                self.wait(started, made);
                made += batch.len();
                if deliveries.blocking_send(Ok(Delivery::pack(self.kind, &batch))).is_err() {
                    return;
                }
            }
            if let Some(error) = error {
                let _ = deliveries.blocking_send(Err(error));
                return;
            }
            if batch.is_empty() {
                return;
            }
        }
    }

    /// The next records, and what keeps more from being read: what came before it is sent all the same.
    fn batch(&self, records: &mut Records) -> (Vec<Bytes>, Option<AskError>) {
        let mut batch = Vec::with_capacity(self.batch.min(1024));
        for record in records.by_ref().take(self.batch) {
            match record {
                Ok(record) => batch.push(record),
                Err(error) => return (batch, Some(error)),
            }
        }
        (batch, None)
    }

    /// Waits until the next record is due.
    fn wait(&self, started: Instant, made: usize) {
        let Some(rate) = self.rate else { return };
        #[expect(
            clippy::cast_precision_loss,
            reason = "a time to the microsecond needs no more than 52 bits"
        )]
        let due = started + Duration::from_secs_f64(made as f64 / f64::from(rate));
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
}

struct Sender {
    http: Http,
    target: Target,
    queue: Mutex<mpsc::Receiver<Made>>,
    bar: ProgressBar,
    /// Nobody sends another delivery.
    stop: CancellationToken,
}

impl Sender {
    async fn send_all(self: Arc<Self>, concurrency: u16) -> (Summary, End) {
        let (started, mut summary, mut end) = (Instant::now(), Summary::default(), End::Sent);
        let mut tasks = JoinSet::new();
        for _ in 0..concurrency {
            tasks.spawn(Arc::clone(&self).send_some());
        }
        let mut interrupted = std::pin::pin!(tokio::signal::ctrl_c());
        loop {
            let ended = tokio::select! {
                ended = tasks.join_next() => ended,
                _ = &mut interrupted, if !matches!(end, End::Interrupted) => {
                    end = End::Interrupted;
                    self.stop.cancel();
                    continue;
                }
            };
            let Some(ended) = ended else { break };
            let Ok((part, part_end)) = ended else { continue };
            summary.add(&part);
            if matches!(end, End::Sent) {
                end = part_end;
            }
        }
        summary.elapsed = started.elapsed();
        (summary, end)
    }

    /// Sends what comes out of the queue, until that ends or nothing more is to be sent.
    async fn send_some(self: Arc<Self>) -> (Summary, End) {
        let mut summary = Summary::default();
        loop {
            let next = tokio::select! {
                biased;
                () = self.stop.cancelled() => None,
                next = async { self.queue.lock().await.recv().await } => next,
            };
            let end = match next {
                None => return (summary, End::Sent),
                Some(Err(error)) => End::Input(error),
                Some(Ok(delivery)) => match self.send(&delivery, &mut summary).await {
                    None => continue,
                    Some(end) => end,
                },
            };
            self.stop.cancel();
            return (summary, end);
        }
    }

    async fn send(&self, delivery: &Delivery, summary: &mut Summary) -> Option<End> {
        let started = Instant::now();
        let answered = self.answer(delivery).await;
        self.bar.inc(delivery.records);
        match answered {
            Ok((status, body)) => {
                summary.answered(delivery, status, &body, started.elapsed());
                (status == 401).then_some(End::KeyRefused)
            }
            Err(source) => {
                let is_nobody_there = source.is_connect() && summary.is_empty();
                summary.unanswered(delivery);
                let address = self.target.shown.clone();
                is_nobody_there.then(|| End::NobodyThere(AskError::Unreached { address, source }))
            }
        }
    }

    async fn answer(&self, delivery: &Delivery) -> Result<(u16, Bytes), Unreached> {
        let mut request = Request::new(Full::new(delivery.body.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.target.uri.clone();
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        let signature = self.target.signing_secret.as_ref().and_then(|secret| delivery.signature(secret));
        if let Some(signature) = signature.and_then(|signature| HeaderValue::try_from(signature).ok()) {
            request.headers_mut().insert("x-signature", signature);
        }
        let answer = self.http.send(request, PATIENCE).await?;
        let status = answer.status().as_u16();
        match tokio::time::timeout(PATIENCE, answer.into_body().collect()).await {
            Ok(body) => Ok((status, body?.to_bytes())),
            Err(_) => Err(Unreached::Silence(PATIENCE)),
        }
    }
}

/// Shows itself on a terminal only.
fn progress(count: Option<u64>) -> ProgressBar {
    let (bar, template) = match count {
        Some(count) => {
            (ProgressBar::new(count), "{bar:40} {human_pos}/{human_len} events ({per_sec}, {eta} left)")
        }
        None => (ProgressBar::new_spinner(), "{spinner} {human_pos} events ({per_sec})"),
    };
    let style = ProgressStyle::with_template(template);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}
