//! Looking at refusals.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::Value;
use uuid::Uuid;

use super::Chosen;
use crate::cli::{
    client::{self, AskError, Session},
    exit::Exit,
    output::{Column, Show, Table, detail, notice},
};

const COLUMNS: &[Column] = &[
    Column::new("received", "/received_at", Show::Time),
    Column::new("source", "/source", Show::Text),
    Column::new("rule", "/rule", Show::Text),
    Column::new("at", "/pointer", Show::Text),
    Column::new("state", "/state", Show::Text),
    Column::new("bytes", "/body_bytes", Show::Bytes),
    Column::new("id", "/refusal_id", Show::Whole),
];

const COUNTS: &[Column] = &[
    Column::new("source", "/source", Show::Text),
    Column::new("rule", "/rule", Show::Text),
    Column::new("state", "/state", Show::Text),
    Column::new("count", "/count", Show::Count),
    Column::new("first", "/first", Show::Time),
    Column::new("last", "/last", Show::Time),
];

#[derive(Deserialize)]
struct Kept {
    body: Body,
}

#[derive(Deserialize)]
struct Body {
    encoding: String,
    data: String,
}

fn query(chosen: Chosen) -> [(&'static str, Option<String>); 5] {
    [
        ("source", chosen.source),
        ("rule", chosen.rule),
        ("state", chosen.state),
        ("from", chosen.range.from),
        ("to", chosen.range.to),
    ]
}

pub(super) async fn list(session: &mut Session, chosen: Chosen, limit: u64) -> Result<Exit, AskError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    client::list(session, "/refusals", &query(chosen), limit, COLUMNS).await?;
    Ok(Exit::Done)
}

pub(super) async fn show(session: &mut Session, id: Uuid, only_body: bool) -> Result<Exit, AskError> {
    let answer = session.admin.get(&format!("/refusals/{id}"), &[]).await?;
    let out = &mut session.out;
    let json = String::from_utf8_lossy(&answer);
    if out.is_json() {
        out.json(&json)?;
        return Ok(Exit::Done);
    }
    let Kept { body: Body { encoding, data } } = session.admin.read(&answer)?;
    let bytes = if encoding == "base64" {
        BASE64_STANDARD.decode(&data).map_err(|_| session.admin.unreadable())?
    } else {
        data.into_bytes()
    };
    if !only_body {
        out.line(&detail(&json, &["body"]))?;
    }
    out.bytes(&bytes)?;
    if !only_body {
        out.line("")?;
    }
    Ok(Exit::Done)
}

pub(super) async fn summary(session: &mut Session, chosen: Chosen) -> Result<Exit, AskError> {
    let answer = session.admin.get("/refusals/summary", &query(chosen)).await?;
    let out = &mut session.out;
    if out.is_json() {
        out.json(&String::from_utf8_lossy(&answer))?;
        return Ok(Exit::Done);
    }
    let counts: Value = session.admin.read(&answer)?;
    let mut table = Table::new(COUNTS);
    table.add_all(counts.get("items").unwrap_or(&Value::Null));
    if table.is_empty() {
        notice("nothing found");
    }
    out.table(&table)?;
    Ok(Exit::Done)
}
