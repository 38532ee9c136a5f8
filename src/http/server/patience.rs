//! Deadlines of a socket's reads and writes. They are set when one has to wait, and cost nothing while none does.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep};

/// What a read waits for; each has its own deadline.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// The first byte of a connection.
    FirstByte,
    /// The first byte of another request.
    NextRequest,
    /// The end of a head that has begun.
    RestOfHead,
    /// More of a body. Only a backstop: the handler that reads it has stricter terms.
    Body,
}

/// The deadline of reads. One timer serves a connection for life; moving it later, as each request does, takes no lock.
pub(super) struct Patience {
    wait: Option<Wait>,
    sleep: Pin<Box<Sleep>>,
    idle_until: Instant,
}

impl Patience {
    /// Nothing is waited for yet; `first` is how long the first wait will be.
    pub(super) fn new(first: Duration) -> Self {
        let sleep = Box::pin(sleep(first));
        Self { wait: None, idle_until: sleep.deadline(), sleep }
    }

    /// Ready when this wait has lasted too long. Waiting on for the same thing does not move the deadline.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, wait: Wait, limit: Duration) -> Poll<()> {
        if self.wait.replace(wait) != Some(wait) {
            self.sleep.as_mut().reset(Instant::now() + limit);
        }
        self.sleep.as_mut().poll(cx)
    }

    /// Ready when the next request has been waited for too long: `limit` in all, or less as soon as others need the place
    /// of this connection, for which it is asked again and again, `interval` apart.
    pub(super) fn poll_idle(
        &mut self,
        cx: &mut Context<'_>,
        limit: Duration,
        interval: Duration,
        is_needed: impl Fn() -> bool,
    ) -> Poll<()> {
        if self.wait.replace(Wait::NextRequest) != Some(Wait::NextRequest) {
            let now = Instant::now();
            self.idle_until = now + limit;
            self.sleep.as_mut().reset(now + limit.min(interval));
        }
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            let asked = self.sleep.deadline();
            if asked >= self.idle_until || is_needed() {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset((Instant::now() + interval).min(self.idle_until));
        }
    }

    /// What was waited for has come.
    pub(super) fn end(&mut self) {
        self.wait = None;
    }
}

/// The deadline of writes. Hardly any connection ever needs it, so that its timer is made on demand.
#[derive(Default)]
pub(super) struct Stall(Option<Pin<Box<Sleep>>>);

impl Stall {
    /// Passes the outcome of a write on, or fails it when the peer has taken no byte for too long.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
        limit: Duration,
    ) -> Poll<io::Result<usize>> {
        if written.is_ready() {
            self.0 = None;
            return written;
        }
        let stall = self.0.get_or_insert_with(|| Box::pin(sleep(limit)));
        stall.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}
