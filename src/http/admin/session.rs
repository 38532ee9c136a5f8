//! Signing in and out on the page.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Response, StatusCode, header::SET_COOKIE},
};
use serde::Deserialize;
use zeroize::Zeroizing;

use super::{
    Admin,
    access::{COOKIE_NAME, SESSION_LASTS},
    parameters::Parameters,
    problem::Problem,
    request,
};

/// Nobody who may sign in sends more, and nobody has shown a token yet.
const SIGN_IN_BYTES_MAX: usize = 4096;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    token: String,
}

/// A session for whoever sends the operator token.
pub(super) async fn sign_in(
    State(admin): State<Arc<Admin>>,
    asked: Parameters,
    body: Body,
) -> Result<Response<Body>, Problem> {
    asked.finish()?;
    let SignIn { token } = request::json_within(&admin, body, SIGN_IN_BYTES_MAX).await?;
    let session = admin.access.sign_in(&Zeroizing::new(token)).inspect_err(|_| {
        admin.turned_away.increment(1);
    })?;
    tracing::info!("an operator signed in");
    Ok(signed(session.expose(), SESSION_LASTS.as_secs()))
}

/// Ends the session, if there is one.
pub(super) async fn sign_out(
    State(admin): State<Arc<Admin>>,
    headers: HeaderMap,
    asked: Parameters,
) -> Result<Response<Body>, Problem> {
    asked.finish()?;
    admin.access.sign_out(&headers);
    Ok(signed("", 0))
}

fn signed(session: &str, lasts_seconds: u64) -> Response<Body> {
    let cookie =
        format!("{COOKIE_NAME}={session}; HttpOnly; SameSite=Strict; Path=/; Max-Age={lasts_seconds}");
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    if let Ok(mut value) = HeaderValue::from_str(&cookie) {
        value.set_sensitive(true);
        response.headers_mut().insert(SET_COOKIE, value);
    }
    response
}
