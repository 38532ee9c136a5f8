//! `tidegate receipt`: what became of a delivery, or of one element of it.

use clap::Args;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    client::{AskError, Asking, Session},
    exit::Exit,
    output::{Column, Show, Table, detail, notice},
};

const COLUMNS: &[Column] = &[
    Column::new("element", "/element", Show::Count),
    Column::new("outcome", "/outcome", Show::Text),
    Column::new("source", "/source", Show::Text),
    Column::new("type or rule", "/label", Show::Text),
    Column::new("id", "/id", Show::Whole),
];

#[derive(Args)]
pub(super) struct Receipt {
    #[command(flatten)]
    pub(super) asking: Asking,
    /// The receipt that the sender was given, alone or followed by / and the index of an element
    #[arg(value_name = "ID[/ELEMENT]", value_parser = path)]
    id: String,
    /// The most elements that are shown
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
}

#[derive(Deserialize)]
struct Found<'a> {
    #[serde(borrow)]
    elements: Vec<&'a RawValue>,
    more: bool,
    spool_searched: bool,
    storage_searched: bool,
}

/// An id is a UUID, and an index a number: nothing else gets into the path.
fn path(text: &str) -> Result<String, String> {
    let (id, element) = text.split_once('/').map_or((text, None), |(id, element)| (id, Some(element)));
    let id: uuid::Uuid = id.parse().map_err(|_| "must be a receipt, which is a UUID".to_owned())?;
    match element.map(str::parse::<u16>) {
        None => Ok(id.to_string()),
        Some(Ok(element)) => Ok(format!("{id}/{element}")),
        Some(Err(_)) => Err("the index of an element is a number up to 65535".into()),
    }
}

pub(super) async fn run(session: &mut Session, receipt: Receipt) -> Result<Exit, AskError> {
    let is_one = receipt.id.contains('/');
    let limit = (!is_one).then(|| receipt.limit.to_string());
    let answer = session.admin.get(&format!("/receipts/{}", receipt.id), &[("limit", limit)]).await?;
    let found: Found<'_> = serde_json::from_slice(&answer).map_err(|_| session.admin.unreadable())?;
    if found.more {
        notice("there are more elements: see --limit");
    }
    if !found.spool_searched {
        notice("the spool was not searched to its end: ask again when the lanes have caught up");
    }
    if !found.storage_searched {
        notice("the database did not answer: what it has is not shown; ask again when it is back");
    }
    let out = &mut session.out;
    if out.is_json() {
        out.json(&String::from_utf8_lossy(&answer))?;
        return Ok(Exit::Done);
    }
    match &found.elements[..] {
        // There is room for all that is known of it.
        [element] => out.line(described(element.get()).trim_end())?,
        elements => {
            let mut table = Table::new(COLUMNS);
            for element in elements {
                table.add(&summary(element.get()));
            }
            out.table(&table)?;
        }
    }
    Ok(Exit::Done)
}

/// Where an element is, with everything that is kept of it.
fn described(element: &str) -> String {
    let mut text = detail(element, &["event", "refusal", "dead_letter"]);
    for (name, value) in super::output::members(element) {
        if matches!(name.as_str(), "event" | "refusal" | "dead_letter") {
            text.push('\n');
            text.push_str(&detail(value.get(), &[]));
        }
    }
    text
}

/// A row for an element: what it is called stands in different places.
fn summary(element: &str) -> serde_json::Value {
    let mut item: serde_json::Value = serde_json::from_str(element).unwrap_or_default();
    let of = |pointers: &[&str]| pointers.iter().find_map(|pointer| item.pointer(pointer).cloned());
    let source = of(&["/event/source", "/refusal/source", "/dead_letter/source"]);
    let label = of(&["/event/event_type", "/refusal/rule", "/dead_letter/code", "/sequence"]);
    if let Some(members) = item.as_object_mut() {
        members.insert("source".into(), source.into());
        members.insert("label".into(), label.into());
    }
    item
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receipt_is_a_uuid_with_or_without_an_index() {
        let id = "01a20032-5f3c-7c9e-9ffe-800000000000";
        assert_eq!(path(id).as_deref(), Ok(id));
        assert_eq!(path(&id.to_uppercase()).as_deref(), Ok(id));
        let element = format!("{id}/65535");
        assert_eq!(path(&element).as_deref(), Ok(&element[..]));
        for wrong in ["", "x", "../status", &format!("{id}/"), &format!("{id}/65536"), &format!("{id}/../x")]
        {
            assert!(path(wrong).is_err(), "{wrong}");
        }
    }
}
