//! From the bytes of an authentic delivery to what is appended: split, verify, judge, encode. Pure.

use bytes::Bytes;

use super::{
    answer::{ElementOutcome, ElementVerdict, Turned},
    body::{Content, DeliveryBody},
    delivery_id::DeliveryId,
    recent::{KeyHashes, RecentKeys},
    refuser::{ENCODED_AS, Refuser, Rejected, encode},
    tally::Outcomes,
};
use crate::{
    codec::Encoding,
    sources::{
        delivery::AuthenticDelivery,
        rule::{self, Breach, Rule},
        segment::{
            self, UserNames,
            arrival::Arrival,
            element::{Elements, Fate, Split, SplitError, fate, split},
            signature,
        },
    },
    spool::{Chunk, Kind as RecordKind},
};

/// About how much longer a record is than the element it was made of; it spares growing the chunk step by step.
const COLUMNS_BYTES: usize = 384;

/// What a delivery became, before any of it is durable.
pub(super) struct Prepared {
    pub(super) chunk: Chunk,
    /// Whether the answer is that of a batch.
    pub(super) is_batch: bool,
    pub(super) outcomes: Outcomes,
    pub(super) verdicts: Vec<ElementVerdict>,
    /// Hashes of the dedup keys, to remember once durable.
    pub(super) keys: Vec<u64>,
    pub(super) refused_rules: Vec<&'static str>,
    pub(super) refused_bytes: u64,
    pub(super) course_ids_unparsed: u64,
}

/// All that preparing needs besides the bytes.
pub(super) struct Preparation<'p> {
    pub(super) settings: &'p segment::Settings,
    pub(super) delivery: &'p AuthenticDelivery,
    pub(super) id: DeliveryId,
    pub(super) users: &'p dyn UserNames,
    pub(super) recent: &'p RecentKeys,
    pub(super) config_version: &'p str,
    /// How many bytes of refusals may still be kept; asked only where there is one.
    pub(super) refusal_room: &'p dyn Fn() -> u64,
}

