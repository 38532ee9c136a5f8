//! The corpus that fuzzing left behind, and real inputs with small changes, through every check.

use std::{fs, path::Path};

use super::CHECKS;

fn files(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<_> = entries
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.display().to_string(), fs::read(path).unwrap()))
        .collect();
    files.sort();
    files
}

#[test]
fn every_file_of_the_corpus_passes_its_check() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    for (name, check) in CHECKS {
        let files = files(&corpus.join(name));
        assert!(files.len() >= 5, "the corpus of {name} has {} files", files.len());
        for (path, bytes) in files {
            run(&path, *check, &bytes);
        }
    }
}

/// Says which input it was before the panic goes on.
fn run(input: &str, check: super::Check, bytes: &[u8]) {
    let panicked = std::panic::catch_unwind(|| check(bytes)).is_err();
    assert!(!panicked, "{input}: {}", String::from_utf8_lossy(bytes));
}

#[test]
fn normalising_changed_events_equals_the_slow_model() {
    differ("segment", &segment_events());
}

#[test]
fn normalising_changed_records_equals_the_slow_model() {
    differ("bof", &records());
}

/// Changes each input in many ways and compares; the same changes every time.
fn differ(name: &str, inputs: &[String]) {
    const CHANGES: usize = 40;
    let (_, check) = CHECKS.iter().find(|(known, _)| *known == name).unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    for input in inputs {
        run("as it is", *check, input.as_bytes());
        for _ in 0..CHANGES {
            let other = random.choice(inputs).unwrap();
            let changed =
                (0..random.usize(1..4)).fold(input.clone(), |text, _| change(&text, other, &mut random));
            run("changed", *check, changed.as_bytes());
        }
    }
}

/// Values that somebody, somewhere, does send.
const VALUES: &[&str] = &[
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "7.0",
    "1e3",
    "-1.5E-2",
    "18446744073709551615",
    "18446744073709551616",
    "99999999999999999999999999",
    "1e308",
    "1e309",
    "1e-309",
    "0.000",
    "\"\"",
    "\" \"",
    "\"0\"",
    "\"007\"",
    "\"+7\"",
    "\" 42 \"",
    "\"1.0\"",
    "\"true\"",
    "\"a\\u0000b\"",
    "\"\\ud800\"",
    "\"\\ude00\\ud83d\"",
    "\"\\\\u0000\"",
    "\"\\ud83d\\ude00\"",
    "\"=cmd()\"",
    "\"</script>\"",
    "\"'); DROP TABLE events;--\"",
    "[]",
    "[1]",
    "[null,\"\"]",
    "{}",
    "{\"\\u0069d\":1}",
    "{\"id\":1,\"id\":2}",
    "{\"id\":\"x\",\"ext\":{\"coppa\":\"1\"}}",
    "[[[[[[[[[[[[[1]]]]]]]]]]]]]",
    "\"2026-01-31T12:00:00.123456789Z\"",
    "\"2026-01-31t12:00:00+23:59\"",
    "\"2016-12-31T23:59:60Z\"",
    "\"0001-01-01T00:00:00+00:01\"",
    "\"9999-12-31T23:59:59.9999999Z\"",
    "1770000000",
    "1770000000123.9",
    "\"1770000000.5\"",
    "\"198.51.100.7\"",
    "\"2001:db8::1\"",
    "\"track\"",
    "\"PAGE\"",
    "\"DISPLAY\"",
    "\"server\"",
    "\"course-v1:org+course+run\"",
    "\"org/course/run\"",
    "\"eyJpZCI6IjEifQ==\"",
    "\"{\\\"id\\\":1}\"",
    "\"00000000-0000-0000-0000-000000000000\"",
];

