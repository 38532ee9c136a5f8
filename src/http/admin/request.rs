//! Reading the bodies of operators' requests.

use axum::body::Body;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use super::{Admin, problem::Problem};
use crate::http::body::{self, BodyLimits, Reservation};

/// A thousand ids are 40 KB.
const JSON_BYTES_MAX: usize = 1 << 20;

/// A body as JSON of a shape that is known.
pub(super) async fn json<T: DeserializeOwned>(admin: &Admin, body: Body) -> Result<T, Problem> {
    json_within(admin, body, JSON_BYTES_MAX).await
}

/// The same of at most so many bytes.
pub(super) async fn json_within<T: DeserializeOwned>(
    admin: &Admin,
    body: Body,
    bytes_max: usize,
) -> Result<T, Problem> {
    let (bytes, _memory) = bytes(admin, body, bytes_max).await?;
    serde_json::from_slice(&bytes).map_err(|error| {
        // The parser's words may repeat what was sent; its place does not.
        let (line, column) = (error.line(), error.column());
        Problem::invalid(format!("the body is not the JSON that is asked for (line {line}, column {column})"))
    })
}

/// A body of at most so many bytes, with the memory that it holds.
pub(super) async fn bytes(
    admin: &Admin,
    body: Body,
    bytes_max: usize,
) -> Result<(Bytes, Reservation), Problem> {
    let limits = BodyLimits { bytes: bytes_max, ..admin.body };
    Ok(body::read(body, &limits, &admin.budget).await?)
}
