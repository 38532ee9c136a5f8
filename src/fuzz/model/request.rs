//! OpenRTB bid requests and the scalars in them.

use std::net::IpAddr;

use serde_json::{Map, Value as Json, json};

use super::{Members, column, elements, members, string};

/// The parts of a bid request.
pub(super) struct Request<'r> {
    root: &'r Members,
    impressions: Vec<String>,
    property: Option<(&'static str, Members)>,
    device: Members,
    regulations: Members,
}

impl<'r> Request<'r> {
    pub(super) fn read(request: &'r Members) -> Self {
        let inner = |name: &str| request.get(name).and_then(|value| members(value));
        let kinds = ["site", "app", "dooh"];
        Self {
            root: request,
            impressions: request.get("imp").and_then(|value| elements(value)).unwrap_or_default(),
            property: kinds.into_iter().find_map(|kind| Some((kind, inner(kind)?))),
            device: inner("device").unwrap_or_default(),
            regulations: inner("regs").unwrap_or_default(),
        }
    }

    pub(super) fn page(&self) -> Option<String> {
        let (_, property) = self.property.as_ref()?;
        ["page", "bundle"].into_iter().find_map(|name| text(property.get(name)?))
    }

    pub(super) fn host(&self) -> String {
        let site = self.property.as_ref().filter(|(kind, _)| *kind == "site");
        site.and_then(|(_, site)| text(site.get("domain")?)).unwrap_or_default()
    }

    pub(super) fn device_text(&self, name: &str) -> Option<String> {
        text(self.device.get(name)?)
    }

    pub(super) fn address(&self, is_limited: bool) -> String {
        let sent = self.device_text("ip").or_else(|| self.device_text("ipv6"));
        let truncated = |sent: String| without_host(&sent).unwrap_or_default();
        sent.map(|sent| if is_limited { truncated(sent) } else { sent }).unwrap_or_default()
    }

    pub(super) fn is_limited(&self) -> bool {
        let set = |of: &Members, name| Self::signal(of, name) == Some(true);
        set(&self.regulations, "coppa") || set(&self.device, "lmt") || set(&self.device, "dnt")
    }

    /// A field in its own place, and in the extension of that place.
    fn places(of: &Members, name: &str) -> Vec<String> {
        let extension = of.get("ext").and_then(|value| members(value)).unwrap_or_default();
        of.get(name).into_iter().chain(extension.get(name)).cloned().collect()
    }

    fn signal(of: &Members, name: &str) -> Option<bool> {
        let flags: Vec<bool> = Self::places(of, name).iter().filter_map(|value| flag(value)).collect();
        (!flags.is_empty()).then(|| flags.contains(&true))
    }

    /// The context, but for what the record around the request says.
    pub(super) fn context(&self, deals: Vec<String>) -> Map<String, Json> {
        let mut context = Map::new();
        context.insert("deal_ids".into(), deals.into());
        let offers = |media: &str| {
            let offered = |impression: &String| {
                members(impression).is_some_and(|imp| imp.get(media).is_some_and(|value| value != "null"))
            };
            self.impressions.iter().any(offered)
        };
        let media: Vec<&str> =
            ["banner", "video", "audio", "native"].into_iter().filter(|media| offers(media)).collect();
        context.insert("media_types".into(), json!(media));
        context.insert("imp_count".into(), json!(self.impressions.len()));
        let floor = |impression: &String| {
            let impression = members(impression)?;
            let floor = decimal(impression.get("bidfloor")?)?;
            let currency = impression.get("bidfloorcur").and_then(|value| text(value));
            Some((floor, currency.unwrap_or_else(|| "USD".into())))
        };
        if let Some((floor, currency)) = self.impressions.iter().find_map(floor) {
            context.insert("floor_cpm".into(), floor.into());
            context.insert("currency".into(), currency.into());
        }
        put(
            &mut context,
            "auction_type",
            self.root.get("at").and_then(|value| integer(value)).map(Json::from),
        );
        put(&mut context, "tmax_ms", self.root.get("tmax").and_then(|value| integer(value)).map(Json::from));
        let is_test = self.root.get("test").and_then(|value| flag(value)) == Some(true);
        context.insert("test".into(), is_test.into());
        put(
            &mut context,
            "property",
            self.property.as_ref().map(|(kind, property)| {
                let mut out = Map::from_iter([("kind".to_owned(), Json::from(*kind))]);
                for name in ["domain", "bundle"] {
                    put(&mut out, name, property.get(name).and_then(|value| text(value)).map(Json::from));
                }
                let publisher =
                    property.get("publisher").and_then(|value| members(value)).unwrap_or_default();
                put(
                    &mut out,
                    "publisher_id",
                    publisher.get("id").and_then(|value| text(value)).map(Json::from),
                );
                out.into()
            }),
        );
        put(&mut context, "device", self.device_context());
        put(&mut context, "privacy", self.privacy_context());
        context
    }