/// One small change to a JSON text: to a value, to a name, to a member, or to its bytes.
fn change(text: &str, other: &str, random: &mut fastrand::Rng) -> String {
    let (values, names) = (spots(text, false), spots(text, true));
    let mut changed = text.to_owned();
    match random.u8(..8) {
        0..4 if !values.is_empty() => {
            let spot = random.choice(&values).unwrap().clone();
            changed.replace_range(spot, random.choice(VALUES).unwrap());
        }
        4 if !names.is_empty() => {
            let others = spots(other, true);
            let name = random.choice(&others).map_or("\"id\"", |spot| &other[spot.clone()]);
            changed.replace_range(random.choice(&names).unwrap().clone(), name);
        }
        5 if !names.is_empty() => {
            let spot = random.choice(&names).unwrap().clone();
            let member = format!("{}:{},", &text[spot.clone()], random.choice(VALUES).unwrap());
            changed.insert_str(spot.start, &member);
        }
        6 if !text.is_empty() => {
            let at = text.floor_char_boundary(random.usize(..text.len()));
            let end = text.ceil_char_boundary((at + random.usize(..4)).min(text.len()));
            changed.replace_range(
                at..end,
                random.choice(&["", "\"", "\\", " ", "{", "]", ",", "0", "\u{7f}", "é"]).unwrap(),
            );
        }
        _ if !text.is_empty() => changed.truncate(text.floor_char_boundary(random.usize(..text.len()))),
        _ => {}
    }
    changed
}

/// Where the names of members stand, or the scalars that are none; by tokens alone, so that broken texts have some, too.
fn spots(text: &str, names: bool) -> Vec<std::ops::Range<usize>> {
    let bytes = text.as_bytes();
    let (mut spots, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let start = at;
        match bytes[at] {
            b'"' => {
                at += 1;
                while at < bytes.len() && bytes[at] != b'"' {
                    at += if bytes[at] == b'\\' { 2 } else { 1 };
                }
                at = text.ceil_char_boundary((at + 1).min(bytes.len()));
                let is_name = text[at..].trim_start().starts_with(':');
                if is_name == names {
                    spots.push(start..at);
                }
            }
            b'-' | b'0'..=b'9' | b'a'..=b'z' => {
                let is_part = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                at += bytes[at..].iter().take_while(is_part).count();
                if !names {
                    spots.push(start..at);
                }
            }
            _ => at = text.ceil_char_boundary(at + 1),
        }
    }
    spots
}

/// The bodies of the contract's cases.
fn segment_events() -> Vec<String> {
    let cases: Vec<serde_json::Value> =
        serde_json::from_str(include_str!("../../tests/fixtures/segment-cases.json")).unwrap();
    let bodies = cases.iter().filter_map(|case| match &case["body"] {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text.clone()),
        body => Some(body.to_string()),
    });
    bodies.filter(|body| body.len() < 4096).collect()
}

/// One of twenty records of the fixtures, of every form.
fn records() -> Vec<String> {
    let packed = include_bytes!("../../tests/fixtures/bof/opportunities.jsonl.gz");
    let mut text = String::new();
    std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(&packed[..]), &mut text).unwrap();
    let few = text.lines().step_by(20).map(str::to_owned);
    few.chain(include_str!("../../tests/fixtures/bof/batch.jsonl").lines().map(str::to_owned)).collect()
}

#[test]
fn of_equal_names_the_last_counts_however_deep() {
    let (_, check) = CHECKS.iter().find(|(known, _)| *known == "bof").unwrap();
    for body in [
        r#"{"regs":{"ext":{"coppa":1},"ext":{}},"device":{"ip":"198.51.100.7"}}"#,
        r#"{"imp":[{"banner":{},"banner":null}]}"#,
        r#"{"device":{"ext":{"lmt":1},"ext":{}}}"#,
        r#"{"site":{"page":"a"},"site":7,"app":{"bundle":"b"}}"#,
        r#"{"imp":[{"pmp":{"deals":[{"id":"a"}]},"pmp":null}]}"#,
    ] {
        run(body, *check, format!(r#"{{"AuctionId":"1","ChannelType":"VIDEO","Body":{body}}}"#).as_bytes());
    }
}
