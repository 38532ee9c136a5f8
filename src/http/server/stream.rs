//! The socket as hyper sees it: one request at a time, and nothing that takes for ever.
//!
//! hyper is given bytes only up to the end of the request that it is reading. A head is collected whole, judged
//! ([`head`]) and then handed over; of a body exactly its own bytes are. So the next byte is always known to begin a head,
//! also behind a body, on a connection that is kept alive, or in a pipeline, and no second request can hide from the
//! judgement. Hyper sees a refusal, like a timeout, as the end of the stream; it finishes what it has begun, and then
//! [`Stream::close`] gives the answer.
//!
//! What must stay true: hyper asks for bytes only while it waits for a request or reads its body, never while a handler
//! is at work (its half-close mode). Otherwise a refusal would cut off the answer to the request before.

use std::{
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, BytesMut};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf},
    net::TcpStream,
};

use super::{
    Settings,
    chunks::Chunks,
    head::{self, Framing},
    patience::{Patience, Stall, Wait},
    refusal::Refusal,
};

/// Holds most requests whole, so that one read serves them.
const BUFFER_BYTES: usize = 8 * 1024;
/// What a sender may still send after an early answer before the connection is cut.
const LINGER_BYTES: u64 = 64 * 1024;
const LINGER: Duration = Duration::from_secs(1);

/// A connection's socket.
pub(super) struct Stream {
    socket: TcpStream,
    settings: Arc<Settings>,
    /// Whether others wait for a connection to end.
    crowded: Arc<AtomicBool>,
    /// Bytes that were read and not handed over.
    buffer: BytesMut,
    /// How many of them, from the front, hyper may have.
    granted: usize,
    expected: Expected,
    /// What is waited for while no request has begun.
    idle: Wait,
    receiving: Arc<AtomicBool>,
    patience: Patience,
    stall: Stall,
}

/// What comes next on the wire, behind the granted bytes.
#[derive(Clone, Copy)]
enum Expected {
    /// A head, searched for its end up to here.
    Head { searched: usize },
    /// So many bytes of a body.
    Length(u64),
    /// The rest of a chunked body.
    Chunks(Chunks),
    /// Nothing more is read; what is still to be answered.
    Nothing(Option<Refusal>),
}

impl Stream {
    /// Wraps an accepted socket.
    pub(super) fn new(socket: TcpStream, settings: Arc<Settings>, crowded: Arc<AtomicBool>) -> Self {
        let patience = Patience::new(settings.first_byte_timeout);
        Self {
            socket,
            settings,
            crowded,
            buffer: BytesMut::new(),
            granted: 0,
            expected: Expected::Head { searched: 0 },
            idle: Wait::FirstByte,
            receiving: Arc::default(),
            patience,
            stall: Stall::default(),
        }
    }

