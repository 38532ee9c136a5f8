//! A request's body as a reader for a thread that may block: pieces come through a bounded queue, under the same
//! patience as a body that is read whole. Memory is that of the queue.

use std::{
    io::{self, Read},
    time::Duration,
};

use axum::body::{Body, HttpBody};
use bytes::{Buf, Bytes};
use http_body_util::BodyExt;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::body::{BodyError, BodyLimits};

/// Pieces that wait to be read; hyper's are of 64 KiB at most.
const PIECES_MAX: usize = 8;

/// The reader's end. A stream whose end was not seen is an error, never a short stream.
pub(super) struct FeedReader {
    pieces: mpsc::Receiver<Piece>,
    current: Bytes,
    has_ended: bool,
}

/// The body's end.
pub(super) struct Feed(mpsc::Sender<Piece>);

enum Piece {
    Bytes(Bytes),
    End,
    Failed(BodyError),
}

/// A feed and its reader.
pub(super) fn feed() -> (Feed, FeedReader) {
    let (sender, pieces) = mpsc::channel(PIECES_MAX);
    (Feed(sender), FeedReader { pieces, current: Bytes::new(), has_ended: false })
}

impl Feed {
    /// Passes the body on, until it ends, exceeds a limit, or nobody reads any more. Time that the reader takes is its
    /// own: only waiting for the sender counts.
    pub(super) async fn pass(self, mut body: Body, limits: &BodyLimits) {
        let last = match self.pass_pieces(&mut body, limits).await {
            Ok(()) => Piece::End,
            Err(error) => Piece::Failed(error),
        };
        // Nobody reads any more: then nobody wants to know either.
        let _ = self.0.send(last).await;
    }

    async fn pass_pieces(&self, body: &mut Body, limits: &BodyLimits) -> Result<(), BodyError> {
        let declared = body.size_hint().exact().map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX));
        if declared.is_some_and(|bytes| bytes > limits.bytes) {
            return Err(BodyError::TooLarge { limit: limits.bytes });
        }
        let (mut received, mut waited) = (0, Duration::ZERO);
        while !body.is_end_stream() {
            let asked = Instant::now();
            let patience = limits.patience(received).saturating_sub(waited);
            let frame = timeout_at(asked + patience, body.frame()).await.map_err(|_| BodyError::TooSlow)?;
            waited += asked.elapsed();
            let Some(frame) = frame else { break };
            let Ok(data) = frame.map_err(|_| BodyError::Disconnected)?.into_data() else { continue };
            received += data.len();
            if received > limits.bytes {
                return Err(BodyError::TooLarge { limit: limits.bytes });
            }
            if self.0.send(Piece::Bytes(data)).await.is_err() {
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Read for FeedReader {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() && !self.has_ended {
            match self.pieces.blocking_recv() {
                Some(Piece::Bytes(bytes)) => self.current = bytes,
                Some(Piece::End) => self.has_ended = true,
                Some(Piece::Failed(error)) => return Err(io::Error::other(error)),
                None => return Err(io::Error::other(BodyError::Disconnected)),
            }
        }
        let length = output.len().min(self.current.len());
        if let Some(output) = output.get_mut(..length) {
            self.current.copy_to_slice(output);
        }
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(bytes: usize) -> BodyLimits {
        BodyLimits { bytes, ..BodyLimits::default() }
    }

    async fn fed(body: Body, limits: BodyLimits) -> Result<Vec<u8>, BodyError> {
        let (feed, mut reader) = feed();
        let reading = tokio::task::spawn_blocking(move || {
            let mut all = Vec::new();
            match reader.read_to_end(&mut all) {
                Ok(_) => Ok(all),
                Err(error) => Err(*error.get_ref().unwrap().downcast_ref::<BodyError>().unwrap()),
            }
        });
        feed.pass(body, &limits).await;
        reading.await.unwrap()
    }

    fn pieces(pieces: Vec<Result<Bytes, io::Error>>) -> Body {
        Body::new(http_body_util::StreamBody::new(futures_util::stream::iter(
            pieces.into_iter().map(|piece| piece.map(hyper::body::Frame::data)),
        )))
    }

    #[tokio::test]
    async fn a_body_is_read_whole_or_an_error_is() {
        let many = |count: usize| pieces((0..count).map(|_| Ok(Bytes::from_static(b"0123456789"))).collect());
        assert_eq!(fed(many(100), limits(1000)).await.unwrap().len(), 1000);
        assert_eq!(fed(many(101), limits(1000)).await, Err(BodyError::TooLarge { limit: 1000 }));
        assert_eq!(
            fed(Body::from(vec![0; 1001]), limits(1000)).await,
            Err(BodyError::TooLarge { limit: 1000 })
        );
        let broken = pieces(vec![Ok(Bytes::from_static(b"x")), Err(io::ErrorKind::ConnectionReset.into())]);
        assert_eq!(fed(broken, limits(1000)).await, Err(BodyError::Disconnected));
        assert_eq!(fed(Body::empty(), limits(0)).await, Ok(Vec::new()));
    }

    #[tokio::test]
    async fn a_feed_that_is_dropped_is_no_end() {
        let (feed, mut reader) = feed();
        drop(feed);
        let read = tokio::task::spawn_blocking(move || reader.read(&mut [0; 8])).await.unwrap();
        assert!(read.is_err());
    }
}
