//! Addresses without the part that tells one person from another.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address whose last octet (IPv4) or last 80 bits (IPv6) are zero. `None` for what is no address: of that nobody
/// can say which part must go.
pub(super) fn truncated(address: &str) -> Option<String> {
    let truncated = match address.trim().parse().ok()? {
        IpAddr::V4(address) => IpAddr::V4(Ipv4Addr::from_bits(address.to_bits() & !0xff)),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 80 << 80)),
    };
    Some(truncated.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_last_part_is_zero() {
        for (address, want) in [
            ("198.51.100.7", Some("198.51.100.0")),
            (" 198.51.100.255 ", Some("198.51.100.0")),
            ("198.51.100.0", Some("198.51.100.0")),
            ("2001:db8:1:2:3:4:5:6", Some("2001:db8:1::")),
            ("2001:DB8::1", Some("2001:db8::")),
            ("::ffff:198.51.100.7", Some("::")),
            ("198.51.100.7:443", None),
            ("198.51.100", None),
            ("198.51.100.007", None),
            ("fe80::1%eth0", None),
            ("", None),
            ("unknown", None),
        ] {
            assert_eq!(truncated(address).as_deref(), want, "{address}");
        }
    }

    proptest! {
        #[test]
        fn truncating_again_changes_nothing(address: IpAddr) {
            let once = truncated(&address.to_string()).unwrap();
            prop_assert_eq!(truncated(&once), Some(once));
        }
    }
}
