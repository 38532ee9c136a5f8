//! The key in the query, and the signature.

use std::{collections::BTreeSet, sync::Arc};

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;

use super::model;
use crate::{
    secret::Secret,
    sources::{
        Kind, Limits, Priority, Source, SourceName,
        delivery::RawDelivery,
        key::{Key, KeyRing},
        segment::{self, Preset, signature::is_valid},
    },
};

/// A query opens the door of exactly the secret that plain reading finds in it.
pub(super) fn key(data: &[u8]) {
    let Ok(query) = std::str::from_utf8(data) else { return };
    let offered = offered(query);
    assert_eq!(opens(query, &offered), !offered.is_empty(), "{offered:?}");
    assert!(!opens(query, &format!("{offered}x")));
    if let Some((last, _)) = offered.char_indices().next_back() {
        assert!(!opens(query, &offered[..last]));
    }
}

fn opens(query: &str, secret: &str) -> bool {
    let key = Key::new("k".into(), &Secret::new(secret.into()), None);
    let source = Source {
        name: SourceName::new("web").unwrap(),
        enabled: true,
        paths: Vec::new(),
        keys: KeyRing::new(vec![key]),
        signing_secret: None,
        allowed_networks: Vec::new(),
        priority: Priority::Normal,
        limits: Limits::default(),
        kind: Kind::Segment(Arc::new(segment::Settings::preset(Preset::Segment))),
    };
    let raw = RawDelivery {
        source: Arc::new(source),
        method: "POST".into(),
        path: "/v1/segment/web".into(),
        host: "h".into(),
        content_type: String::new(),
        signature: None,
        received_at: 0,
    };
    raw.authenticate(Some(query)).is_ok()
}

/// The last `key` of a query, read byte by byte.
fn offered(query: &str) -> String {
    let decode = |text: &str| {
        let (bytes, mut at, mut out) = (text.as_bytes(), 0, Vec::new());
        while at < bytes.len() {
            let hex = |at: usize| bytes.get(at).and_then(|digit| char::from(*digit).to_digit(16));
            match (bytes[at], hex(at + 1), hex(at + 2)) {
                (b'%', Some(high), Some(low)) => {
                    out.push(u8::try_from(high * 16 + low).unwrap());
                    at += 2;
                }
                (b'+', ..) => out.push(b' '),
                (byte, ..) => out.push(byte),
            }
            at += 1;
        }
        String::from_utf8_lossy(&out).into_owned()
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let mut pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).rev();
    let last = pairs.find(|(name, _)| decode(name) == "key");
    last.map(|(_, value)| decode(value)).unwrap_or_default()
}

/// The right signature is right in either case of its letters, no other forty digits are, and nothing else is one.
pub(super) fn signature(data: &[u8]) {
    let (offered, signed) = data.split_at(data.len().min(41));
    let secret = Secret::new("signing".into());
    let mut mac = Hmac::<Sha1>::new_from_slice(b"signing").unwrap();
    mac.update(signed);
    let digest = mac.finalize().into_bytes();
    let right = model::hex(&digest);
    let all: BTreeSet<String> = BTreeSet::from([right.clone(), right.to_uppercase()]);
    for right in &all {
        assert!(is_valid(&secret, signed, Some(right.as_bytes())));
        assert!(!is_valid(&secret, signed, Some(&right.as_bytes()[1..])));
        assert!(!is_valid(&Secret::new(String::new()), signed, Some(right.as_bytes())));
    }
    let is_right = offered.to_ascii_lowercase() == right.as_bytes();
    assert_eq!(is_valid(&secret, signed, Some(offered)), is_right);
    assert!(!is_valid(&secret, signed, None));
}
