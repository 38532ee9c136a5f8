//! `tidegate spool dump`: a line for each record, without what senders wrote into it.

use serde_json::json;

use super::{LookError, Part, records::each};
use crate::{
    cli::{
        exit::Exit,
        output::{Output, member, time},
    },
    event::time::format_rfc3339,
    operate::record::Decoded,
    spool::inspect::Inspection,
};

pub(super) fn run(inspection: &mut Inspection, out: &mut Output, part: &Part) -> Result<Exit, LookError> {
    let is_sound = each(inspection, out, part, |out, file, record, decoded| {
        let mut line = json!({
            "sequence": record.sequence, "file": file, "offset": record.offset, "bytes": record.payload.len(),
        });
        let (kind, id, received_at, rule) = match decoded {
            Some(Decoded::Event(event)) => {
                ("event".into(), Some(event.event_id()), Some(event.received_at), None)
            }
            Some(Decoded::Refusal(refusal)) => {
                let (id, at) = (refusal.refusal_id(), refusal.received_at);
                ("refusal".into(), Some(id), Some(at), Some(refusal.rule.as_str()))
            }
            None => (format!("kind {}", record.kind), None, None, None),
        };
        if let Some(members) = line.as_object_mut() {
            members.insert("kind".into(), kind.into());
            members.insert("id".into(), id.map(|id| id.to_string()).into());
            members.insert("source".into(), decoded.map(Decoded::source).into());
            members.insert("received_at".into(), received_at.map(format_rfc3339).into());
            members.insert("rule".into(), rule.into());
        }
        if out.is_json() {
            return Ok(out.json(&line.to_string())?);
        }
        let of = |pointer| member(&line, pointer);
        Ok(out.line(&format!(
            "{:>12}  {}  {:>10}  {:>8}  {:7}  {}  {:16}  {}  {}",
            of("/sequence"),
            of("/file"),
            of("/offset"),
            of("/bytes"),
            of("/kind"),
            time(&of("/received_at")),
            of("/source"),
            of("/id"),
            of("/rule"),
        ))?)
    })?;
    Ok(if is_sound { Exit::Done } else { Exit::Failed })
}
