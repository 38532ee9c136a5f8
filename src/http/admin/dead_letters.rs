//! Dead letters: listed, shown, requeued, discarded.

use std::sync::Arc;

use axum::{body::Body, extract::State, response::Json};
use serde::Deserialize;

use super::{
    Admin,
    parameters::{InPath, Parameters},
    problem::Problem,
    request,
};
use crate::{
    drain::letter::LetterId,
    operate::dead_letters::{self, Discarded, LetterPage, LettersError, Requeued, Selection, ShownLetter},
};

/// Letters of one sink, or of all.
pub(super) async fn list(
    State(admin): State<Arc<Admin>>,
    mut asked: Parameters,
) -> Result<Json<LetterPage>, Problem> {
    let (sink, cursor, limit) = (asked.text("sink"), asked.text("cursor"), asked.limit()?);
    asked.finish()?;
    let page = dead_letters::list(&admin.lanes, sink.as_deref(), cursor.as_deref(), limit).await?;
    Ok(Json(page))
}

/// One letter with its record.
pub(super) async fn show(
    State(admin): State<Arc<Admin>>,
    InPath((sink, id)): InPath<(String, String)>,
    asked: Parameters,
) -> Result<Json<ShownLetter>, Problem> {
    asked.finish()?;
    Ok(Json(dead_letters::show(&admin.lanes, &sink, letter(&id)?).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    sink: String,
    ids: Option<Vec<String>>,
    #[serde(default)]
    all: bool,
    after: Option<String>,
}

impl Asked {
    async fn read(admin: &Admin, asked: Parameters, body: Body) -> Result<(String, Selection), Problem> {
        asked.finish()?;
        let Self { sink, ids, all, after } = request::json(admin, body).await?;
        let after = after.as_deref().map(letter).transpose()?;
        let selection = match (ids, all) {
            (Some(_), false) if after.is_some() => {
                return Err(Problem::invalid("`after` goes with `all` only"));
            }
            (Some(ids), false) => {
                let ids: Result<_, _> = ids.iter().map(|id| letter(id)).collect();
                Selection::Ids(ids?)
            }
            (None, true) => Selection::All { after },
            _ => return Err(Problem::invalid("name the letters in `ids`, or say `all`: one of the two")),
        };
        Ok((sink, selection))
    }
}

/// Writes letters to their sink once more.
pub(super) async fn requeue(
    State(admin): State<Arc<Admin>>,
    asked: Parameters,
    body: Body,
) -> Result<Json<Requeued>, Problem> {
    let (sink, selection) = Asked::read(&admin, asked, body).await?;
    Ok(Json(dead_letters::requeue(&admin.lanes, &sink, selection).await?))
}

/// Removes letters for good.
pub(super) async fn discard(
    State(admin): State<Arc<Admin>>,
    asked: Parameters,
    body: Body,
) -> Result<Json<Discarded>, Problem> {
    let (sink, selection) = Asked::read(&admin, asked, body).await?;
    Ok(Json(dead_letters::discard(&admin.lanes, &sink, selection).await?))
}

fn letter(id: &str) -> Result<LetterId, Problem> {
    LetterId::parse(id).ok_or_else(|| Problem::invalid("the id must be that of a dead letter"))
}

impl From<LettersError> for Problem {
    fn from(error: LettersError) -> Self {
        let told = error.to_string();
        match error {
            LettersError::Sink(unknown) => unknown.into(),
            LettersError::Missing => Self::not_found(told),
            LettersError::Cursor | LettersError::TooMany => Self::invalid(told),
            LettersError::Unreadable(_) | LettersError::Disk(_) => Self::unavailable(told),
        }
    }
}
