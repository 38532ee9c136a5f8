//! `tidegate status`: how the server is doing.

use serde_json::Value;

use super::{
    client::{AskError, Session},
    exit::Exit,
    output::{Column, Output, Show, Table, bytes, count, duration, member, time},
};

pub(super) const LANES: &[Column] = &[
    Column::new("lane", "/sink", Show::Text),
    Column::new("state", "/state", Show::Text),
    Column::new("trouble", "/trouble", Show::Text),
    Column::new("since", "/since", Show::Time),
    Column::new("behind", "/lag_records", Show::Count),
    Column::new("by", "/lag_seconds", Show::Duration),
    Column::new("dead letters", "/dead_letters", Show::Count),
    Column::new("last error", "/last_error/code", Show::Text),
    Column::new("at", "/last_error/at", Show::Time),
];

const SOURCES: &[Column] = &[
    Column::new("source", "/name", Show::Text),
    Column::new("kind", "/kind", Show::Text),
    Column::new("enabled", "/enabled", Show::Text),
    Column::new("received", "/outcomes/received", Show::Count),
    Column::new("committed", "/outcomes/committed", Show::Count),
    Column::new("duplicate", "/outcomes/duplicate", Show::Count),
    Column::new("ignored", "/outcomes/ignored", Show::Count),
    Column::new("refused", "/outcomes/refused", Show::Count),
    Column::new("filtered", "/outcomes/filtered", Show::Count),
    Column::new("sampled out", "/outcomes/sampled_out", Show::Count),
    Column::new("shed", "/outcomes/shed", Show::Count),
];

const SECRETS: &[Column] = &[
    Column::new("source", "/source", Show::Text),
    Column::new("secret", "/id", Show::Text),
    Column::new("last used", "/last_used", Show::Time),
    Column::new("not after", "/not_after", Show::Time),
    Column::new("expired", "/expired", Show::Text),
];

pub(super) async fn run(session: &mut Session) -> Result<Exit, AskError> {
    let answer = session.admin.get("/status", &[]).await?;
    let status: Value = session.admin.read(&answer)?;
    let out = &mut session.out;
    if out.is_json() {
        out.json(&String::from_utf8_lossy(&answer))?;
        return Ok(Exit::Done);
    }
    server(out, &status)?;
    spool(out, status.get("spool").unwrap_or(&Value::Null))?;
    for (member, columns) in [("lanes", LANES), ("sources", SOURCES)] {
        let mut table = Table::new(columns);
        table.add_all(status.get(member).unwrap_or(&Value::Null));
        section(out, &table)?;
    }
    section(out, &secrets(&status))?;
    Ok(Exit::Done)
}

fn server(out: &mut Output, status: &Value) -> Result<(), AskError> {
    let is = |pointer| status.pointer(pointer).and_then(Value::as_bool).unwrap_or_default();
    let ready = if is("/ready") { "ready" } else { "NOT READY" };
    let started = time(&member(status, "/started_at"));
    out.line(&format!("tidegate {}  {ready}  since {started}", member(status, "/version")))?;
    let reloaded = if is("/config/reload_successful") { "" } else { "  THE LAST RELOAD FAILED" };
    let loaded = time(&member(status, "/config/loaded_at"));
    out.line(&format!("settings {} of {loaded}{reloaded}", member(status, "/config_version")))?;
    for check in status.get("checks").and_then(Value::as_array).into_iter().flatten() {
        if check.get("ok").and_then(Value::as_bool) != Some(true) {
            out.line(&format!("not well: {} {}", member(check, "/name"), member(check, "/detail")))?;
        }
    }
    Ok(())
}

fn spool(out: &mut Output, spool: &Value) -> Result<(), AskError> {
    let number = |name| spool.get(name).and_then(Value::as_u64).unwrap_or_default();
    let free = spool.get("free_bytes").and_then(Value::as_u64);
    let rate = |name| spool.get(name).and_then(Value::as_f64).unwrap_or_default();
    let phase = member(spool, "/phase");
    out.line(&format!(
        "\nspool {phase}  {} records in {} of {}, {} free on the disk",
        count(number("records")),
        bytes(number("bytes")),
        bytes(number("max_bytes")),
        free.map_or_else(|| "-".into(), bytes),
    ))?;
    let left = match spool.get("seconds_left").and_then(Value::as_f64) {
        Some(seconds) => format!("; full in {} if nothing were delivered", duration(seconds)),
        None => String::new(),
    };
    out.line(&format!("arriving  {:.1} records/s{left}", rate("records_per_second")))?;
    let troubles =
        [("lacks_quota", "the quota is used up"), ("no_space", "the disk is full")].map(|(name, words)| {
            let is_so = spool.get(name).and_then(Value::as_bool) == Some(true);
            is_so.then(|| words.to_owned())
        });
    let damaged = number("damaged_records");
    let damage = (damaged > 0).then(|| format!("{} records were damaged or missing", count(damaged)));
    for trouble in troubles.into_iter().chain([damage]).flatten() {
        out.line(&format!("not well: {trouble}"))?;
    }
    Ok(())
}

/// The secrets of all sources, each beside its source.
fn secrets(status: &Value) -> Table {
    let mut table = Table::new(SECRETS);
    for source in status.get("sources").and_then(Value::as_array).into_iter().flatten() {
        for secret in source.get("secrets").and_then(Value::as_array).into_iter().flatten() {
            let mut secret = secret.clone();
            if let (Some(secret), Some(name)) = (secret.as_object_mut(), source.get("name")) {
                secret.insert("source".into(), name.clone());
            }
            table.add(&secret);
        }
    }
    table
}

fn section(out: &mut Output, table: &Table) -> Result<(), AskError> {
    if !table.is_empty() {
        out.line("")?;
        out.table(table)?;
    }
    Ok(())
}
