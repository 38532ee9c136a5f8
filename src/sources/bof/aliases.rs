//! The names under which a field of a record may stand.

/// Headers that describe a delivery begin with this, in whatever case.
const HEADER_PREFIX: &str = "x-mm-";

/// One place of a field, as in the settings: `AuctionId` in the record itself, `body.user.id` in its bid request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alias {
    place: Place,
    path: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Record,
    BidRequest,
}

impl Alias {
    /// Reads the settings' form; `None` where the text names no place.
    pub fn parse(text: &str) -> Option<Self> {
        let (place, path) = match text.split_once('.') {
            None => (Place::Record, text),
            Some(("body", path)) => (Place::BidRequest, path),
            Some(_) => return None,
        };
        let path: Vec<String> = path.split('.').map(str::to_owned).collect();
        path.iter().all(|name| !name.is_empty()).then_some(Self { place, path })
    }

    pub(super) fn place(&self) -> Place {
        self.place
    }

    pub(super) fn path(&self) -> &[String] {
        &self.path
    }

    /// The name of the field in the record itself, or of the header that may stand in for it.
    pub(super) fn name(&self) -> Option<&str> {
        self.path.first().filter(|_| self.place == Place::Record).map(String::as_str)
    }

    /// Whether a header of this name (in small letters) is the same field.
    pub(super) fn is_header(&self, header: &str) -> bool {
        self.name().is_some_and(|name| names_header(name) && name.eq_ignore_ascii_case(header))
    }

    /// Where a record should have had it, as a JSON pointer.
    pub(super) fn pointer(&self) -> String {
        let tokens = self.path.iter().map(|name| format!("/{}", name.replace('~', "~0").replace('/', "~1")));
        tokens.collect()
    }
}

/// Whether a header of this name describes a delivery.
pub(super) fn names_header(name: &str) -> bool {
    name.get(..HEADER_PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(HEADER_PREFIX))
}

/// For every field its places, in the order in which they are looked at. The first that is not absent, null or `""`
/// counts; of deals they all do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aliases {
    /// The auction.
    pub auction_id: Vec<Alias>,
    /// MediaMath's id of the user.
    pub user: Vec<Alias>,
    /// The exchange.
    pub exchange: Vec<Alias>,
    /// The channel type.
    pub channel_type: Vec<Alias>,
    /// Where the user is, by MediaMath's numbers.
    pub geo: Vec<Alias>,
    /// The deals.
    pub deals: Vec<Alias>,
    /// The exchange's id of the user.
    pub exchange_user: Vec<Alias>,
    /// When it happened.
    pub time: Vec<Alias>,
    /// The bid request.
    pub body: Vec<Alias>,
}

impl Default for Aliases {
    fn default() -> Self {
        let places = |texts: &[&str]| texts.iter().filter_map(|text| Alias::parse(text)).collect();
        Self {
            auction_id: places(&[
                "AuctionId",
                "AuctionID",
                "auction_id",
                "ExchangeAuctionID",
                "body.id",
                "id",
            ]),
            user: places(&["MMUUID", "MmUuid", "mm_uuid", "UUID"]),
            exchange: places(&["X-Mm-Exch-Id", "ExchangeId", "ExchangeID", "exchange_id", "exch_id"]),
            channel_type: places(&["X-Mm-Channel-Type", "ChannelType", "channel_type"]),
            geo: places(&["X-Mm-Geo", "Geo", "geo_id", "CountryID"]),
            deals: places(&["X-Mm-Deal-Id", "DealIds", "deal_ids"]),
            exchange_user: places(&["ExchangeUID", "exchange_uid", "body.user.id"]),
            time: places(&["Timestamp", "timestamp", "BidTimestamp"]),
            body: places(&["Body", "body", "BidRequest", "Request"]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_are_read_and_point() {
        for (text, place, pointer) in [
            ("AuctionId", Place::Record, "/AuctionId"),
            ("X-Mm-Geo", Place::Record, "/X-Mm-Geo"),
            ("a/b~", Place::Record, "/a~1b~0"),
            ("body", Place::Record, "/body"),
            ("body.user.id", Place::BidRequest, "/user/id"),
        ] {
            let alias = Alias::parse(text).unwrap();
            assert_eq!((alias.place(), alias.pointer().as_str()), (place, pointer), "{text}");
        }
        for wrong in ["", "body.", "body..id", "record.id", ".id", "."] {
            assert_eq!(Alias::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn headers_stand_in_for_their_own_field_only() {
        let alias = Alias::parse("X-Mm-Geo").unwrap();
        assert!(alias.is_header("x-mm-geo") && !alias.is_header("x-mm-geo2") && !alias.is_header("geo"));
        assert!(!Alias::parse("Geo").unwrap().is_header("geo"), "only X-Mm-* names are headers");
        assert!(!Alias::parse("body.x-mm-geo").unwrap().is_header("x-mm-geo"));
    }

    #[test]
    fn no_default_is_lost_for_its_spelling() {
        let Aliases { auction_id, user, exchange, channel_type, geo, deals, exchange_user, time, body } =
            Aliases::default();
        let counts = [auction_id, user, exchange, channel_type, geo, deals, exchange_user, time, body];
        assert_eq!(counts.map(|places| places.len()), [6, 4, 5, 3, 4, 3, 3, 3, 4]);
    }
}
