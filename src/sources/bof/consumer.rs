//! What a consumer wants to have, in the words of MediaMath's own consumer settings.

use std::{borrow::Cow, collections::HashSet};

use sha2::{Digest, Sha256};

use super::identity::Identity;
use crate::sources::{
    rule::{self, Breach},
    witness::Witness,
};

/// The settings of a consumer. By default everything is wanted, and whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Consumer {
    /// Which records.
    pub filters: Filters,
    /// How many of them.
    pub sampling: Sampling,
    /// Leave out records of users that MediaMath does not know.
    pub drop_zero_uid: bool,
    /// Keep no user id of the exchange.
    pub drop_exchange_uid: bool,
    /// Keep no bid request.
    pub drop_body: bool,
}

/// Which records are wanted. Every filter must let a record pass; one that is `None` lets everything pass.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filters {
    /// Of these channels.
    pub channel_types: Option<Vec<ChannelType>>,
    /// Of these exchanges.
    pub exchange_ids: Option<HashSet<String>>,
    /// Of users in these places.
    pub geo_ids: Option<HashSet<String>>,
    /// With at least one of these deals.
    pub deal_ids: Option<HashSet<String>>,
}

/// One of MediaMath's channels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelType(&'static str);

impl ChannelType {
    /// All of them.
    pub const NAMES: &[&str] = &[
        "DISPLAY",
        "VIDEO",
        "SOCIAL",
        "MOBILE_DISPLAY_MOBILE_WEB",
        "MOBILE_VIDEO_MOBILE_WEB",
        "SEARCH",
        "EMAIL",
        "MOBILE_DISPLAY_IN_APP",
        "MOBILE_VIDEO_IN_APP",
        "NEWSFEED",
    ];

    /// The channel of this name, whatever its case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|known| known.eq_ignore_ascii_case(name)).map(|known| Self(known))
    }
}

impl Consumer {
    /// Whether a record passes the filters; the breach names the first that it does not pass. Its deals are looked for
    /// only if that depends on them.
    pub(super) fn wants<'d>(
        &self,
        record: &Identity<'_>,
        deals: impl FnOnce() -> Vec<Cow<'d, str>>,
        witness: &mut impl Witness,
    ) -> Result<(), Breach> {
        let Filters { channel_types, exchange_ids, geo_ids, deal_ids } = &self.filters;
        let is_one_of = |wanted: &Option<HashSet<String>>, id: Option<&str>| {
            wanted.as_ref().is_none_or(|wanted| id.is_some_and(|id| wanted.contains(id)))
        };
        witness.check(rule::FILTER_CHANNEL_TYPE, channel_types.is_some(), "", || {
            let sent = record.channel_type.as_deref().unwrap_or_default();
            channel_types.iter().flatten().any(|channel| channel.0.eq_ignore_ascii_case(sent))
        })?;
        witness.check(rule::FILTER_EXCHANGE, exchange_ids.is_some(), "", || {
            is_one_of(exchange_ids, record.exchange_id.as_deref())
        })?;
        witness.check(rule::FILTER_GEO, geo_ids.is_some(), "", || {
            is_one_of(geo_ids, record.geo_id.as_deref())
        })?;
        witness.check(rule::FILTER_ZERO_UID, self.drop_zero_uid, "", || {
            !is_zero(record.user.as_deref().unwrap_or_default())
        })?;
        witness.check(rule::FILTER_DEAL, deal_ids.is_some(), "", || {
            deals().iter().any(|deal| is_one_of(deal_ids, Some(deal)))
        })
    }
}

/// Whether a user id names nobody: nothing but zeros, or nothing at all.
fn is_zero(id: &str) -> bool {
    id.bytes().all(|byte| matches!(byte, b'0' | b'-'))
}

/// The share of records that is kept, always the same ones: a record that comes again meets the fate it met before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sampling {
    /// In ten-thousandths of a percent.
    parts_per_million: u32,
}

impl Sampling {
    /// Every record.
    pub const ALL: Self = Self { parts_per_million: 1_000_000 };

    /// So many percent of the records, with at most four decimals.
    pub fn percent(rate: f64) -> Option<Self> {
        let parts = rate * 1e4;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "in range, and whole")]
        let whole = || Self { parts_per_million: parts.round() as u32 };
        ((0.0..=100.0).contains(&rate) && (parts - parts.round()).abs() < 1e-6).then(whole)
    }

    /// Whether nothing is left out.
    pub(super) fn is_off(self) -> bool {
        self == Self::ALL
    }

    /// Whether the record that this identifies is among them.
    pub(super) fn keeps(self, record: &[u8]) -> bool {
        if self.is_off() {
            return true;
        }
        let digest = Sha256::digest(record);
        let first = digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
        // first / 2⁶⁴ < parts / 10⁶, without a rounding.
        u128::from(first) * 1_000_000 < u128::from(self.parts_per_million) << 64
    }
}

impl Default for Sampling {
    fn default() -> Self {
        Self::ALL
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_have_names() {
        assert_eq!(ChannelType::parse("newsFeed"), ChannelType::parse("NEWSFEED"));
        assert!(ChannelType::parse("DISPLAY").is_some() && ChannelType::parse("DISPLAYS").is_none());
    }

    #[test]
    fn zero_is_nobody() {
        for nobody in ["", "0", "00000000-0000-0000-0000-000000000000", "00000000000000000000000000000000"] {
            assert!(is_zero(nobody), "{nobody}");
        }
        for somebody in ["1", "00000000-0000-4000-8000-000000000000", "none"] {
            assert!(!is_zero(somebody), "{somebody}");
        }
    }

    #[test]
    fn rates_are_percentages() {
        for (rate, parts) in [(0.0, 0), (0.0001, 1), (0.5, 5_000), (12.34, 123_400), (100.0, 1_000_000)] {
            assert_eq!(Sampling::percent(rate), Some(Sampling { parts_per_million: parts }), "{rate}");
        }
        for wrong in [-0.1, 100.000_1, 0.000_05, f64::NAN, f64::INFINITY] {
            assert_eq!(Sampling::percent(wrong), None, "{wrong}");
        }
        assert!(Sampling::ALL.keeps(b"x") && !Sampling::percent(0.0).unwrap().keeps(b"x"));
    }

    #[test]
    fn the_share_that_is_kept_is_the_rate() {
        for rate in [1.0, 12.5, 50.0, 99.0] {
            let sampling = Sampling::percent(rate).unwrap();
            let kept = (0..100_000u64).filter(|id| sampling.keeps(id.to_string().as_bytes())).count();
            #[expect(clippy::cast_precision_loss, reason = "a hundred thousand is exact")]
            let share = kept as f64 / 1_000.0;
            assert!((share - rate).abs() < 1.0, "{share} % of {rate} %");
        }
    }

    /// SHA-256 of "abc" begins with ba7816bf8f01cfea: 72.839491 % of the way.
    #[test]
    fn the_measure_is_the_published_one() {
        assert!(Sampling::percent(72.8395).unwrap().keeps(b"abc"));
        assert!(!Sampling::percent(72.8394).unwrap().keeps(b"abc"));
    }
}
