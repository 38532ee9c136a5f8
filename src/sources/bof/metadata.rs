//! What the headers of a delivery say of its records.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::aliases::{Alias, names_header};
use crate::event::json::writer::ObjectWriter;

/// The `X-Mm-*` headers of one delivery, by name. They stand in for the same fields of records that lack them.
///
/// Sorted, so that it is the same again when it was kept in a database that has an order of its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(BTreeMap<String, String>);

impl Metadata {
    /// Keeps the headers that are metadata. Of a repeated one the values make one list, as everywhere in HTTP.
    pub fn new<'h>(headers: impl IntoIterator<Item = (&'h str, &'h [u8])>) -> Self {
        let mut kept: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in headers {
            let (name, value) = (name.to_ascii_lowercase(), String::from_utf8_lossy(value));
            let value = value.trim().replace('\0', "\u{fffd}");
            if !names_header(&name) || value.is_empty() {
                continue;
            }
            kept.entry(name)
                .and_modify(|values| *values = format!("{values}, {value}"))
                .or_insert_with(|| value.clone());
        }
        Self(kept)
    }

    /// Reads what [`Metadata::to_json`] wrote. What is no header of ours, or no text, is passed over.
    pub fn from_json(object: &[u8]) -> Self {
        let members: BTreeMap<String, serde_json::Value> = serde_json::from_slice(object).unwrap_or_default();
        let headers = members.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?)));
        Self::new(headers.map(|(name, value)| (name, value.as_bytes())))
    }

    /// As a JSON object of texts, to be kept beside a refused record; no bytes if there is nothing to keep.
    pub fn to_json(&self) -> Bytes {
        if self.0.is_empty() {
            return Bytes::new();
        }
        let mut out = ObjectWriter::default();
        self.write(&mut out, &[]);
        out.finish().into()
    }

    /// The header that stands in for a field of these aliases.
    pub(super) fn stand_in(&self, aliases: &[Alias]) -> Option<&str> {
        let same = |header: &str| aliases.iter().any(|alias| alias.is_header(header));
        self.0.iter().find(|(header, _)| same(header)).map(|(_, value)| value.as_str())
    }

    /// Writes the headers, but for the fields of these aliases.
    pub(super) fn write(&self, out: &mut ObjectWriter, hidden: &[Alias]) {
        for (header, value) in &self.0 {
            if !hidden.iter().any(|alias| alias.is_header(header)) {
                out.text(header, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_metadata_is_kept_and_stands_in() {
        let metadata = Metadata::new([
            ("Host", &b"collect.example"[..]),
            ("X-MM-Geo", b" 60231 "),
            ("X-Mm-Deal-Id", b"D1"),
            ("x-mm-deal-id", b"D2"),
            ("X-Mm-Odd", b"\xff"),
            ("X-Mm-Blank", b""),
        ]);
        let places =
            |names: &[&str]| -> Vec<Alias> { names.iter().map(|name| Alias::parse(name).unwrap()).collect() };
        assert_eq!(metadata.stand_in(&places(&["Geo", "X-Mm-Geo"])), Some("60231"));
        assert_eq!(metadata.stand_in(&places(&["X-Mm-Deal-Id"])), Some("D1, D2"));
        assert_eq!(metadata.stand_in(&places(&["Geo", "X-Mm-Blank", "Host"])), None);
        let mut out = ObjectWriter::default();
        metadata.write(&mut out, &places(&["X-Mm-Deal-Id"]));
        let want = "{\"x-mm-geo\":\"60231\",\"x-mm-odd\":\"\u{fffd}\"}";
        assert_eq!(String::from_utf8(out.finish()).unwrap(), want);
    }
    proptest! {
        #[test]
        fn what_is_kept_reads_back_whatever_the_order(
            headers in proptest::collection::vec(("[xX]-[mM]m-[a-cA-C]|host", proptest::collection::vec(any::<u8>(), 0..6)), 0..8),
        ) {
            let metadata = Metadata::new(headers.iter().map(|(name, value)| (name.as_str(), value.as_slice())));
            prop_assert_eq!(&Metadata::from_json(&metadata.to_json()), &metadata);
            let members: BTreeMap<String, serde_json::Value> =
                serde_json::from_slice(&metadata.to_json()).unwrap_or_default();
            let reordered: Vec<String> = members.iter().rev().map(|(name, value)| format!("{name:?}: {value}")).collect();
            prop_assert_eq!(Metadata::from_json(format!("{{{}}}", reordered.join(", ")).as_bytes()), metadata);
        }
    }
}
