//! Replaying and discarding refusals: both settle what is new.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Unsettled;
use crate::cli::{
    client::{AskError, Session},
    exit::Exit,
    output::{Output, count, printable},
};

/// What one call, or all of them together, made of refusals.
#[derive(Default, Deserialize)]
struct Replayed {
    considered: u64,
    stored: u64,
    duplicates: u64,
    #[serde(default)]
    refused: BTreeMap<String, u64>,
    #[serde(default)]
    ignored: BTreeMap<String, u64>,
    filtered: u64,
    #[serde(default)]
    not_replayable: BTreeMap<String, u64>,
    next: Option<String>,
}

#[derive(Deserialize)]
struct Discarded {
    discarded: u64,
}

/// The request's body: only what was named.
fn filter(which: &Unsettled) -> Value {
    let mut filter = json!({ "dry_run": which.dry_run });
    if let Some(members) = filter.as_object_mut() {
        let named = [
            ("source", &which.source),
            ("rule", &which.rule),
            ("from", &which.range.from),
            ("to", &which.range.to),
        ];
        for (name, value) in named {
            members.extend(value.clone().map(|value| (name.to_owned(), value.into())));
        }
        if !which.ids.is_empty() {
            let ids: Vec<String> = which.ids.iter().map(ToString::to_string).collect();
            members.insert("ids".into(), ids.into());
        }
    }
    filter
}

/// One call handles a part; this goes on to the end.
pub(super) async fn replay(session: &mut Session, which: Unsettled) -> Result<Exit, AskError> {
    let mut body = filter(&which);
    let mut total = Replayed::default();
    loop {
        let answer = session.admin.post("/refusals/replay", &body).await?;
        if session.out.is_json() {
            session.out.json(&String::from_utf8_lossy(&answer))?;
            session.out.flush()?;
        }
        let part: Replayed = session.admin.read(&answer)?;
        let next = part.next.clone();
        total.add(part);
        let Some(cursor) = next else { break };
        if let Some(members) = body.as_object_mut() {
            members.insert("cursor".into(), cursor.into());
        }
    }
    if !session.out.is_json() {
        total.tell(&mut session.out, which.dry_run)?;
    }
    Ok(Exit::Done)
}

impl Replayed {
    fn add(&mut self, part: Self) {
        self.considered += part.considered;
        self.stored += part.stored;
        self.duplicates += part.duplicates;
        self.filtered += part.filtered;
        let sums = [
            (&mut self.refused, part.refused),
            (&mut self.ignored, part.ignored),
            (&mut self.not_replayable, part.not_replayable),
        ];
        for (sum, part) in sums {
            for (name, number) in part {
                *sum.entry(name).or_default() += number;
            }
        }
    }

    fn tell(&self, out: &mut Output, dry_run: bool) -> Result<(), AskError> {
        let would = if dry_run { "would be " } else { "" };
        out.line(&format!("{} considered", count(self.considered)))?;
        out.line(&format!("{} {would}stored", count(self.stored)))?;
        let singles = [("stored already", self.duplicates), ("filtered", self.filtered)];
        for (words, number) in singles.iter().filter(|(_, number)| *number > 0) {
            out.line(&format!("{} {words}", count(*number)))?;
        }
        let reasons = [
            ("still refused", &self.refused),
            ("ignored", &self.ignored),
            ("cannot be replayed", &self.not_replayable),
        ];
        for (words, numbers) in reasons {
            for (reason, number) in numbers.iter().filter(|(_, number)| **number > 0) {
                out.line(&format!("{} {words}: {}", count(*number), printable(reason)))?;
            }
        }
        Ok(())
    }
}

pub(super) async fn discard(session: &mut Session, which: Unsettled, all: bool) -> Result<Exit, AskError> {
    let mut body = filter(&which);
    if all && let Some(members) = body.as_object_mut() {
        members.insert("all".into(), true.into());
    }
    let answer = session.admin.post("/refusals/discard", &body).await?;
    if session.out.is_json() {
        session.out.json(&String::from_utf8_lossy(&answer))?;
        return Ok(Exit::Done);
    }
    let Discarded { discarded } = session.admin.read(&answer)?;
    let would = if which.dry_run { "would be " } else { "" };
    session.out.line(&format!("{} {would}discarded", count(discarded)))?;
    Ok(Exit::Done)
}
