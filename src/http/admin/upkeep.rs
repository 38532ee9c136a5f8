//! Settings read again, rows deleted.

use std::sync::Arc;

use axum::{body::Body, extract::State, response::Json};
use serde::Deserialize;

use super::{
    Admin,
    parameters::{self, Parameters},
    problem::Problem,
    request,
};
use crate::{
    operate::{reload::Reloaded, retention},
    store::retention::{Aim, Prune, Pruned},
};

/// Puts the settings in force.
pub(super) async fn reload(
    State(admin): State<Arc<Admin>>,
    asked: Parameters,
) -> Result<Json<Reloaded>, Problem> {
    asked.finish()?;
    let reload = Arc::clone(&admin.reload);
    match tokio::task::spawn_blocking(move || reload.reload()).await {
        Ok(reloaded) => reloaded.map(Json).map_err(Problem::settings),
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    before: String,
    user: Option<String>,
    #[serde(default = "yes")]
    events: bool,
    #[serde(default = "yes")]
    refusals: bool,
    #[serde(default)]
    dry_run: bool,
}

fn yes() -> bool {
    true
}

/// Deletes what is old, or of one user.
pub(super) async fn prune(
    State(admin): State<Arc<Admin>>,
    asked: Parameters,
    body: Body,
) -> Result<Json<Pruned>, Problem> {
    asked.finish()?;
    let Asked { before, user, events, refusals, dry_run } = request::json(&admin, body).await?;
    let before = parameters::time("before", &before)?;
    if user.as_deref().is_some_and(|user| user.is_empty() || user.contains('\0')) {
        return Err(Problem::invalid("`user` must not be empty, nor hold a zero byte"));
    }
    let aim = if dry_run { Aim::Count } else { Aim::Delete };
    let pruned = retention::prune(&admin.database, Prune { before, user, events, refusals }, aim).await?;
    if !dry_run {
        let Pruned { events, refusals } = pruned;
        tracing::info!(events, refusals, "rows deleted as an operator asked");
    }
    Ok(Json(pruned))
}
