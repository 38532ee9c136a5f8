//! Refusals: read, judged again, discarded.

use std::sync::Arc;

use axum::{body::Body, extract::State, response::Json};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{
    Admin, Listed,
    parameters::{self, InPath, Parameters},
    problem::Problem,
    request,
};
use crate::{
    operate::{
        record::ShownRefusal,
        refusals::{self, DiscardError},
        replay::{ReplayError, ReplayReport, ReplayRequest},
    },
    store::{
        range::TimeRange,
        refusals::{self as stored, RefusalCount, RefusalFilter, RefusalState, StoredRefusal},
    },
};

/// Refusals that can be named in one request.
const IDS_MAX: usize = 1000;

/// Refusals without their bodies.
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    mut asked: Parameters,
) -> Result<Json<Listed<StoredRefusal>>, Problem> {
    let (filter, before, limit) = (filter(&mut asked)?, asked.cursor()?, asked.limit()?);
    asked.finish()?;
    Ok(stored::list(&admin.database, &filter, before, limit).await?.into())
}

#[derive(Serialize)]
pub(super) struct Summary {
    items: Vec<RefusalCount>,
}

/// How many there are of each kind.
pub(super) async fn summary(
    State(admin): State<Arc<Admin>>,
    mut asked: Parameters,
) -> Result<Json<Summary>, Problem> {
    let filter = filter(&mut asked)?;
    asked.finish()?;
    Ok(Json(Summary { items: stored::summary(&admin.database, &filter).await? }))
}

/// One refusal with its body.
pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    InPath(id): InPath<String>,
    asked: Parameters,
) -> Result<Json<ShownRefusal>, Problem> {
    asked.finish()?;
    let found = refusals::show(&admin.database, parameters::id(&id)?).await?;
    found.map(Json).ok_or_else(|| {
        Problem::not_found(
            "the table of refusals has none of this id; it may still be in the spool: ask for its receipt",
        )
    })
}

/// Which refusals are meant, and what is to be done with them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    source: Option<String>,
    rule: Option<String>,
    from: Option<String>,
    to: Option<String>,
    ids: Option<Vec<Uuid>>,
    #[serde(default)]
    all: bool,
    #[serde(default)]
    dry_run: bool,
    cursor: Option<Uuid>,
}

impl Asked {
    async fn read(admin: &Admin, asked: Parameters, body: Body) -> Result<(Self, TimeRange), Problem> {
        asked.finish()?;
        let read: Self = request::json(admin, body).await?;
        if read.ids.as_ref().is_some_and(|ids| ids.len() > IDS_MAX) {
            return Err(Problem::invalid(format!("`ids` may name at most {IDS_MAX} refusals")));
        }
        for (name, text) in [("source", &read.source), ("rule", &read.rule)] {
            if text.as_ref().is_some_and(|text| text.contains('\0')) {
                return Err(Problem::invalid(format!("`{name}` holds a zero byte")));
            }
        }
        let time = |name, text: &Option<String>| {
            text.as_deref().map(|text| parameters::time(name, text)).transpose()
        };
        let range = TimeRange { from: time("from", &read.from)?, to: time("to", &read.to)? };
        Ok((read, range))
    }
}

/// Judges refusals again.
pub(super) async fn replay(
    State(admin): State<Arc<Admin>>,
    asked: Parameters,
    body: Body,
) -> Result<Json<ReplayReport>, Problem> {
    let (Asked { source, rule, ids, dry_run, cursor, .. }, received) =
        Asked::read(&admin, asked, body).await?;
    let Some(ids) = named(ids) else { return Ok(Json(ReplayReport { dry_run, ..ReplayReport::default() })) };
    let request = ReplayRequest { source, rule, received, ids, dry_run, cursor };
    let report = admin.replay.run(&request).await?;
    let ReplayReport { considered, stored, duplicates, .. } = &report;
    tracing::info!(dry_run, considered, stored, duplicates, "refusals judged again as an operator asked");
    Ok(Json(report))
}

#[derive(Serialize)]
pub(super) struct Discarded {
    discarded: u64,
}

/// Marks refusals as not wanted.
pub(super) async fn discard(
    State(admin): State<Arc<Admin>>,
    asked: Parameters,
    body: Body,
) -> Result<Json<Discarded>, Problem> {
    let (Asked { source, rule, ids, all, dry_run, cursor, .. }, received) =
        Asked::read(&admin, asked, body).await?;
    if cursor.is_some() {
        return Err(Problem::invalid("`cursor` is not known here: one call discards all that are meant"));
    }
    let Some(ids) = named(ids) else { return Ok(Json(Discarded { discarded: 0 })) };
    let filter = RefusalFilter { source, rule, state: None, received, ids };
    let discarded = admin.replay.discard(&filter, all, dry_run).await?;
    tracing::info!(dry_run, discarded, "refusals discarded as an operator asked");
    Ok(Json(Discarded { discarded }))
}

/// The ids of a filter, where none stand for any; `None` for a list that names nothing.
fn named(ids: Option<Vec<Uuid>>) -> Option<Vec<Uuid>> {
    match ids {
        Some(ids) if ids.is_empty() => None,
        ids => Some(ids.unwrap_or_default()),
    }
}

fn filter(asked: &mut Parameters) -> Result<RefusalFilter, Problem> {
    Ok(RefusalFilter {
        source: asked.text("source"),
        rule: asked.text("rule"),
        state: asked.parsed("state", "new, replayed or discarded", RefusalState::parse)?,
        received: asked.range()?,
        ids: Vec::new(),
    })
}

impl From<ReplayError> for Problem {
    fn from(error: ReplayError) -> Self {
        match error {
            ReplayError::Unavailable(trouble) => Self::unavailable(trouble.to_string()),
            ReplayError::Storage(error) => error.into(),
        }
    }
}

impl From<DiscardError> for Problem {
    fn from(error: DiscardError) -> Self {
        match error {
            DiscardError::Unbounded => Self::invalid(error.to_string()),
            DiscardError::Storage(error) => error.into(),
        }
    }
}
