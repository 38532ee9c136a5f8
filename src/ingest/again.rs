//! Refusals, looked at again: judged by the settings in force, under the names and at the time under which they came.
//!
//! What a refusal becomes depends on nothing but the refusal, the settings and the users directory, and its events have
//! the ids that they had under its receipt. So a replay that is repeated, interrupted or run twice at a time appends the
//! same events under the same ids, and each is stored once.

use prost::Message;
use uuid::Uuid;

use super::{
    accept::{Directory, Ingest, LOW_PRIORITY_USAGE_MAX, trouble},
    answer::Trouble,
    delivery_id::{ELEMENTS_MAX, following},
    judging::{Exceeded, Fate, Judged, Judging},
    refuser::{ENCODED_AS, encode},
    registry::{Door, Doors, needs_directory},
};
use crate::{
    event::record::{CONFLICT_CONTENT_TYPE, DEDUP_CONFLICT, Event, Refusal},
    sources::{Kind, bof::metadata::Metadata, rule},
    spool::{Chunk, Kind as RecordKind, Receipt},
};

/// What a refusal is today.
#[derive(Clone, Debug, PartialEq)]
pub enum Again {
    /// Its elements: one, or those of a body that could not be taken apart before.
    Judged(Vec<Fate>),
    /// An event that was refused for nothing but its key.
    Conflict(Box<Event>),
    /// It cannot be judged.
    Unfit(Unfit),
}

impl Again {
    /// The events in it.
    pub fn events(&self) -> impl Iterator<Item = &Event> {
        let (fates, conflict) = match self {
            Self::Judged(fates) => (fates.as_slice(), None),
            Self::Conflict(event) => (&[][..], Some(event.as_ref())),
            Self::Unfit(_) => (&[][..], None),
        };
        let events = fates.iter().filter_map(|fate| match fate {
            Fate::Event(event) => Some(event.as_ref()),
            _ => None,
        });
        events.chain(conflict)
    }
}

/// Why a refusal cannot be judged again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unfit {
    /// Not all of its bytes were kept.
    Truncated,
    /// There is no source of its name now, or it is of another kind.
    SourceUnknown,
    /// It exceeds the limits that its source has now.
    TooLarge,
}

impl Ingest {
    /// Judges a refusal by the settings in force. A source that is switched off is shut to its sender only.
    ///
    /// # Errors
    /// When its user cannot be looked up yet.
    pub fn judge_again(&self, doors: &Doors, refusal: &Refusal) -> Result<Again, Trouble> {
        let door = doors.named(&refusal.source).filter(|door| is_of_its_kind(door, &refusal.path));
        let Some(door) = door else { return Ok(Again::Unfit(Unfit::SourceUnknown)) };
        if refusal.truncated {
            return Ok(Again::Unfit(Unfit::Truncated));
        }
        if refusal.content_type == CONFLICT_CONTENT_TYPE && refusal.rule == DEDUP_CONFLICT {
            let event = Event::decode(refusal.body.clone());
            return Ok(event.map_or(Again::Unfit(Unfit::Truncated), |event| Again::Conflict(event.into())));
        }
        if needs_directory(&door.source) && !self.users().is_loaded() {
            return Err(Trouble::DirectoryNotLoaded);
        }
        let metadata = Metadata::from_json(&refusal.metadata);
        let judging = Judging {
            source: &door.source,
            users: &Directory(self.users()),
            path: &refusal.path,
            host: &refusal.host,
            data_center: door.data_center(&refusal.path),
            metadata: &metadata,
            received_at: refusal.received_at,
            elements_max: ELEMENTS_MAX,
            decoded_bytes_max: usize::MAX,
        };
        let numbered = judged(&judging, refusal).and_then(|judged| numbered(judged, refusal.refusal_id()));
        Ok(numbered.map_or(Again::Unfit(Unfit::TooLarge), Again::Judged))
    }

    /// Appends events of refusals as one chunk; when this answers they are durable.
    ///
    /// Neither received nor an outcome is counted, since that was done when the refusals came in. Refusals are safe where
    /// they are, so that they make way for deliveries like a source of low priority.
    ///
    /// # Errors
    /// When none of them was taken.
    pub async fn append_again(&self, doors: &Doors, events: &[Event]) -> Result<Receipt, Trouble> {
        if self.spool().usage() >= LOW_PRIORITY_USAGE_MAX {
            return Err(Trouble::MakesWay);
        }
        let mut chunk = Chunk::new();
        for event in events {
            chunk.push(RecordKind::Event, |out| encode(event, out));
        }
        let receipt = self.spool().append(chunk).await.map_err(trouble)?;
        for event in events {
            if let Some(door) = doors.named(&event.source) {
                door.state.tally.replayed();
            }
        }
        Ok(receipt)
    }
}

/// Whether a source of this kind can have got what came on this path. Only the paths that sources have of themselves
/// tell; on any other the kind of today is taken for that of then.
fn is_of_its_kind(door: &Door, path: &str) -> bool {
    let kind = path.strip_prefix("/v1/").and_then(|rest| rest.split('/').next());
    kind.is_none_or(|kind| kind == door.source.kind.name())
}

fn judged(judging: &Judging<'_>, refusal: &Refusal) -> Result<Vec<Judged<()>>, Exceeded> {
    match judging.source.kind {
        Kind::Segment(_) if refusal.element.is_none() => judging.body(encoding(refusal), &refusal.body),
        Kind::Bof(_) if refusal.rule == rule::DELIVERY_MALFORMED.id => judging.rest(&refusal.body),
        Kind::Segment(_) | Kind::Bof(_) => Ok(vec![judging.element(&refusal.body)]),
    }
}

/// How the body of a refusal is still encoded. A body that was taken apart is not, whatever its Content-Type says.
fn encoding(refusal: &Refusal) -> Option<&[u8]> {
    let of_bodies = [
        rule::ENCODING_UNSUPPORTED,
        rule::ENCODING_CORRUPT,
        rule::BODY_UTF8,
        rule::BODY_EMPTY,
        rule::BODY_MALFORMED,
    ];
    let (_, encoding) = refusal.content_type.rsplit_once(ENCODED_AS)?;
    of_bodies.iter().any(|rule| rule.id == refusal.rule).then_some(encoding.as_bytes())
}

/// Gives the events their ids: element *i* of a refused body has that of the refusal and *i* more.
fn numbered(judged: Vec<Judged<()>>, first: Uuid) -> Result<Vec<Fate>, Exceeded> {
    let mut fates = Vec::with_capacity(judged.len());
    for (index, Judged { mut fate, .. }) in judged.into_iter().enumerate() {
        if let Fate::Event(event) = &mut fate {
            event.set_event_id(following(first, index).ok_or(Exceeded("limits.batch"))?);
        }
        fates.push(fate);
    }
    Ok(fates)
}
