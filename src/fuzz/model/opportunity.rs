//! MediaMath's records, by the tables of fields and columns. The bid request itself is read by `request`.

use base64::{
    Engine as _,
    alphabet::{STANDARD, URL_SAFE},
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use serde_json::{Map, Value as Json};

use super::{
    Members, clean, elements,
    event::{bounded, sha256},
    is_blank, is_json, members,
    request::{Request, decimal, id, text},
    string, time,
};
use crate::clock::UnixMicros;

/// What becomes of a record that no filter and no sample keeps out.
#[derive(Debug, PartialEq)]
pub(crate) enum Opportunity {
    Refused(&'static str),
    Event(Box<Columns>),
}

#[derive(Debug, PartialEq)]
pub(crate) struct Columns {
    pub(crate) auction_id: String,
    pub(crate) dedup_key: String,
    pub(crate) channel_type: String,
    pub(crate) exchange_id: Option<String>,
    pub(crate) user_id: Option<String>,
    pub(crate) anonymous_id: Option<String>,
    pub(crate) time: UnixMicros,
    pub(crate) page: Option<String>,
    pub(crate) host: String,
    pub(crate) agent: String,
    pub(crate) ip: String,
    /// The bid request byte for byte.
    pub(crate) request: String,
    /// Whether an address and an advertising id had to go, so that not every byte is there.
    pub(crate) is_limited: bool,
    pub(crate) context: Map<String, Json>,
    pub(crate) record: Members,
    pub(crate) sanitised: bool,
}

use Opportunity::Refused;

const BODIES: [&str; 4] = ["Body", "body", "BidRequest", "Request"];

/// Judges a record without headers around it, which came at `now`.
pub(crate) fn opportunity(sent: &[u8], now: UnixMicros, depth_max: usize) -> Opportunity {
    judge(sent, now, depth_max).unwrap_or_else(|refused| refused)
}

fn judge(sent: &[u8], now: UnixMicros, depth_max: usize) -> Result<Opportunity, Opportunity> {
    let sent_text = std::str::from_utf8(sent).map_err(|_| Refused("record.utf8"))?;
    if !is_json(sent_text) {
        return Err(Refused("record.malformed"));
    }
    if !begins_object(sent_text) {
        return Err(Refused("record.not_object"));
    }
    let cleaned = clean(sent_text, depth_max).map_err(Refused)?;
    let record = members(&cleaned).unwrap();
    let body = BODIES.iter().find_map(|name| record.get(*name).filter(|value| !is_blank(value)));
    let (request_text, decoded_clean) = match body {
        None => (cleaned.clone(), true),
        Some(value) if value.starts_with('{') => (value.clone(), true),
        Some(value) => decoded(value, depth_max)?,
    };
    let request = members(&request_text).unwrap();
    let fields = Fields { record: &record, request: &request };

    let auction_id =
        fields.first(&["AuctionId", "AuctionID", "auction_id", "ExchangeAuctionID", "body.id", "id"]);
    let auction_id = auction_id.ok_or(Refused("auction_id.missing"))?;
    let auction_id = id(&auction_id).ok_or(Refused("auction_id.invalid"))?;
    let channel_type = fields.id(&["X-Mm-Channel-Type", "ChannelType", "channel_type"]);
    let channel_type = channel_type.ok_or(Refused("channel_type.missing"))?;
    let exchange_id = fields.id(&["X-Mm-Exch-Id", "ExchangeId", "ExchangeID", "exchange_id", "exch_id"]);
    let user_id = fields.id(&["MMUUID", "MmUuid", "mm_uuid", "UUID"]);
    let geo_id = fields.id(&["X-Mm-Geo", "Geo", "geo_id", "CountryID"]);
    let stamp = fields.first(&["Timestamp", "timestamp", "BidTimestamp"]).and_then(|value| moment(&value));

    let read = Request::read(&request);
    let dedup_key = match &exchange_id {
        Some(exchange) => bounded(format!("{exchange}:{auction_id}")),
        None => sha256(sent),
    };
    let mut context = read.context(fields.deals());
    let mut known = |name: &str, value: Option<&String>| {
        if let Some(value) = value {
            context.insert(name.into(), value.as_str().into());
        }
    };
    known("auction_id", Some(&auction_id));
    known("exchange_id", exchange_id.as_ref());
    known("geo_id", geo_id.as_ref());
    known("channel_type", Some(&channel_type));
    let mut around = record.clone();
    around.retain(|name, _| body.is_some() && !BODIES.contains(&name.as_str()));
    let is_limited = read.is_limited();
    Ok(Opportunity::Event(Box::new(Columns {
        dedup_key,
        auction_id,
        channel_type,
        exchange_id,
        user_id,
        anonymous_id: fields.id(&["ExchangeUID", "exchange_uid", "body.user.id"]),
        time: stamp.unwrap_or(now),
        page: read.page(),
        host: read.host(),
        agent: read.device_text("ua").unwrap_or_default(),
        ip: read.address(is_limited),
        request: request_text,
        is_limited,
        context,
        record: around,
        sanitised: cleaned != sent_text || !decoded_clean,
    })))
}

struct Fields<'f> {
    record: &'f Members,
    request: &'f Members,
}

impl Fields<'_> {
    /// The values under these names, blank ones left out.
    fn all(&self, aliases: &[&str]) -> Vec<String> {
        let value = |alias: &&str| match alias.split('.').collect::<Vec<_>>()[..] {
            ["body", name] => self.request.get(name).cloned(),
            ["body", outer, name] => members(self.request.get(outer)?)?.get(name).cloned(),
            _ => self.record.get(*alias).cloned(),
        };
        aliases.iter().filter_map(value).filter(|value| !is_blank(value)).collect()
    }

    fn first(&self, aliases: &[&str]) -> Option<String> {
        self.all(aliases).into_iter().next()
    }

    fn id(&self, aliases: &[&str]) -> Option<String> {
        id(&self.first(aliases)?)
    }

    fn deals(&self) -> Vec<String> {
        let sent = self.all(&["X-Mm-Deal-Id", "DealIds", "deal_ids"]);
        let listed = sent.into_iter().flat_map(|value| elements(&value).unwrap_or_else(|| vec![value]));
        let deal_of = |deal: String| members(&deal)?.get("id").cloned();
        let of_impression = |impression: String| {
            let deals = members(members(&impression)?.get("pmp")?)?.get("deals").cloned()?;
            Some(elements(&deals)?.into_iter().filter_map(deal_of).collect::<Vec<_>>())
        };
        let impressions = self.request.get("imp").and_then(|value| elements(value)).unwrap_or_default();
        let bid_upon = impressions.into_iter().filter_map(of_impression).flatten();
        let mut deals: Vec<String> = Vec::new();
        for deal in listed.chain(bid_upon).filter_map(|value| id(&value)) {
            if !deals.contains(&deal) {
                deals.push(deal);
            }
        }
        deals
    }
}

