//! One connection: hyper between our stream and the router.

use std::{
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use axum::{
    Router,
    http::{HeaderValue, Request, header::CONNECTION},
    response::Response,
};
use hyper::{body::Incoming, server::conn::http1};
use hyper_util::{rt::TokioIo, service::TowerToHyperService};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::{Peer, Settings, stream::Stream};

/// What hyper may read ahead of a handler, which no memory budget sees.
const READ_AHEAD_BYTES: usize = 64 * 1024;

/// Serves a connection to its end. After `stop` it ends with the request in flight, or at once if there is none.
pub(super) async fn serve(
    socket: TcpStream,
    peer: SocketAddr,
    router: Router,
    (settings, crowded): (Arc<Settings>, Arc<AtomicBool>),
    stop: CancellationToken,
) {
    let stream = Stream::new(socket, settings, crowded);
    let receiving = stream.receiving();
    let service = router
        .map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            request
        })
        .map_response(move |mut response: Response| {
            // The rest of the request will not be read, so that the sender must not wait to send another behind it.
            if receiving.load(Ordering::Relaxed) {
                response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            response
        });
    // The stream keeps the time of heads, so that hyper need not make a timer for each request, and relies on half_close
    // not to be read while a handler is at work.
    let mut connection = http1::Builder::new()
        .half_close(true)
        .header_read_timeout(None)
        .max_buf_size(READ_AHEAD_BYTES)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let ended = tokio::select! {
        biased;
        ended = &mut connection => Some(ended),
        () = stop.cancelled() => None,
    };
    let ended = if let Some(ended) = ended {
        ended
    } else {
        Pin::new(&mut connection).graceful_shutdown();
        (&mut connection).await
    };
    if let Err(error) = ended {
        tracing::debug!(%error, "connection ended");
    }
    connection.into_parts().io.into_inner().close().await;
}
