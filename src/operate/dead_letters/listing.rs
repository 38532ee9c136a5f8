//! Looking at dead letters.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde::Serialize;

use super::{LettersError, code, is_missing};
use crate::{
    drain::{
        blocking::blocking,
        lane_handle::LaneHandle,
        letter::{DeadLetter, LetterId},
    },
    event::time::format_rfc3339,
    operate::{
        lanes::find,
        record::{Decoded, ShownRecord},
    },
};

/// Records that a page of the list reads to say what they are.
const PAGE_BYTES: usize = 64 << 20;

/// A letter in a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LetterItem {
    /// Its name.
    pub id: String,
    /// The sink that did not take the record.
    pub sink: String,
    /// `event`, `refusal` or `unknown`.
    pub kind: &'static str,
    /// The source of the record, where that can be read.
    pub source: Option<String>,
    /// `poison_row` or `unreadable`; of a letter that cannot be read itself, `letter_unreadable`.
    pub reason: String,
    /// The sink's code, or that of the letter.
    pub code: String,
    /// When the record was given up.
    pub failed_at: Option<String>,
    /// In how many failed writes it took part.
    pub attempts: u32,
    /// Length of the record.
    pub bytes: usize,
}

/// A page of letters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LetterPage {
    /// The letters, newest first for each sink.
    pub items: Vec<LetterItem>,
    /// What to give back for those that follow, if there are more.
    pub next: Option<String>,
}

/// A letter with its contents.
#[derive(Clone, Debug, Serialize)]
pub struct ShownLetter {
    /// What the list says of it.
    #[serde(flatten)]
    pub item: LetterItem,
    /// The sink's words; may repeat the record.
    pub message: String,
    /// The record, where it can be read.
    pub record: Option<ShownRecord>,
    /// The record, byte for byte.
    pub payload_base64: String,
}

/// Lists letters, of one sink or of all. A page may be shorter than `limit` and not be the last.
pub async fn list(
    lanes: &[LaneHandle],
    sink: Option<&str>,
    cursor: Option<&str>,
    limit: usize,
) -> Result<LetterPage, LettersError> {
    let mut lanes = match sink {
        Some(sink) => vec![find(lanes, sink)?.clone()],
        None => lanes.to_vec(),
    };
    let mut before = None;
    if let Some(cursor) = cursor {
        let (sink, id) = cursor.split_once('/').ok_or(LettersError::Cursor)?;
        before = Some(LetterId::parse(id).ok_or(LettersError::Cursor)?);
        let stands = lanes.iter().position(|lane| lane.name() == sink).ok_or(LettersError::Cursor)?;
        lanes.drain(..stands);
    }
    Ok(blocking(move || page(&lanes, before, limit)).await)
}

fn page(lanes: &[LaneHandle], mut before: Option<LetterId>, limit: usize) -> LetterPage {
    let (mut page, mut bytes) = (LetterPage::default(), 0);
    for lane in lanes {
        while let Some(id) = lane.letters().newest(before) {
            if page.items.len() >= limit || bytes >= PAGE_BYTES {
                page.next = page.items.last().map(|last| format!("{}/{}", last.sink, last.id));
                return page;
            }
            before = Some(id);
            let item = item(lane, id);
            bytes += item.as_ref().map_or(0, |item| item.bytes);
            page.items.extend(item);
        }
        before = None;
    }
    page
}

/// What a list says of a letter; `None` if it is gone.
fn item(lane: &LaneHandle, id: LetterId) -> Option<LetterItem> {
    match lane.letters().show(id) {
        Ok(letter) => Some(describe(lane.name(), id, &letter, read_record(&letter).as_ref())),
        Err(error) if is_missing(&error) => None,
        Err(error) => Some(LetterItem {
            id: id.to_string(),
            sink: lane.name().to_owned(),
            kind: "unknown",
            source: None,
            reason: "letter_unreadable".to_owned(),
            code: code(&error).to_owned(),
            failed_at: None,
            attempts: 0,
            bytes: 0,
        }),
    }
}

/// What a list says of a letter that was read, and of its record if that could be read as well.
pub(in crate::operate) fn describe(
    sink: &str,
    id: LetterId,
    letter: &DeadLetter,
    record: Option<&Decoded>,
) -> LetterItem {
    LetterItem {
        id: id.to_string(),
        sink: sink.to_owned(),
        kind: match record {
            Some(Decoded::Event(_)) => "event",
            Some(Decoded::Refusal(_)) => "refusal",
            None => "unknown",
        },
        source: record.map(|record| record.source().to_owned()),
        reason: letter.reason.clone(),
        code: letter.code.clone(),
        failed_at: Some(format_rfc3339(letter.failed_at)),
        attempts: letter.attempts,
        bytes: letter.payload.len(),
    }
}

/// The record of a letter, where it can be read.
pub(in crate::operate) fn read_record(letter: &DeadLetter) -> Option<Decoded> {
    let kind = u8::try_from(letter.kind).ok()?;
    Decoded::read(kind, letter.payload.clone()).ok()?
}

/// Shows a letter and its record.
pub async fn show(lanes: &[LaneHandle], sink: &str, id: LetterId) -> Result<ShownLetter, LettersError> {
    let lane = find(lanes, sink)?.clone();
    blocking(move || {
        let letter = lane.letters().show(id).map_err(|error| match error {
            error if is_missing(&error) => LettersError::Missing,
            error => LettersError::Unreadable(error),
        })?;
        let record = read_record(&letter);
        Ok(ShownLetter {
            item: describe(lane.name(), id, &letter, record.as_ref()),
            record: record.as_ref().map(Decoded::shown),
            payload_base64: BASE64_STANDARD.encode(&letter.payload),
            message: letter.message,
        })
    })
    .await
}
