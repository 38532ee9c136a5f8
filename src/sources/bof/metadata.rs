//! What the headers of a delivery say of its records.

use super::aliases::{Alias, names_header};
use crate::event::json::writer::ObjectWriter;

/// The `X-Mm-*` headers of one delivery. They stand in for the same fields of records that lack them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Metadata(Vec<(String, String)>);

impl Metadata {
    /// Keeps the headers that are metadata. Of a repeated one the values make one list, as everywhere in HTTP.
    pub fn new<'h>(headers: impl IntoIterator<Item = (&'h str, &'h [u8])>) -> Self {
        let mut kept: Vec<(String, String)> = Vec::new();
        for (name, value) in headers {
            let (name, value) = (name.to_ascii_lowercase(), String::from_utf8_lossy(value));
            let value = value.trim().replace('\0', "\u{fffd}");
            if !names_header(&name) || value.is_empty() {
                continue;
            }
            match kept.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => *values = format!("{values}, {value}"),
                None => kept.push((name, value)),
            }
        }
        Self(kept)
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
}
