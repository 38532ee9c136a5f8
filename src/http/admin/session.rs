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
    problem::Problem,
    request,
};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    token: String,
}

/// A session for whoever sends the operator token.
pub(super) async fn sign_in(State(admin): State<Arc<Admin>>, body: Body) -> Result<Response<Body>, Problem> {
    let SignIn { token } = request::json(&admin, body).await?;
    let session = admin.access.sign_in(&Zeroizing::new(token))?;
    Ok(signed(session.expose(), SESSION_LASTS.as_secs()))
}

/// Ends the session, if there is one.
pub(super) async fn sign_out(State(admin): State<Arc<Admin>>, headers: HeaderMap) -> Response<Body> {
    admin.access.sign_out(&headers);
    signed("", 0)
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
