//! What a source would say to a delivery.

use std::{sync::Arc, time::Duration};

use axum::{
    body::Body,
    extract::State,
    http::{
        HeaderMap,
        header::{CONTENT_ENCODING, HOST},
    },
    response::Json,
};
use tokio::time::timeout;

use super::{Admin, parameters::Parameters, problem::Problem, request};
use crate::{
    ingest::explain::{EXPLAINED_BYTES_MAX, ExplainError as SampleError, Sample},
    operate::explain::{ExplainError, Explanation, explain as ask},
    sources::bof::metadata::Metadata,
};

/// How long an explanation waits for those before it.
const TURN_AWAITED: Duration = Duration::from_secs(5);

/// Judges a body before a witness.
pub(super) async fn explain(
    State(admin): State<Arc<Admin>>,
    headers: HeaderMap,
    mut asked: Parameters,
    body: Body,
) -> Result<Json<Explanation>, Problem> {
    let source = asked.text("source").ok_or_else(|| Problem::invalid("`source` must name a source"))?;
    asked.finish()?;
    let (body, _memory) = request::bytes(&admin, body, EXPLAINED_BYTES_MAX).await?;
    let header = |name| headers.get(name).map(|value: &axum::http::HeaderValue| value.as_bytes());
    let host = header(HOST).map(|host| String::from_utf8_lossy(host).into_owned()).unwrap_or_default();
    let sample = Sample {
        host,
        content_encoding: header(CONTENT_ENCODING).map(<[u8]>::to_vec),
        metadata: Metadata::new(headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()))),
        received_at: admin.status.clock.now(),
        body,
    };
    // One at a time: what an explanation takes is many times its body.
    let turn = timeout(TURN_AWAITED, admin.explaining.acquire()).await;
    let _turn =
        turn.ok().and_then(Result::ok).ok_or_else(|| Problem::unavailable("others are being explained"))?;
    Ok(Json(ask(&admin.ingest, &admin.registry, &source, sample).await?))
}

impl From<ExplainError> for Problem {
    fn from(error: ExplainError) -> Self {
        match error {
            ExplainError::SourceUnknown => Self::not_found(error.to_string()),
            ExplainError::Sample(SampleError::TooLarge(_)) => Self::too_large(error.to_string()),
            ExplainError::Sample(SampleError::Unavailable(_)) => Self::unavailable(error.to_string()),
        }
    }
}
