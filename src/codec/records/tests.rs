//! What splitting promises, one test each.

use std::io::{self, ErrorKind, Read};

use bytes::Bytes;

use super::{Record, RecordLimits, Records, RecordsError, Rest, split::HEAD_BYTES};
use crate::codec::{
    pieces::pieces,
    stream::{self, StreamLimits},
};

const LIMITS: RecordLimits = RecordLimits { record_bytes: 1 << 20 };

/// The records, and the rest if there is one.
pub(super) fn split(reader: impl Read, limits: RecordLimits) -> (Vec<Record>, Option<Rest>) {
    let mut records = Vec::new();
    for record in Records::new(reader, limits) {
        match record {
            Ok(record) => records.push(record),
            Err(RecordsError::Broken(rest)) => return (records, Some(rest)),
            Err(RecordsError::Read(error)) => panic!("{error}"),
        }
    }
    (records, None)
}

fn whole(records: &[&str]) -> Vec<Record> {
    records.iter().map(|record| Record::Whole(Bytes::copy_from_slice(record.as_bytes()))).collect()
}

fn rest(offset_bytes: u64, bytes: &str) -> Rest {
    Rest { offset_bytes, bytes: Bytes::copy_from_slice(bytes.as_bytes()), is_cut: false }
}

/// Splits in one read, and byte by byte, which must come to the same.
fn split_text(text: &str, limits: RecordLimits) -> (Vec<Record>, Option<Rest>) {
    let at_once = split(text.as_bytes(), limits);
    let bytewise = split(pieces(text.as_bytes(), &[1]), limits);
    assert_eq!(at_once, bytewise, "{text}");
    at_once
}

#[test]
fn nothing_is_no_records() {
    for text in ["", " ", "\n\n\r\n\t ", "[]", " [ \n ] \n"] {
        assert_eq!(split_text(text, LIMITS), (vec![], None), "{text:?}");
    }
}

