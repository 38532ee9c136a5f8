//! Splitting against chance: any JSON in any form with any blanks, damaged anywhere, read in pieces of any size.

use bytes::Bytes;
use proptest::{prelude::*, sample::Index};
use serde_json::Value as Json;

use super::{Record, RecordLimits, Rest, tests::split};
use crate::codec::pieces::pieces;

const LIMITS: RecordLimits = RecordLimits { record_bytes: 1 << 20 };

fn json() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        any::<f64>().prop_map(Json::from),
        text().prop_map(Json::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::vec((text(), inner), 0..5).prop_map(|members| members.into_iter().collect()),
        ]
    })
}

/// Strings of all that matters to splitting.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![any::<String>(), r#"[\\"{}\[\],:\n a]{0,40}"#]
}

fn object() -> impl Strategy<Value = Json> {
    prop::collection::vec((text(), json()), 0..5).prop_map(|members| members.into_iter().collect())
}

fn blanks() -> impl Strategy<Value = String> {
    "[ \t\r\n]{0,3}"
}

/// A value as text, compact or with line ends and blanks in it, and blanks to put before it.
fn written(value: impl Strategy<Value = Json>) -> impl Strategy<Value = (String, String)> {
    (value, any::<bool>(), blanks()).prop_map(|(value, is_pretty, blanks)| {
        let text =
            if is_pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) };
        (text.unwrap(), blanks)
    })
}

fn sizes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(1_usize..200, 1..6)
}

fn sequence(records: &[(String, String)]) -> String {
    records.iter().flat_map(|(text, blanks)| [blanks.as_str(), text]).collect()
}

fn array(elements: &[(String, String)]) -> String {
    let elements: Vec<String> =
        elements.iter().map(|(text, blanks)| format!("{blanks}{text}{blanks}")).collect();
    format!("\n[{}]", elements.join(","))
}

fn whole(records: &[(String, String)]) -> Vec<Record> {
    records.iter().map(|(text, _)| Record::Whole(Bytes::copy_from_slice(text.as_bytes()))).collect()
}

/// Whether the records lie in the text one after the other with nothing but separators between them, and the rest after
/// them.
fn lie_in_order(text: &[u8], records: &[Record], rest: Option<&Rest>) -> bool {
    lie_behind(0, text, records, rest)
}

fn lie_behind(passed: usize, text: &[u8], records: &[Record], rest: Option<&Rest>) -> bool {
    let left = &text[passed..];
    let Some((record, later)) = records.split_first() else {
        return rest.is_none_or(|rest| {
            let from = usize::try_from(rest.offset_bytes).unwrap();
            from >= passed && text[from..].starts_with(&rest.bytes)
        });
    };
    let (start, size) = match record {
        Record::Whole(bytes) => (bytes, bytes.len()),
        Record::Oversized { head, size_bytes } => (head, usize::try_from(*size_bytes).unwrap()),
    };
    let skipped = left.iter().take_while(|byte| b" \t\r\n,[".contains(byte)).count();
    // An element may itself begin with a bracket, and what is kept of it may be no more than that: each place is tried.
    (0..=skipped).any(|at| {
        left[at..].starts_with(start)
            && at + size <= left.len()
            && lie_behind(passed + at + size, text, later, rest)
    })
}

proptest! {
    #[test]
    fn objects_in_sequence_are_split(
        records in prop::collection::vec(written(object()), 0..8),
        end in blanks(),
        sizes in sizes(),
    ) {
        let text = sequence(&records) + &end;
        prop_assert_eq!(split(pieces(text.as_bytes(), &sizes), LIMITS), (whole(&records), None));
    }

    #[test]
    fn elements_of_an_array_are_split(elements in prop::collection::vec(written(json()), 0..8), sizes in sizes()) {
        let text = array(&elements);
        prop_assert_eq!(split(pieces(text.as_bytes(), &sizes), LIMITS), (whole(&elements), None));
    }

    #[test]
    fn cut_anywhere_the_records_before_are_the_same(
        records in prop::collection::vec(written(object()), 1..8),
        is_array in any::<bool>(),
        at in any::<Index>(),
        sizes in sizes(),
    ) {
        let text = if is_array { array(&records) } else { sequence(&records) };
        let cut = &text.as_bytes()[..at.index(text.len())];
        let (split, rest) = split(pieces(cut, &sizes), LIMITS);
        let expected = whole(&records);
        prop_assert!(expected.starts_with(&split));
        match rest {
            Some(rest) => {
                let from = usize::try_from(rest.offset_bytes).unwrap();
                prop_assert_eq!((&rest.bytes[..], rest.is_cut), (&cut[from..], false));
            }
            // Before anything, or between objects that follow each other, a cut is no damage.
            None => prop_assert!(!is_array || cut.iter().all(u8::is_ascii_whitespace)),
        }
    }

    #[test]
    fn sizes_of_reads_do_not_matter_to_anything(
        text in r#"[\[{]?[\\"{}\[\],:\n a1]{0,200}"#,
        record_bytes in 1_usize..60,
        sizes in sizes(),
    ) {
        let limits = RecordLimits { record_bytes };
        let (records, rest) = split(text.as_bytes(), limits);
        prop_assert!(lie_in_order(text.as_bytes(), &records, rest.as_ref()));
        for record in &records {
            match record {
                Record::Whole(bytes) => prop_assert!(bytes.len() <= record_bytes),
                Record::Oversized { size_bytes, .. } => prop_assert!(*size_bytes > record_bytes as u64),
            }
        }
        prop_assert_eq!(split(pieces(text.as_bytes(), &sizes), limits), (records, rest));
    }

    #[test]
    fn garbage_never_panics(garbage in prop::collection::vec(any::<u8>(), 0..300), start in "[\\[{]?") {
        let text = [start.as_bytes(), &garbage].concat();
        let (records, rest) = split(&text[..], RecordLimits { record_bytes: 100 });
        prop_assert!(lie_in_order(&text, &records, rest.as_ref()));
    }
}
