//! Lanes: paused and resumed.

use std::sync::Arc;

use axum::{extract::State, response::Json};

use super::{
    Admin,
    parameters::{InPath, Parameters},
    problem::Problem,
};
use crate::operate::lanes::{self, LaneReport, UnknownSink};

/// Writes nothing more to a sink.
pub(super) async fn pause(
    State(admin): State<Arc<Admin>>,
    InPath(sink): InPath<String>,
    asked: Parameters,
) -> Result<Json<LaneReport>, Problem> {
    asked.finish()?;
    Ok(Json(lanes::pause(&admin.lanes, &sink).await?))
}

/// Writes to a sink again.
pub(super) async fn resume(
    State(admin): State<Arc<Admin>>,
    InPath(sink): InPath<String>,
    asked: Parameters,
) -> Result<Json<LaneReport>, Problem> {
    asked.finish()?;
    Ok(Json(lanes::resume(&admin.lanes, &sink)?))
}

impl From<UnknownSink> for Problem {
    fn from(error: UnknownSink) -> Self {
        Self::not_found(error.to_string())
    }
}
