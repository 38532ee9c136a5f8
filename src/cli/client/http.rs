//! HTTP/1.1 as a client, over TLS where the address says `https`. Answers are never decompressed: none is asked for so.

use std::{error::Error as _, io, time::Duration};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, Uri, body::Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// Connections to one server, kept and used again.
#[derive(Clone)]
pub(in crate::cli) enum Http {
    Plain(Client<HttpConnector, Full<Bytes>>),
    Tls(Client<HttpsConnector<HttpConnector>, Full<Bytes>>),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(in crate::cli) enum Unreached {
    /// No connection, or it broke. The error's own words are of no use without what is beneath them.
    #[error("{}", innermost(.0))]
    Connection(#[from] hyper_util::client::legacy::Error),
    /// It broke within the answer.
    #[error("the answer ends early")]
    Answer(#[from] hyper::Error),
    /// Nothing came for so long.
    #[error("nothing came for {} s", .0.as_secs())]
    Silence(Duration),
}

impl Unreached {
    /// Whether there was not even a connection.
    pub(in crate::cli) fn is_connect(&self) -> bool {
        matches!(self, Self::Connection(error) if error.is_connect())
    }
}

fn innermost(error: &hyper_util::client::legacy::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = cause.to_string();
        source = cause.source();
    }
    text
}

impl Http {
    /// A client for this address.
    ///
    /// # Errors
    /// When the address wants TLS and the system has no certificates to trust.
    pub(in crate::cli) fn new(address: &Uri) -> io::Result<Self> {
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(CONNECT_PATIENCE));
        connector.set_nodelay(true);
        let builder = Client::builder(TokioExecutor::new());
        if address.scheme_str() != Some("https") {
            return Ok(Self::Plain(builder.build(connector)));
        }
        connector.enforce_http(false);
        let tls = HttpsConnectorBuilder::new().with_native_roots()?.https_only().enable_http1();
        Ok(Self::Tls(builder.build(tls.wrap_connector(connector))))
    }

    /// Sends a request and waits for the head of the answer.
    ///
    /// # Errors
    /// When there is none.
    pub(in crate::cli) async fn send(
        &self,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<Response<Incoming>, Unreached> {
        let sending = match self {
            Self::Plain(client) => client.request(request),
            Self::Tls(client) => client.request(request),
        };
        match tokio::time::timeout(patience, sending).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(Unreached::Silence(patience)),
        }
    }
}

/// An address: a scheme that we speak, a host, and no query.
pub(in crate::cli) fn address(text: &str) -> Option<Uri> {
    let uri: Uri = text.parse().ok()?;
    let is_spoken = matches!(uri.scheme_str(), Some("http" | "https"));
    (is_spoken && uri.host().is_some_and(|host| !host.is_empty()) && uri.query().is_none()).then_some(uri)
}
