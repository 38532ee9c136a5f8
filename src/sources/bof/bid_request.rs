//! What an OpenRTB 2.x bid request says, as far as we want to know. Read in one pass, and never a reason to refuse.

use std::borrow::Cow;

use super::scalar;
use crate::event::json::{
    parts::{self, Walk, elements},
    value::{Value, ValueKind},
};

/// A bid request, taken apart.
#[derive(Debug, Default)]
pub(super) struct BidRequest<'a> {
    pub(super) impressions: Impressions<'a>,
    pub(super) auction_type: Option<i64>,
    pub(super) tmax_ms: Option<i64>,
    pub(super) property: Option<Property<'a>>,
    pub(super) device: Device<'a>,
    pub(super) privacy: PrivacySignals<'a>,
    pub(super) is_test: bool,
}

/// All impressions together.
#[derive(Debug)]
pub(super) struct Impressions<'a> {
    pub(super) count: usize,
    /// The kinds of media, and whether any impression offers them.
    pub(super) media: [(&'static str, bool); 4],
    /// Of the first impression that states one.
    pub(super) floor: Option<Floor<'a>>,
    pub(super) deals: Vec<Cow<'a, str>>,
}

/// The least that is to be bid for a thousand impressions.
#[derive(Debug)]
pub(super) struct Floor<'a> {
    pub(super) cpm: Cow<'a, str>,
    pub(super) currency: Option<Value<'a>>,
}

/// Where the impressions are shown.
#[derive(Debug)]
pub(super) struct Property<'a> {
    pub(super) kind: &'static str,
    pub(super) domain: Option<Value<'a>>,
    pub(super) page: Option<Value<'a>>,
    pub(super) bundle: Option<Value<'a>>,
    pub(super) publisher_id: Option<Value<'a>>,
}

/// What they are shown on.
#[derive(Debug, Default)]
pub(super) struct Device<'a> {
    pub(super) agent: Option<Value<'a>>,
    pub(super) ip: Option<Value<'a>>,
    pub(super) ipv6: Option<Value<'a>>,
    pub(super) kind: Option<i64>,
    pub(super) os: Option<Value<'a>>,
    pub(super) make: Option<Value<'a>>,
    pub(super) model: Option<Value<'a>>,
    pub(super) country: Option<Value<'a>>,
}

/// What the law and the user say.
#[derive(Debug, Default)]
pub(super) struct PrivacySignals<'a> {
    pub(super) gdpr: Signal<'a>,
    pub(super) us_privacy: Signal<'a>,
    pub(super) gpp: Signal<'a>,
    pub(super) coppa: Signal<'a>,
    pub(super) lmt: Signal<'a>,
    pub(super) dnt: Signal<'a>,
}

/// A field that stands in its object (OpenRTB 2.6), or in the `ext` of its object (2.5).
#[derive(Debug, Default)]
pub(super) struct Signal<'a> {
    own: Option<Value<'a>>,
    extension: Option<Value<'a>>,
}

impl<'a> BidRequest<'a> {
    pub(super) fn read(request: Value<'a>) -> Self {
        let mut read = Self::default();
        let (mut site, mut app, mut dooh) = (None, None, None);
        Walk::new(request).members(|name, walk| match name {
            "imp" => read.impressions = Impressions::read(walk),
            "site" => site = Property::read("site", walk),
            "app" => app = Property::read("app", walk),
            "dooh" => dooh = Property::read("dooh", walk),
            "device" => read.read_device(walk),
            "regs" => read.privacy.read_regulations(walk),
            "at" => read.auction_type = scalar::integer(walk.value()),
            "tmax" => read.tmax_ms = scalar::integer(walk.value()),
            "test" => read.is_test = scalar::flag(walk.value()) == Some(true),
            _ => {}
        });
        read.property = site.or(app).or(dooh);
        read
    }

    fn read_device(&mut self, walk: &mut Walk<'a>) {
        (self.device, self.privacy.lmt, self.privacy.dnt) = Default::default();
        let (device, PrivacySignals { lmt, dnt, .. }) = (&mut self.device, &mut self.privacy);
        walk.members(|name, walk| match name {
            "ua" => device.agent = Some(walk.value()),
            "ip" => device.ip = Some(walk.value()),
            "ipv6" => device.ipv6 = Some(walk.value()),
            "devicetype" => device.kind = scalar::integer(walk.value()),
            "os" => device.os = Some(walk.value()),
            "make" => device.make = Some(walk.value()),
            "model" => device.model = Some(walk.value()),
            "geo" => device.country = parts::member(walk.value(), "country"),
            "lmt" => lmt.own = Some(walk.value()),
            "dnt" => dnt.own = Some(walk.value()),
            "ext" => {
                let extension = walk.value();
                lmt.extension = parts::member(extension, "lmt");
                dnt.extension = parts::member(extension, "dnt");
            }
            _ => {}
        });
    }
}