    /// Whether a request has begun whose rest is not at hand. An answer that is given meanwhile is early, and the
    /// connection cannot be used again; a rest that is at hand hyper skips by itself.
    pub(super) fn receiving(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.receiving)
    }

    /// Ends the connection: gives the answer that is due, and reads for a moment what the peer is still sending. Bytes
    /// that nobody has read would make the kernel send a reset, which can overtake the answer.
    pub(super) async fn close(mut self) {
        let refusal = match self.expected {
            Expected::Nothing(refusal) => refusal,
            _ => None,
        };
        let unread = refusal.is_some()
            || self.receiving.load(Ordering::Relaxed)
            || !self.buffer.is_empty()
            || self.socket.try_read(&mut [0]).is_ok_and(|bytes| bytes > 0);
        let farewell = async {
            if let Some(refusal) = refusal {
                tracing::debug!(status = refusal.status(), "request refused");
                self.socket.write_all(refusal.response().as_bytes()).await?;
            }
            self.socket.shutdown().await?;
            if unread {
                tokio::io::copy(&mut self.socket.take(LINGER_BYTES), &mut tokio::io::sink()).await?;
            }
            io::Result::Ok(())
        };
        // Whatever goes wrong here, the connection ends.
        let _ = tokio::time::timeout(LINGER, farewell).await;
    }

    /// Decides about the bytes that come next: grants some of them, reads more, or ends the stream.
    fn poll_grant(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.expected {
            Expected::Head { searched } => self.poll_head(cx, searched),
            Expected::Length(0) | Expected::Chunks(Chunks::End) => {
                self.expected = Expected::Head { searched: 0 };
                Poll::Ready(Ok(()))
            }
            Expected::Length(_) | Expected::Chunks(_) if self.buffer.is_empty() => {
                self.poll_fill(cx, Wait::Body)
            }
            Expected::Length(left) => {
                self.granted = usize::try_from(left).unwrap_or(usize::MAX).min(self.buffer.len());
                self.expected = Expected::Length(left - self.granted as u64);
                Poll::Ready(Ok(()))
            }
            Expected::Chunks(mut chunks) => {
                // Broken chunks end the body early, which its reader takes as an error.
                self.expected = match chunks.advance(&self.buffer) {
                    Ok(bytes) => {
                        self.granted = bytes;
                        Expected::Chunks(chunks)
                    }
                    Err(_) => Expected::Nothing(None),
                };
                Poll::Ready(Ok(()))
            }
            Expected::Nothing(_) => Poll::Ready(Ok(())),
        }
    }

    /// Grants a head once it is complete and judged.
    fn poll_head(&mut self, cx: &mut Context<'_>, mut searched: usize) -> Poll<io::Result<()>> {
        // Some clients end a body with an empty line of its own; RFC 9112 asks to ignore it.
        while self.buffer.starts_with(b"\r\n") {
            self.buffer.advance(2);
            searched = 0;
        }
        let refusal = if let Some(end) = head::end(&self.buffer, searched) {
            match head::judge(self.buffer.get(..end).unwrap_or_default(), &self.settings) {
                Ok(framing) => {
                    self.patience.end();
                    self.idle = Wait::NextRequest;
                    self.granted = end;
                    self.expected = match framing {
                        Framing::Length(bytes) => Expected::Length(bytes),
                        Framing::Chunked => Expected::Chunks(Chunks::START),
                    };
                    return Poll::Ready(Ok(()));
                }
                Err(refusal) => refusal,
            }
        } else if !head::may_begin(&self.buffer) {
            head::NOT_HTTP
        } else if self.buffer.len() > self.settings.head_bytes {
            head::too_large(&self.buffer)
        } else {
            self.expected = Expected::Head { searched: head::searched(&self.buffer) };
            // Half an empty line is no beginning either, or a peer could move the deadline with nothing else.
            let begun = !self.buffer.is_empty() && *self.buffer != b"\r"[..];
            let wait = if begun { Wait::RestOfHead } else { self.idle };
            return self.poll_fill(cx, wait);
        };
        self.expected = Expected::Nothing(Some(refusal));
        Poll::Ready(Ok(()))
    }

    /// Reads more into the buffer.
    fn poll_fill(&mut self, cx: &mut Context<'_>, wait: Wait) -> Poll<io::Result<()>> {
        if self.buffer.len() == self.buffer.capacity() || self.buffer.is_empty() {
            self.buffer.reserve(BUFFER_BYTES);
        }
        let read = pin!(self.socket.read_buf(&mut self.buffer)).poll(cx)?;
        self.poll_waited(cx, wait, read)
    }

    /// Reads what is known to be body straight into hyper's buffer.
    fn poll_body(&mut self, cx: &mut Context<'_>, left: u64, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = out.filled().len();
        let read = Pin::new(&mut (&mut self.socket).take(left)).poll_read(cx, out)?;
        let bytes = out.filled().len() - before;
        self.expected = Expected::Length(left - bytes as u64);
        self.note_receiving();
        self.poll_waited(cx, Wait::Body, read.map(|()| bytes))
    }

    /// Ends the stream where the peer has ended it, or where a read has waited too long.
    fn poll_waited(&mut self, cx: &mut Context<'_>, wait: Wait, read: Poll<usize>) -> Poll<io::Result<()>> {
        match read {
            Poll::Ready(0) => self.expected = Expected::Nothing(None),
            Poll::Ready(_) if wait == Wait::Body => self.patience.end(),
            Poll::Ready(_) => {}
            Poll::Pending => {
                ready!(self.poll_patience(cx, wait));
                let refusal = (wait == Wait::RestOfHead).then_some(Refusal::HeadTimeout);
                self.expected = Expected::Nothing(refusal);
            }
        }
        Poll::Ready(Ok(()))
    }

    fn poll_patience(&mut self, cx: &mut Context<'_>, wait: Wait) -> Poll<()> {
        let Settings { first_byte_timeout, head_timeout, idle_timeout, .. } = *self.settings;
        let limit = match wait {
            Wait::FirstByte => first_byte_timeout,
            Wait::RestOfHead => head_timeout,
            Wait::Body => idle_timeout,
            // Who is idle gives way to who has something to send, but no sooner than a newcomer would have to.
            Wait::NextRequest => {
                let is_needed = || self.crowded.load(Ordering::Relaxed);
                return self.patience.poll_idle(cx, idle_timeout, first_byte_timeout, is_needed);
            }
        };
        self.patience.poll(cx, wait, limit)
    }

    fn note_receiving(&self) {
        let at_hand = match self.expected {
            Expected::Length(left) => left <= self.buffer.len() as u64,
            Expected::Chunks(chunks) => chunks == Chunks::End,
            Expected::Head { .. } | Expected::Nothing(_) => true,
        };
        self.receiving.store(self.granted > 0 || !at_hand, Ordering::Relaxed);
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.granted > 0 {
                let bytes = this.granted.min(out.remaining());
                out.put_slice(this.buffer.get(..bytes).unwrap_or_default());
                this.buffer.advance(bytes);
                this.granted -= bytes;
                this.note_receiving();
                return Poll::Ready(Ok(()));
            }
            match this.expected {
                Expected::Nothing(_) => return Poll::Ready(Ok(())),
                Expected::Length(left) if left > 0 && this.buffer.is_empty() => {
                    return this.poll_body(cx, left, out);
                }
                _ => ready!(this.poll_grant(cx))?,
            }
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = Pin::new(&mut this.socket).poll_write(cx, bytes);
        this.stall.poll(cx, written, this.settings.write_timeout)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    /// Does nothing: [`Stream::close`] follows, and may have something to say first.
    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
