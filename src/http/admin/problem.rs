//! What an operator is told when something does not work: RFC 9457, with a word that programs can rely on.

use std::time::Duration;

use axum::{
    body::Body,
    http::{
        HeaderValue, Response, StatusCode,
        header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
    },
    response::IntoResponse,
};
use serde::Serialize;

use crate::{
    database::{DatabaseError, Fault},
    http::body::BodyError,
    operate::reload::SettingsMistake,
    store::TOO_SLOW,
};

/// When to come again after trouble of ours.
const RETRY: Duration = Duration::from_secs(5);

/// A request of an operator that was not carried out.
#[derive(Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    detail: String,
    mistakes: Vec<SettingsMistake>,
}

#[derive(Serialize)]
struct Told<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    code: &'static str,
    detail: &'a str,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    mistakes: &'a [SettingsMistake],
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self { status, code, detail: detail.into(), mistakes: Vec::new() }
    }

    /// Neither a token nor a session.
    pub(super) fn unauthorized() -> Self {
        let detail = "send the operator token as `Authorization: Bearer …`, or sign in on the page";
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
    }

    /// A session alone does not allow it.
    pub(super) fn forbidden(detail: &str) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    /// There is no such thing.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    /// Another method is asked for.
    pub(super) fn method_not_allowed() -> Self {
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "this path has other methods")
    }

    /// A parameter, or the body, says what cannot be understood. The detail names it and never repeats its value.
    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_parameter", detail)
    }

    /// The body is too large.
    pub(super) fn too_large(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", detail)
    }

    /// The settings hold mistakes; nothing has changed.
    pub(super) fn settings(mistakes: Vec<SettingsMistake>) -> Self {
        let detail = "the settings hold mistakes; the old ones stay in force";
        Self { mistakes, ..Self::new(StatusCode::UNPROCESSABLE_ENTITY, "settings_invalid", detail) }
    }

    /// Our own trouble.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
    }
}

/// The driver's words may repeat data of a row: only its code is told.
impl From<DatabaseError> for Problem {
    fn from(error: DatabaseError) -> Self {
        match error.fault {
            _ if error.code == TOO_SLOW => {
                let detail =
                    "the database did not answer in time: name a source and key, or a shorter time span";
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable", detail)
            }
            Fault::BadRow => Self::invalid(format!("the database refuses a value ({})", error.code)),
            Fault::Transient | Fault::Interrupted | Fault::Configuration => {
                let detail = format!("the database cannot be asked just now ({})", error.code);
                Self::new(StatusCode::SERVICE_UNAVAILABLE, "storage_unavailable", detail)
            }
        }
    }
}

impl From<BodyError> for Problem {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TooLarge { .. } => Self::too_large(error.to_string()),
            BodyError::TooSlow => Self::new(StatusCode::REQUEST_TIMEOUT, "timeout", error.to_string()),
            BodyError::Disconnected => Self::invalid(error.to_string()),
            BodyError::Memory => Self::unavailable(error.to_string()),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let told = Told {
            r#type: "about:blank",
            title: self.status.canonical_reason().unwrap_or_default(),
            status: self.status.as_u16(),
            code: self.code,
            detail: &self.detail,
            mistakes: &self.mistakes,
        };
        let mut response = Response::new(Body::from(serde_json::to_vec(&told).unwrap_or_default()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tidegate\""));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY.as_secs()));
        }
        response
    }
}