#[test]
fn every_form_is_split() {
    let two = whole(&[r#"{"a":1}"#, r#"{"b":[{}]}"#]);
    for text in [
        "{\"a\":1}\n{\"b\":[{}]}\n",
        "{\"a\":1}\n{\"b\":[{}]}",
        "\r\n\n {\"a\":1}\r\n\r\n\t\n{\"b\":[{}]}\r\n\r\n",
        "{\"a\":1}{\"b\":[{}]}",
        "{\"a\":1} {\"b\":[{}]} ",
        "[{\"a\":1},{\"b\":[{}]}]\n",
        " [ {\"a\":1} ,\n{\"b\":[{}]}\n] \n",
    ] {
        assert_eq!(split_text(text, LIMITS), (two.clone(), None), "{text:?}");
    }
    let pretty = "{\n  \"a\": {\n    \"b\": []\n  }\n}";
    assert_eq!(split_text(pretty, LIMITS), (whole(&[pretty]), None));
    assert_eq!(split_text(&format!("{pretty}\n{pretty}"), LIMITS), (whole(&[pretty, pretty]), None));
}

#[test]
fn delivery_is_the_same_in_every_form() {
    let plain_limits = StreamLimits { decoded_bytes: 1 << 20, ratio: 1000, block_bytes: 1 << 20 };
    let records = |file: &[u8]| {
        let (records, rest) = split(stream::open(file, plain_limits).unwrap(), LIMITS);
        assert_eq!(rest, None);
        records
    };
    let lines = records(include_bytes!("../../../tests/fixtures/bof/batch.jsonl"));
    assert_eq!(lines.len(), 50);
    assert!(records(include_bytes!("../../../tests/fixtures/bof/batch.json")) == lines);
    assert!(records(include_bytes!("../../../tests/fixtures/bof/batch.jsonl.gz")) == lines);
    assert!(records(include_bytes!("../../../tests/fixtures/bof/m3_level9.lzo")) == lines);
}

#[test]
fn strings_hide_what_they_hold() {
    for record in [
        r#"{"a":"}"}"#,
        r#"{"a":"{[\"}]"}"#,
        r#"{"a":"\\"}"#,
        r#"{"a":"\\\"}"}"#,
        r#"{"\"}":"\\\\","b":"\u005c"}"#,
        r#"{"a":"","b":"long enough to be searched otherwise \" } \\"}"#,
        "{\"a\":\"ü}\u{2028}\"}",
    ] {
        assert_eq!(split_text(&format!("{record}\n{record}"), LIMITS), (whole(&[record, record]), None));
        assert_eq!(split_text(&format!("[{record},{record}]"), LIMITS), (whole(&[record, record]), None));
    }
}

#[test]
fn elements_that_are_no_objects_are_records_too() {
    let elements =
        ["1", "-1.5e+7", "null", "true", "false", r#""""#, r#""a]\",""#, "[]", r#"[{"a":[1]},2]"#, "{}"];
    for separator in [",", " , ", ",\n"] {
        let text = format!("[{}]", elements.join(separator));
        assert_eq!(split_text(&text, LIMITS), (whole(&elements), None));
    }
}

#[test]
fn record_that_is_no_json_but_balanced_is_left_to_the_parser() {
    let odd = r#"{"a" 1,,nonsense]"#;
    let text = format!("{{}}\n{odd}\n{{}}\n");
    assert_eq!(split_text(&text, LIMITS), (whole(&["{}", odd, "{}"]), None));
    assert_eq!(split_text("[tru,{}]", LIMITS), (whole(&["tru", "{}"]), None));
}

#[test]
fn other_beginnings_are_broken() {
    for text in ["x", "\u{feff}{}", "null", "1", "\"a\"", "}", "]", ",", "id,name\n1,2", "\u{1f}\u{8b}"] {
        assert_eq!(split_text(text, LIMITS), (vec![], Some(rest(0, text))), "{text:?}");
    }
    assert_eq!(split_text("\n\n <html>", LIMITS), (vec![], Some(rest(3, "<html>"))));
}

#[test]
fn broken_in_the_middle_hands_out_what_came_before_and_the_rest() {
    for (text, records, offset) in [
        ("{}\n{\"a\":1\n{}\n", vec!["{}"], 3),
        ("{}\n{\"a\":\"x}\n{}\n{}", vec!["{}"], 3),
        ("{}\n}\n{}", vec!["{}"], 3),
        ("{},{}", vec!["{}"], 2),
        ("{}\nnull\n{}", vec!["{}"], 3),
        ("{}[{}]", vec!["{}"], 2),
        ("[{},{\"a\":[}", vec!["{}"], 4),
        ("[{}{}]", vec!["{}"], 3),
        ("[{} {}]", vec!["{}"], 4),
        ("[{},]", vec!["{}"], 4),
        ("[,{}]", vec![], 1),
        ("[{},,{}]", vec!["{}"], 4),
        ("[1{}]", vec!["1"], 2),
        ("[\"a\"b]", vec!["\"a\""], 4),
        ("[{}:{}]", vec!["{}"], 3),
        ("[{}] {}", vec!["{}"], 5),
        ("[{}]]", vec!["{}"], 4),
        ("[{}}", vec!["{}"], 3),
        // Cut off.
        ("{}{\"a", vec!["{}"], 2),
        ("{}{\"a\\", vec!["{}"], 2),
        ("[{},12", vec!["{}"], 4),
        ("[{},", vec!["{}"], 4),
        ("[{}", vec!["{}"], 3),
        ("[ ", vec![], 2),
    ] {
        let remains = &text[offset..];
        assert_eq!(
            split_text(text, LIMITS),
            (whole(&records), Some(rest(offset as u64, remains))),
            "{text:?}"
        );
    }
}

#[test]
fn rest_is_cut_at_the_limit() {
    let limits = RecordLimits { record_bytes: 5 };
    let cut = |bytes: &str| Some(Rest { is_cut: true, ..rest(3, bytes) });
    assert_eq!(split_text("{}\n12345", limits), (whole(&["{}"]), Some(rest(3, "12345"))));
    assert_eq!(split_text("{}\n123456", limits), (whole(&["{}"]), cut("12345")));
    assert_eq!(split_text("{}\n{2345", limits), (whole(&["{}"]), Some(rest(3, "{2345"))));
    assert_eq!(split_text("{}\n{23456", limits), (whole(&["{}"]), cut("{2345")));
    assert_eq!(split_text("{}\n{\"45\n789}\n{}", limits), (whole(&["{}"]), cut("{\"45\n")));
    assert_eq!(split_text("{}\n{\"4567\n9}\n{}", limits), (whole(&["{}"]), cut("{\"456")));
}

#[test]
fn record_over_the_limit_is_skipped() {
    let limits = RecordLimits { record_bytes: 100 };
    let padded = |bytes: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(bytes - 8));
    for size in [99, 100, 101, 150, HEAD_BYTES + 1, 70_000, 1_000_000] {
        let long = padded(size);
        let expected = if size <= 100 {
            Record::Whole(long.clone().into())
        } else {
            let head = Bytes::copy_from_slice(&long.as_bytes()[..100]);
            Record::Oversized { head, size_bytes: size as u64 }
        };
        let [first, last] = [Record::Whole("{}".into()), Record::Whole("{\"b\":2}".into())];
        let records = vec![first, expected, last];
        for text in [format!("{{}}\n{long}\n{{\"b\":2}}"), format!("[{{}},{long},{{\"b\":2}}]")] {
            let (split, rest) = split_text(&text, limits);
            assert!(split == records && rest.is_none(), "{size}");
        }
    }
    let (records, _) = split_text(&format!("[{},{{}}]", "1".repeat(200)), limits);
    assert!(matches!(records[..], [Record::Oversized { size_bytes: 200, .. }, Record::Whole(_)]));
}

#[test]
fn of_a_record_over_the_limit_the_first_kib_is_kept() {
    let limits = RecordLimits { record_bytes: 10_000 };
    let text = format!("{{\"a\":\"{}\"}}", "x".repeat(20_000));
    let (records, _) = split_text(&text, limits);
    let head = Bytes::copy_from_slice(&text.as_bytes()[..HEAD_BYTES]);
    assert_eq!(records, [Record::Oversized { head, size_bytes: text.len() as u64 }]);
}

#[test]
fn nesting_has_no_limit_here() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let (records, rest) = split_text(&format!("{{\"a\":{deep}}}{{}}"), LIMITS);
    assert_eq!((records.len(), rest), (2, None));
}

#[test]
fn failing_reader_is_passed_on_after_the_records_before() {
    struct Reset;
    impl Read for Reset {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(ErrorKind::ConnectionReset.into())
        }
    }
    for text in ["{}\n{\"a\":", "{}\n", "[{}", "[{},"] {
        let mut records = Records::new(text.as_bytes().chain(Reset), LIMITS);
        assert!(matches!(records.next(), Some(Ok(Record::Whole(record))) if record == "{}"));
        let error = records.next().unwrap().unwrap_err();
        assert!(matches!(error, RecordsError::Read(error) if error.kind() == ErrorKind::ConnectionReset));
        assert!(records.next().is_none());
    }
    let mut records = Records::new(b"{} x".chain(Reset), LIMITS).skip(1);
    let Some(Err(RecordsError::Broken(rest))) = records.next() else { panic!("not broken") };
    assert_eq!((&rest.bytes[..], rest.is_cut), (&b"x"[..], true));
}

#[test]
fn memory_stays_bounded() {
    const RECORD_BYTES: usize = 100_000;
    let long = format!("{{\"a\":\"{}\"}}\n", "x".repeat(RECORD_BYTES - 20));
    let longer = format!("{{\"a\":\"{}\"}}\n", "x".repeat(10 * RECORD_BYTES));
    let text = [long.as_str(), &longer, "{}\n"].concat().repeat(20);
    let mut records = Records::new(text.as_bytes(), RecordLimits { record_bytes: RECORD_BYTES });
    let mut count = 0;
    while let Some(record) = records.next() {
        record.unwrap();
        count += 1;
        assert!(records.window.capacity() <= 4 * RECORD_BYTES, "{}", records.window.capacity());
    }
    assert_eq!(count, 60);
}
