//! `tidegate spool`: looking into the spool of a stopped server. Whatever is found, not a byte changes.

use std::{collections::BTreeMap, fs, path::Path, process::Output};

use serde_json::{Value, json};

use crate::server::{Site, sink_down, track, web};

/// The contents of all files beneath a directory.
fn contents(directory: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(contents(&path));
        } else {
            files.insert(path.display().to_string(), fs::read(&path).unwrap());
        }
    }
    files
}

/// Runs a command that must leave the data as it is.
#[track_caller]
fn run(site: &Site, arguments: &[&str], code: i32) -> Output {
    let before = contents(&site.path("data"));
    let output = site.run(arguments);
    assert_eq!(contents(&site.path("data")), before, "{arguments:?} changes nothing");
    let said = String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned();
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {said}");
    output
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn lines(output: &Output) -> Vec<Value> {
    out(output).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A site whose killed server left two events and one refusal in its spool.
fn killed() -> Site {
    let site = Site::new(&[sink_down(), web("")].concat());
    let server = site.start();
    server.post(track("m-1")).expect(200);
    server.post(r#"{"type":"track","event":"A"}"#).expect(400);
    server.post(track("m-2")).expect(200);
    for what in ["verify", "dump", "export"] {
        let output = site.run(&["spool", what, "data"]);
        assert_eq!(output.status.code(), Some(1), "{what}");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("in use by a server") && output.stdout.is_empty(), "{said}");
    }
    server.kill();
    site
}

#[test]
fn a_killed_servers_spool_is_sound_and_can_be_read() {
    let site = killed();
    for place in ["data", "data/spool", "./data/"] {
        let verified = out(&run(&site, &["spool", "verify", place], 0));
        assert!(
            verified.contains("3 records: 2 events, 1 refusals, 0 of other kinds\nsound\n"),
            "{verified}"
        );
    }
    let verified = lines(&run(&site, &["spool", "verify", "data", "--json"], 0));
    assert_eq!(verified.last().unwrap()["sound"], json!(true));

    let exported = lines(&run(&site, &["spool", "export", "data"], 0));
    let told: Vec<_> = exported.iter().map(|line| (&line["record"], &line["sequence"])).collect();
    let expected = [(json!("event"), json!(0)), (json!("refusal"), json!(1)), (json!("event"), json!(2))];
    assert_eq!(told, expected.iter().map(|(record, sequence)| (record, sequence)).collect::<Vec<_>>());
    assert_eq!(exported[0]["dedup_key"], json!("m-1"));
    assert_eq!(exported[0]["event"]["messageId"], json!("m-1"));
    assert_eq!(exported[1]["body"], json!({"encoding": "utf-8", "data": r#"{"type":"track","event":"A"}"#}));
    let part = lines(&run(&site, &["spool", "export", "data", "--from", "1", "--limit", "1"], 0));
    assert_eq!(part, exported[1..2]);

    let dumped = lines(&run(&site, &["spool", "dump", "data", "--json"], 0));
    for (dumped, exported) in dumped.iter().zip(&exported) {
        assert_eq!(dumped["kind"], exported["record"]);
        assert_eq!(dumped["received_at"], exported["received_at"]);
    }
    assert_eq!(dumped[0]["offset"], json!(96));
    let shown = out(&run(&site, &["spool", "dump", "data"], 0));
    assert!(
        shown.lines().count() == 3 && shown.contains("user.missing") && !shown.contains("m-1"),
        "{shown}"
    );
}

#[test]
fn damage_is_told_and_the_rest_is_read() {
    let site = killed();
    let file = site.path("data/spool/00000000000000000000.spool");
    let pristine = fs::read(&file).unwrap();
    let mut damaged = pristine.clone();
    damaged[96 + 20] ^= 1;
    fs::write(&file, &damaged).unwrap();
    let verified = out(&run(&site, &["spool", "verify", "data"], 1));
    assert!(verified.contains("DEFECT 00000000000000000000.spool: bytes 96 to "), "{verified}");
    assert!(verified.contains("records 0 to 0 are missing") && verified.contains("NOT SOUND"), "{verified}");
    let exported = lines(&run(&site, &["spool", "export", "data"], 1));
    assert_eq!(exported.iter().map(|line| line["sequence"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2]);

    // A write that was cut short: nobody was told that it is durable.
    fs::write(&file, [&pristine[..], &pristine[96..140]].concat()).unwrap();
    let verified = out(&run(&site, &["spool", "verify", "data"], 0));
    assert!(verified.contains("44 B of an unfinished write"), "{verified}");
    fs::remove_file(site.path("data/spool/id")).unwrap();
    let verified = out(&run(&site, &["spool", "verify", "data"], 1));
    assert!(verified.contains("DEFECT the file id is missing"), "{verified}");
}

#[test]
fn no_spool_is_65() {
    let site = Site::empty();
    site.write("data/other", "");
    for place in ["data", "gone", "data/other"] {
        let output = run(&site, &["spool", "verify", place], 65);
        assert!(String::from_utf8_lossy(&output.stderr).contains("there is no spool at"));
    }
}