impl Default for Impressions<'_> {
    fn default() -> Self {
        let media = ["banner", "video", "audio", "native"].map(|media| (media, false));
        Self { count: 0, media, floor: None, deals: Vec::new() }
    }
}

impl<'a> Impressions<'a> {
    fn read(walk: &mut Walk<'a>) -> Self {
        let mut read = Self::default();
        walk.elements(|walk| {
            read.count += 1;
            let (mut floor, mut currency, mut deals) = (None, None, Vec::new());
            let mut offers = Self::default().media;
            walk.members(|name, walk| match name {
                "bidfloor" => floor = scalar::decimal(walk.value()),
                "bidfloorcur" => currency = Some(walk.value()),
                "pmp" => deals = parts::member(walk.value(), "deals").map(deal_ids).unwrap_or_default(),
                name => {
                    if let Some((_, offered)) = offers.iter_mut().find(|(media, _)| *media == name) {
                        *offered = walk.value().kind() != ValueKind::Null;
                    }
                }
            });
            for ((_, any), (_, one)) in read.media.iter_mut().zip(offers) {
                *any |= one;
            }
            if read.floor.is_none() {
                read.floor = floor.map(|cpm| Floor { cpm, currency });
            }
            read.deals.append(&mut deals);
        });
        read
    }
}

fn deal_ids(deals: Value<'_>) -> Vec<Cow<'_, str>> {
    elements(deals).filter_map(|deal| parts::member(deal, "id").and_then(scalar::id)).collect()
}

impl<'a> Property<'a> {
    fn read(kind: &'static str, walk: &mut Walk<'a>) -> Option<Self> {
        let is_object = walk.is_at_object();
        let mut read = Self { kind, domain: None, page: None, bundle: None, publisher_id: None };
        walk.members(|name, walk| match name {
            "domain" => read.domain = Some(walk.value()),
            "page" => read.page = Some(walk.value()),
            "bundle" => read.bundle = Some(walk.value()),
            "publisher" => read.publisher_id = parts::member(walk.value(), "id"),
            _ => {}
        });
        is_object.then_some(read)
    }
}

impl<'a> PrivacySignals<'a> {
    /// Whether the user is a child, or has asked not to be tracked.
    pub(super) fn is_limited(&self) -> bool {
        [&self.coppa, &self.lmt, &self.dnt].iter().any(|signal| signal.flag() == Some(true))
    }

    fn read_regulations(&mut self, walk: &mut Walk<'a>) {
        (self.gdpr, self.us_privacy, self.gpp, self.coppa) = Default::default();
        walk.members(|name, walk| match name {
            "ext" => {
                for signal in [&mut self.gdpr, &mut self.us_privacy, &mut self.gpp, &mut self.coppa] {
                    signal.extension = None;
                }
                walk.members(|name, walk| {
                    if let Some(signal) = self.regulation(name) {
                        signal.extension = Some(walk.value());
                    }
                });
            }
            name => {
                if let Some(signal) = self.regulation(name) {
                    signal.own = Some(walk.value());
                }
            }
        });
    }

    fn regulation(&mut self, name: &str) -> Option<&mut Signal<'a>> {
        match name {
            "gdpr" => Some(&mut self.gdpr),
            "us_privacy" => Some(&mut self.us_privacy),
            "gpp" => Some(&mut self.gpp),
            "coppa" => Some(&mut self.coppa),
            _ => None,
        }
    }
}

impl<'a> Signal<'a> {
    /// Set if either place says so, unset if one says that and none the contrary.
    pub(super) fn flag(&self) -> Option<bool> {
        let flags = self.places().filter_map(scalar::flag);
        flags.reduce(|one, other| one || other)
    }

    /// The first that says anything.
    pub(super) fn text(&self) -> Option<Value<'a>> {
        self.places().find(|value| scalar::text(*value).is_some())
    }

    fn places(&self) -> impl Iterator<Item = Value<'a>> {
        self.own.into_iter().chain(self.extension)
    }
}
