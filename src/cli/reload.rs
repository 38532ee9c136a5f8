//! `tidegate reload`: lets the server read its settings again.

use serde::Deserialize;
use serde_json::json;

use super::{
    client::{AskError, Session},
    exit::Exit,
    output::{notice, printable},
};

#[derive(Deserialize)]
struct Reloaded {
    config_version: String,
    warnings: Vec<String>,
    needs_restart: Vec<String>,
}

pub(super) async fn run(session: &mut Session) -> Result<Exit, AskError> {
    let answer = session.admin.post("/reload", &json!({})).await?;
    if session.out.is_json() {
        session.out.json(&String::from_utf8_lossy(&answer))?;
        return Ok(Exit::Done);
    }
    let Reloaded { config_version, warnings, needs_restart } = session.admin.read(&answer)?;
    session.out.line(&format!("settings {} are in use", printable(&config_version)))?;
    for warning in &warnings {
        notice(&format!("warning: {warning}"));
    }
    for section in &needs_restart {
        notice(&format!("changes of [{section}] need a restart"));
    }
    Ok(Exit::Done)
}
