//! `X-Signature`: hex HMAC-SHA1 with the source's signing secret, a second factor beside the key.
//!
//! Over the decoded body of a single event; of a batch Segment signs its first element only, over that element's bytes
//! as sent. The other elements are not covered: the key stays mandatory.

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use crate::secret::Secret;

/// Whether `offered` signs `signed`. Compares in constant time; a malformed signature is a wrong one.
pub fn is_valid(secret: &Secret, signed: &[u8], offered: Option<&[u8]>) -> bool {
    // Anybody can sign with an empty secret.
    if secret.is_empty() {
        return false;
    }
    let Some(offered) = offered.and_then(from_hex) else { return false };
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(secret.expose().as_bytes()) else { return false };
    mac.update(signed);
    mac.verify_slice(&offered).is_ok()
}

fn from_hex(text: &[u8]) -> Option<[u8; 20]> {
    let mut bytes = [0; 20];
    if text.len() != 40 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let pair = std::str::from_utf8(pair)
            .ok()
            .filter(|pair| pair.bytes().all(|digit| digit.is_ascii_hexdigit()))?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 2202, test case 2.
    #[test]
    fn a_published_vector_verifies_and_its_neighbours_do_not() {
        let (secret, text) = (Secret::new("Jefe".into()), b"what do ya want for nothing?");
        let right = b"effcdf6ae5eb2fa2d27416d5f184df9c259a7c79";
        assert!(is_valid(&secret, text, Some(right)));
        assert!(is_valid(&secret, text, Some(&right.to_ascii_uppercase())));
        assert!(!is_valid(&secret, b"what do ya want for nothing!", Some(right)));
        assert!(!is_valid(&Secret::new("Jeff".into()), text, Some(right)));
        let with_empty_key = b"fbdb1d1b18aa6c08324b7d64b71fb76370690e1d";
        assert!(!is_valid(&Secret::default(), b"", Some(with_empty_key)), "an empty secret verifies nothing");
        for wrong in
            [None, Some(&b""[..]), Some(&right[..38]), Some(b"+ffcdf6ae5eb2fa2d27416d5f184df9c259a7c79")]
        {
            assert!(!is_valid(&secret, text, wrong));
        }
    }
}
