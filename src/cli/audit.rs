//! `tidegate audit`: does everything that was received add up?

use serde_json::Value;

use super::{
    client::{AskError, Session},
    exit::Exit,
    output::{Column, Show, Table, count},
};

const CHECKS: &[Column] = &[
    Column::new("check", "/name", Show::Whole),
    Column::new("holds", "/holds", Show::Text),
    Column::new("left", "/left", Show::Count),
    Column::new("right", "/right", Show::Count),
    Column::new("detail", "/detail", Show::Whole),
];

const CURSORS: &[Column] = &[
    Column::new("spool", "/spool_id", Show::Whole),
    Column::new("lane", "/lane", Show::Text),
    Column::new("from", "/first_sequence", Show::Count),
    Column::new("next", "/next_sequence", Show::Count),
    Column::new("stored", "/stored", Show::Count),
    Column::new("duplicates", "/duplicates", Show::Count),
    Column::new("conflicts", "/conflicts", Show::Count),
    Column::new("dead", "/dead", Show::Count),
    Column::new("refusals", "/refusals", Show::Count),
    Column::new("gaps", "/gaps", Show::Count),
    Column::new("updated", "/updated_at", Show::Time),
];

pub(super) async fn run(session: &mut Session) -> Result<Exit, AskError> {
    let answer = session.admin.audit().await?;
    let audit: Value = session.admin.read(&answer)?;
    let Some(holds) = audit.get("holds").and_then(Value::as_bool) else {
        return Err(session.admin.unreadable());
    };
    let exit = if holds { Exit::Done } else { Exit::Failed };
    let out = &mut session.out;
    if out.is_json() {
        out.json(&String::from_utf8_lossy(&answer))?;
        return Ok(exit);
    }
    for (member, columns) in [("checks", CHECKS), ("cursors", CURSORS)] {
        let mut table = Table::new(columns);
        table.add_all(audit.get(member).unwrap_or(&Value::Null));
        out.table(&table)?;
        out.line("")?;
    }
    let backlog = audit.get("backlog").and_then(Value::as_u64).unwrap_or_default();
    out.line(&format!("{} records wait in the spool", count(backlog)))?;
    out.line(if holds { "it adds up" } else { "IT DOES NOT ADD UP" })?;
    Ok(exit)
}
