//! The admin API: requests with the token, answers as JSON, problems as errors.

use std::time::Duration;

use bytes::Bytes;
use form_urlencoded::Serializer;
use http_body_util::{BodyExt as _, Full};
use hyper::{
    HeaderMap, Method, Request, Response, StatusCode,
    body::Incoming,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderName, HeaderValue},
};
use serde::de::DeserializeOwned;

use super::{
    AskError,
    http::{Http, Unreached},
};
use crate::{cli::output::Output, secret::Secret};

/// How long a question may take. The server has deadlines of its own for looking through large tables.
const ANSWERED_WITHIN: Duration = Duration::from_mins(1);

/// How long an audit may take, for which the server counts all rows, up to five minutes.
const AUDITED_WITHIN: Duration = Duration::from_mins(6);

/// How long it may take to have something done: deleting by age goes through whole tables.
const DONE_WITHIN: Duration = Duration::from_mins(15);

/// A command at work: whom it asks, and where it says what it learned.
pub(in crate::cli) struct Session {
    pub(in crate::cli) admin: Admin,
    pub(in crate::cli) out: Output,
}

/// A server's admin API.
pub(in crate::cli) struct Admin {
    http: Http,
    address: String,
    token: Secret,
}

/// Parameters of a query; those that have no value are left out.
pub(in crate::cli) type Query<'q> = &'q [(&'static str, Option<String>)];

impl Admin {
    pub(super) fn new(http: Http, address: &str, token: Secret) -> Self {
        Self { http, address: address.trim_end_matches('/').to_owned(), token }
    }

    /// Reads something.
    pub(in crate::cli) async fn get(&self, path: &str, query: Query<'_>) -> Result<Bytes, AskError> {
        let headers = HeaderMap::new();
        self.ask(Method::GET, path, query, headers, Bytes::new(), ANSWERED_WITHIN).await
    }

    /// Reads what everything adds up to.
    pub(in crate::cli) async fn audit(&self) -> Result<Bytes, AskError> {
        self.ask(Method::GET, "/audit", &[], HeaderMap::new(), Bytes::new(), AUDITED_WITHIN).await
    }

    /// Has something done.
    pub(in crate::cli) async fn post(&self, path: &str, body: &serde_json::Value) -> Result<Bytes, AskError> {
        let headers = [(CONTENT_TYPE, HeaderValue::from_static("application/json"))];
        let (headers, body) = (headers.into_iter().collect(), body.to_string().into());
        self.ask(Method::POST, path, &[], headers, body, DONE_WITHIN).await
    }

    /// Sends bytes as a sender would.
    pub(in crate::cli) async fn post_bytes(
        &self,
        path: &str,
        query: Query<'_>,
        headers: HeaderMap,
        body: Bytes,
    ) -> Result<Bytes, AskError> {
        self.ask(Method::POST, path, query, headers, body, DONE_WITHIN).await
    }

    /// Opens a stream, whose body does not end by itself.
    pub(in crate::cli) async fn stream(
        &self,
        path: &str,
        query: Query<'_>,
        headers: HeaderMap,
    ) -> Result<Incoming, AskError> {
        let answer = self.send(Method::GET, path, query, headers, Bytes::new(), ANSWERED_WITHIN).await?;
        if answer.status().is_success() {
            return Ok(answer.into_body());
        }
        let status = answer.status();
        Err(self.problem(status, &self.body(answer, ANSWERED_WITHIN).await?))
    }

    /// Understands an answer.
    pub(in crate::cli) fn read<T: DeserializeOwned>(&self, answer: &[u8]) -> Result<T, AskError> {
        serde_json::from_slice(answer).map_err(|_| self.unintelligible(StatusCode::OK))
    }

    /// Who is asked.
    pub(in crate::cli) fn address(&self) -> &str {
        &self.address
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        query: Query<'_>,
        headers: HeaderMap,
        body: Bytes,
        patience: Duration,
    ) -> Result<Bytes, AskError> {
        let answer = self.send(method, path, query, headers, body, patience).await?;
        let status = answer.status();
        let body = self.body(answer, patience).await?;
        if status.is_success() { Ok(body) } else { Err(self.problem(status, &body)) }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: Query<'_>,
        headers: HeaderMap,
        body: Bytes,
        patience: Duration,
    ) -> Result<Response<Incoming>, AskError> {
        let mut uri = format!("{}/admin/v1{path}", self.address);
        let mut pairs = Serializer::new(String::new());
        pairs.extend_pairs(query.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))));
        let query = pairs.finish();
        if !query.is_empty() {
            uri.push('?');
            uri.push_str(&query);
        }
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(own) = request.headers_mut() {
            own.extend(headers);
            own.insert(ACCEPT, HeaderValue::from_static("application/json, text/event-stream"));
            own.insert(AUTHORIZATION, self.bearer()?);
        }
        let request = request.body(Full::new(body)).map_err(|_| AskError::Address(self.address.clone()))?;
        self.http.send(request, patience).await.map_err(|source| self.unreached(source))
    }

    fn bearer(&self) -> Result<HeaderValue, AskError> {
        let value = HeaderValue::try_from(format!("Bearer {}", self.token.expose()));
        let mut value = value
            .map_err(|_| AskError::BadInput("the token has characters that no header can hold".into()))?;
        value.set_sensitive(true);
        Ok(value)
    }

    async fn body(&self, answer: Response<Incoming>, patience: Duration) -> Result<Bytes, AskError> {
        match tokio::time::timeout(patience, answer.into_body().collect()).await {
            Ok(Ok(collected)) => Ok(collected.to_bytes()),
            Ok(Err(error)) => Err(self.unreached(error.into())),
            Err(_) => Err(self.unreached(Unreached::Silence(patience))),
        }
    }

    fn problem(&self, status: StatusCode, body: &[u8]) -> AskError {
        if status == StatusCode::UNAUTHORIZED {
            return AskError::TokenRefused { address: self.address.clone() };
        }
        match serde_json::from_slice(body) {
            Ok(problem) => AskError::Answered(problem),
            Err(_) => self.unintelligible(status),
        }
    }

    /// An answer is not what it should be.
    pub(in crate::cli) fn unreadable(&self) -> AskError {
        self.unintelligible(StatusCode::OK)
    }

    fn unintelligible(&self, status: StatusCode) -> AskError {
        AskError::Unintelligible { address: self.address.clone(), status: status.as_u16() }
    }

    pub(super) fn unreached(&self, source: Unreached) -> AskError {
        AskError::Unreached { address: self.address.clone(), source }
    }
}

/// A header of a name and a value; `None` where they cannot be one.
pub(in crate::cli) fn header(text: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = text.split_once(':')?;
    Some((name.trim().parse().ok()?, value.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::TcpListener,
        time::sleep,
    };

    use super::*;

    /// A server that thinks for so long before each answer.
    async fn thinking(time: Duration) -> Admin {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let _head = stream.read(&mut [0; 4096]).await.unwrap();
                sleep(time).await;
                // Who asked may have gone.
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await;
            }
        });
        let http = Http::new(&address.parse().unwrap()).unwrap();
        Admin::new(http, &address, Secret::new("token".to_owned()))
    }

    #[tokio::test(start_paused = true)]
    async fn an_audit_is_waited_for_as_long_as_the_server_counts() {
        let admin = thinking(Duration::from_mins(5)).await;
        assert_eq!(admin.audit().await.unwrap(), "{}");
        let given_up = admin.get("/status", &[]).await;
        assert!(matches!(given_up, Err(AskError::Unreached { source: Unreached::Silence(_), .. })));
    }
}