    fn device_context(&self) -> Option<Json> {
        let mut out = Map::new();
        put(&mut out, "type", self.device.get("devicetype").and_then(|value| integer(value)).map(Json::from));
        for name in ["os", "make", "model"] {
            put(&mut out, name, self.device_text(name).map(Json::from));
        }
        let geo = self.device.get("geo").and_then(|value| members(value)).unwrap_or_default();
        put(&mut out, "country", geo.get("country").and_then(|value| text(value)).map(Json::from));
        (!out.is_empty()).then(|| out.into())
    }

    fn privacy_context(&self) -> Option<Json> {
        let mut out = Map::new();
        for (name, of) in [
            ("gdpr", &self.regulations),
            ("coppa", &self.regulations),
            ("lmt", &self.device),
            ("dnt", &self.device),
        ] {
            put(&mut out, name, Self::signal(of, name).map(Json::from));
        }
        for name in ["us_privacy", "gpp"] {
            let said = Self::places(&self.regulations, name).iter().find_map(|value| text(value));
            put(&mut out, name, said.map(Json::from));
        }
        (!out.is_empty()).then(|| out.into())
    }
}

fn put(out: &mut Map<String, Json>, name: &str, value: Option<Json>) {
    if let Some(value) = value {
        out.insert(name.to_owned(), value);
    }
}

/// An address without the part that tells people apart.
pub(crate) fn without_host(address: &str) -> Option<String> {
    Some(match address.trim().parse().ok()? {
        IpAddr::V4(address) => {
            let [a, b, c, _] = address.octets();
            IpAddr::from([a, b, c, 0]).to_string()
        }
        IpAddr::V6(address) => {
            let [a, b, c, ..] = address.segments();
            IpAddr::from([a, b, c, 0, 0, 0, 0, 0]).to_string()
        }
    })
}

/// A string that is not empty, or an integer of at most 64 bits.
pub(super) fn id(value: &str) -> Option<String> {
    match string(value) {
        Some(text) => Some(text).filter(|text| !text.is_empty()),
        None => value
            .parse::<i128>()
            .ok()
            .filter(|number| (i64::MIN.into()..=u64::MAX.into()).contains(number))
            .map(|_| value.to_owned()),
    }
}

/// A scalar as text.
pub(super) fn text(value: &str) -> Option<String> {
    let is_scalar = value != "null" && !value.starts_with(['[', '{']);
    is_scalar.then(|| column(value)).filter(|text| !text.is_empty())
}

fn flag(value: &str) -> Option<bool> {
    let text = text(value)?;
    match text.trim().to_ascii_lowercase().as_str() {
        "true" => Some(true),
        "false" => Some(false),
        _ => decimal(&Json::from(text).to_string())
            .map(|number| number.contains(|c: char| ('1'..='9').contains(&c))),
    }
}

fn integer(value: &str) -> Option<i64> {
    let number = decimal(value)?;
    let (whole, fraction) = number.split_once('.').unwrap_or((&number, ""));
    whole.parse().ok().filter(|_| fraction.chars().all(|digit| digit == '0'))
}

/// A number, or a string of one, with its exponent written out.
pub(super) fn decimal(value: &str) -> Option<String> {
    let text = match string(value) {
        Some(text) => text.trim().to_owned(),
        None => value.to_owned(),
    };
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent.parse::<i32>().ok()?)),
        None => (text.as_str(), None),
    };
    let (sign, digits) = match mantissa.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", mantissa),
    };
    let parts: Vec<&str> = digits.split('.').collect();
    let are_digits = parts.iter().all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()));
    if text.len() > 100
        || !are_digits
        || parts.len() > 2
        || exponent.is_some_and(|size| size.unsigned_abs() > 308)
    {
        return None;
    }
    let Some(exponent) = exponent else { return Some(text) };
    let (whole, fraction) = (parts[0], parts.get(1).copied().unwrap_or_default());
    let point = i64::try_from(whole.len()).unwrap() + i64::from(exponent);
    let mut digits = format!("{whole}{fraction}");
    let point = match usize::try_from(point) {
        Ok(point) => point,
        Err(_) => {
            digits.insert_str(0, &"0".repeat(usize::try_from(-point).unwrap()));
            0
        }
    };
    while digits.len() < point {
        digits.push('0');
    }
    let (whole, fraction) = digits.split_at(point);
    let whole = match whole.trim_start_matches('0') {
        "" => "0",
        whole => whole,
    };
    Some(if fraction.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{fraction}") })
}