fn begins_object(text: &str) -> bool {
    text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{')
}

/// The bid request in a string, and whether it was clean.
fn decoded(value: &str, depth_max: usize) -> Result<(String, bool), Opportunity> {
    let unreadable = Refused("bid_request.unreadable");
    let Some(text) = string(value) else { return Err(unreadable) };
    let text = if begins_object(&text) { Some(text) } else { unpacked(&text) };
    match text.filter(|text| begins_object(text) && is_json(text)) {
        None => Err(unreadable),
        Some(text) => {
            let cleaned = clean(&text, depth_max).map_err(Refused)?;
            let was_clean = cleaned == text;
            Ok((cleaned, was_clean))
        }
    }
}

fn unpacked(text: &str) -> Option<String> {
    let lenient = GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let text: String = text.split_ascii_whitespace().collect();
    let alphabet = if text.contains(['-', '_']) { &URL_SAFE } else { &STANDARD };
    String::from_utf8(GeneralPurpose::new(alphabet, lenient).decode(text).ok()?).ok()
}

/// RFC 3339, or seconds or milliseconds since 1970.
fn moment(value: &str) -> Option<UnixMicros> {
    if let Some(at) = time(&text(value)?) {
        return Some(at);
    }
    let number = decimal(value)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    let whole: i128 = whole.parse().ok().filter(|whole| *whole >= 0)?;
    let (unit, digits) = if whole >= 100_000_000_000 { (1_000, 3) } else { (1_000_000, 6) };
    let fraction: i128 = format!("{fraction:0<6}")[..digits].parse().ok()?;
    let at = whole.checked_mul(unit)?.checked_add(fraction)?;
    i64::try_from(at).ok().filter(|at| *at < 253_402_300_800_000_000)
}
