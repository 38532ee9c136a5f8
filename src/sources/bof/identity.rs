//! The fields of a record: which auction it was, on which exchange, for whom.

use std::{borrow::Cow, collections::HashSet};

use super::{
    Settings,
    aliases::{Alias, Place},
    bid_request::BidRequest,
    metadata::Metadata,
    scalar,
};
use crate::{
    clock::UnixMicros,
    event::json::{
        object::Object,
        parts::{elements, member},
        value::{Value, ValueKind},
    },
    sources::{
        rule::{self, Breach},
        witness::Witness,
    },
};

/// Everything that fields are looked for in.
#[derive(Debug)]
pub(super) struct Fields<'f, 'a> {
    pub(super) record: &'f Object<'a>,
    pub(super) bid_request: Value<'a>,
    pub(super) metadata: &'a Metadata,
}

/// What a record is judged by.
#[derive(Debug, Default)]
pub(super) struct Identity<'a> {
    pub(super) auction_id: Option<Cow<'a, str>>,
    pub(super) user: Option<Cow<'a, str>>,
    pub(super) exchange_id: Option<Cow<'a, str>>,
    pub(super) channel_type: Option<Cow<'a, str>>,
    pub(super) geo_id: Option<Cow<'a, str>>,
}

/// Reads what a record is judged by. The only fields that it can be refused for are the required ones.
pub(super) fn identify<'a>(
    settings: &Settings,
    fields: &Fields<'_, 'a>,
    witness: &mut impl Witness,
) -> Result<Identity<'a>, Breach> {
    let (aliases, required) = (&settings.aliases, settings.required);
    let auction_id = fields.id(&aliases.auction_id);
    let is_readable = || auction_id.is_some() || fields.sent(&aliases.auction_id).next().is_none();
    let of_auction = |breach: Breach| breach.rule.at(pointer(&aliases.auction_id));
    witness.check(rule::AUCTION_ID_INVALID, required.auction_id, "", is_readable).map_err(of_auction)?;
    witness
        .check(rule::AUCTION_ID_MISSING, required.auction_id, "", || auction_id.is_some())
        .map_err(of_auction)?;
    let channel_type = fields.id(&aliases.channel_type);
    witness
        .check(rule::CHANNEL_TYPE_MISSING, required.channel_type, "", || channel_type.is_some())
        .map_err(|breach| breach.rule.at(pointer(&aliases.channel_type)))?;
    Ok(Identity {
        auction_id,
        user: fields.id(&aliases.user),
        exchange_id: fields.id(&aliases.exchange),
        channel_type,
        geo_id: fields.id(&aliases.geo),
    })
}

fn pointer(aliases: &[Alias]) -> String {
    aliases.first().map(Alias::pointer).unwrap_or_default()
}

impl<'a> Fields<'_, 'a> {
    /// An id: the first value that is sent, else the delivery's header.
    pub(super) fn id(&self, aliases: &[Alias]) -> Option<Cow<'a, str>> {
        match self.sent(aliases).next() {
            Some(value) => scalar::id(value),
            None => self.metadata.stand_in(aliases).map(Cow::Borrowed),
        }
    }

    /// When it happened.
    pub(super) fn time(&self, aliases: &[Alias]) -> Option<UnixMicros> {
        scalar::time(self.sent(aliases).next()?)
    }

    /// The deals of the record and of its bid request, each once; else those of the delivery's header.
    pub(super) fn deals(&self, aliases: &[Alias], request: &BidRequest<'a>) -> Vec<Cow<'a, str>> {
        let mut deals = Vec::new();
        for value in self.sent(aliases) {
            match value.kind() {
                ValueKind::Array => deals.extend(elements(value).filter_map(scalar::id)),
                _ => deals.extend(scalar::id(value)),
            }
        }
        deals.extend(request.impressions.deals.iter().cloned());
        if deals.is_empty() {
            let listed = self.metadata.stand_in(aliases).unwrap_or_default().split(',').map(str::trim);
            deals.extend(listed.filter(|deal| !deal.is_empty()).map(Cow::Borrowed));
        }
        if deals.len() > 1 {
            let mut seen = HashSet::with_capacity(deals.len());
            deals.retain(|deal| seen.insert(deal.clone()));
        }
        deals
    }

    /// The values that are sent, in the order of their aliases.
    fn sent(&self, aliases: &[Alias]) -> impl Iterator<Item = Value<'a>> {
        aliases.iter().filter_map(|alias| self.get(alias)).filter(|value| !value.is_blank())
    }

    fn get(&self, alias: &Alias) -> Option<Value<'a>> {
        match (alias.place(), alias.path()) {
            (Place::Record, path) => self.record.get(path.first()?),
            (Place::BidRequest, path) => {
                path.iter().try_fold(self.bid_request, |object, name| member(object, name))
            }
        }
    }
}
