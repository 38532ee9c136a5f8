//! Where a JSON string ends: eight bytes a step, because most of what senders send is strings.

const LOW_BITS: u64 = u64::from_ne_bytes([0x01; 8]);
const HIGH_BITS: u64 = u64::from_ne_bytes([0x80; 8]);

/// The first quote or backslash at `at` or behind it; the end of the text where there is none.
#[inline]
pub(super) fn quote_or_escape(bytes: &[u8], mut at: usize) -> usize {
    while let Some(eight) = bytes.get(at..).and_then(<[u8]>::first_chunk) {
        let eight = u64::from_le_bytes(*eight);
        let found = equal(eight, b'"') | equal(eight, b'\\');
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len())
}

/// Sets the high bit of the first byte that equals `wanted`, and of none before it.
fn equal(eight: u64, wanted: u8) -> u64 {
    let zero_where_equal = eight ^ u64::from_ne_bytes([wanted; 8]);
    zero_where_equal.wrapping_sub(LOW_BITS) & !zero_where_equal & HIGH_BITS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_the_first(bytes in proptest::collection::vec(prop_oneof![9 => any::<u8>(), 1 => Just(b'"'), 1 => Just(b'\\')], 0..40), at in 0usize..44) {
            let slow = bytes.iter().enumerate().skip(at).find(|(_, byte)| matches!(byte, b'"' | b'\\'));
            let want = slow.map_or(bytes.len().max(at), |(index, _)| index);
            prop_assert_eq!(quote_or_escape(&bytes, at), want);
        }
    }
}