impl Preparation<'_> {
    /// Prepares a whole delivery. `admit` is asked once the number of events is known.
    pub(super) fn run(
        &self,
        body: &DeliveryBody,
        admit: impl FnOnce(usize) -> Result<(), Turned>,
    ) -> Result<Prepared, Turned> {
        let (encoding, bytes) = match &body.content {
            Content::Decoded(encoding, bytes) => (*encoding, bytes),
            Content::Unsupported => {
                return self.refuse_undecoded(body, "unknown", rule::ENCODING_UNSUPPORTED, admit);
            }
            Content::Corrupt(encoding) => {
                return self.refuse_undecoded(body, encoding.name(), rule::ENCODING_CORRUPT, admit);
            }
        };
        let Split { signed, elements } = split(bytes, self.delivery.source().limits.batch_events, &mut ());
        if let Some(secret) = &self.delivery.source().signing_secret {
            let offered = self.delivery.head().signature.as_deref();
            if !signature::is_valid(secret, signed, offered) {
                return Err(Turned::Unsigned);
            }
        }
        match elements {
            Ok(elements) => {
                admit(elements.len())?;
                Ok(self.judge(&elements, bytes))
            }
            Err(SplitError::TooMany) => Err(Turned::TooLarge("limits.batch")),
            Err(SplitError::Refused(breach)) => {
                admit(1)?;
                Ok(self.refuse_whole(body, encoding.name(), breach))
            }
        }
    }

    /// What cannot be decoded cannot be verified either: where a signature is asked for, nothing of it is kept.
    fn refuse_undecoded(
        &self,
        body: &DeliveryBody,
        encoding: &str,
        rule: Rule,
        admit: impl FnOnce(usize) -> Result<(), Turned>,
    ) -> Result<Prepared, Turned> {
        if self.delivery.source().signing_secret.is_some() {
            return Err(Turned::Unsigned);
        }
        admit(1)?;
        Ok(self.refuse_whole(body, encoding, rule.at("")))
    }

    fn judge(&self, elements: &Elements<'_>, body: &Bytes) -> Prepared {
        let (head, source) = (self.delivery.head(), self.delivery.source());
        let settings = self.settings;
        let arrival = Arrival {
            settings,
            source: source.name.as_str(),
            path: &head.path,
            host: &head.host,
            received_at: head.received_at,
            depth_max: source.limits.depth,
            users: self.users,
            body,
        };
        let is_batch = matches!(elements, Elements::Batch(_));
        let mut prepared = Prepared::new(is_batch);
        // No more than as much again as the body, however many elements are in it: memory is set aside by bodies.
        let columns_bytes = elements.len().saturating_mul(COLUMNS_BYTES).min(body.len());
        prepared.chunk = Chunk::with_capacity(body.len() + columns_bytes);
        let mut own_keys = KeyHashes::default();
        for (index, element) in elements.iter().enumerate() {
            let fate = fate(&arrival, element, &mut ());
            let outcome = self.settle(fate, index, element.text(), is_batch, &mut own_keys, &mut prepared);
            prepared.verdicts.extend(outcome.map(|outcome| ElementVerdict { index, outcome }));
        }
        prepared
    }

    /// Appends what becomes of one element; `None` if it is plainly committed.
    fn settle(
        &self,
        fate: Fate,
        index: usize,
        element: &str,
        is_batch: bool,
        own_keys: &mut KeyHashes,
        prepared: &mut Prepared,
    ) -> Option<ElementOutcome> {
        match fate {
            Fate::Event { mut event, course_unparsed } => {
                event.set_event_id(self.id.element(index));
                prepared.course_ids_unparsed += u64::from(course_unparsed);
                prepared.chunk.push(RecordKind::Event, |out| encode(event.as_ref(), out));
                let key = event.dedup_key.as_deref().map(|key| self.recent.hash(key));
                let duplicate = key.is_some_and(|key| !own_keys.insert(key) || self.recent.contains(key));
                prepared.keys.extend(key);
                let count = if duplicate {
                    &mut prepared.outcomes.duplicate
                } else {
                    &mut prepared.outcomes.committed
                };
                *count += 1;
                duplicate.then_some(ElementOutcome::Duplicate)
            }
            Fate::Ignored(breach) => {
                prepared.outcomes.ignored += 1;
                Some(ElementOutcome::Ignored(breach))
            }
            Fate::Refused(breach) => {
                let content_type = self.delivery.head().content_type.clone();
                let place = is_batch.then_some(index);
                self.refuse(element.as_bytes(), content_type, place, &breach, prepared);
                Some(ElementOutcome::Refused(breach))
            }
        }
    }

    /// One refusal of the whole body, as it was on the wire.
    fn refuse_whole(&self, body: &DeliveryBody, encoding: &str, breach: Breach) -> Prepared {
        let mut content_type = self.delivery.head().content_type.clone();
        if encoding != Encoding::Identity.name() {
            content_type.push_str(ENCODED_AS);
            content_type.push_str(encoding);
        }
        let mut prepared = Prepared::new(false);
        self.refuse(&body.wire, content_type, None, &breach, &mut prepared);
        prepared.verdicts.push(ElementVerdict { index: 0, outcome: ElementOutcome::Refused(breach) });
        prepared
    }

    fn refuse(
        &self,
        bytes: &[u8],
        content_type: String,
        element: Option<usize>,
        breach: &Breach,
        prepared: &mut Prepared,
    ) {
        let refuser = Refuser {
            head: self.delivery.head(),
            config_version: self.config_version,
            metadata: Bytes::new(),
            room: self.refusal_room,
        };
        let id = self.id.element(element.unwrap_or_default());
        let rejected = Rejected { bytes, is_cut: false, content_type, element };
        let (refusal, taken) = refuser.refuse(id, rejected, breach, prepared.refused_bytes);
        prepared.chunk.push(RecordKind::Refusal, |out| encode(&refusal, out));
        prepared.outcomes.refused += 1;
        prepared.refused_rules.push(breach.rule.id);
        prepared.refused_bytes += taken;
    }
}

impl Prepared {
    fn new(is_batch: bool) -> Self {
        Self {
            chunk: Chunk::new(),
            is_batch,
            outcomes: Outcomes::default(),
            verdicts: Vec::new(),
            keys: Vec::new(),
            refused_rules: Vec::new(),
            refused_bytes: 0,
            course_ids_unparsed: 0,
        }
    }
}
