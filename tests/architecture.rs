//! The floors of this crate, checked.
//!
//! Rust lets modules of one crate import each other in a circle. This test does not: each
//! top-level module stands on a floor, and may import only from the floors beneath it.
//! It also keeps files short, every file headed by a sentence saying what it owns, and the file system behind its door.

#![expect(clippy::unwrap_used, reason = "a test may unwrap, also in its helpers")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// From the ground up. Modules on the same floor do not know each other.
const FLOORS: &[&[&str]] = &[
    &["clock", "disk", "secret", "telemetry"],
    &["event", "codec", "database"],
    &["sources", "sinks", "store", "spool"],
    &["ingest", "drain"],
    &["pull", "operate"],
    &["http"],
    &["config"],
    &["app"],
    &["cli"],
];

/// Non-test lines a file may hold.
const FILE_LINES_MAX: usize = 300;

/// Files allowed to be longer, each with its reason. An entry no longer needed fails the test.
const LONG_FILES: &[(&str, &str)] = &[];

/// What opens files, and who may: everything that is kept on disk passes through `disk`, where tests can fail it.
const FILE_SYSTEM: &[&str] = &["std::fs", "fs::", "File::", "tokio::fs"];
const MAY_OPEN_FILES: &[(&str, &str)] = &[
    ("disk/", "the door itself"),
    ("cli/users.rs", "reads the file that the operator names"),
    ("cli/explain.rs", "likewise"),
    ("cli/send/file.rs", "likewise"),
];

#[test]
fn imports_point_down() {
    let found = problems(&source_root());
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

fn source_root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn problems(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut long_files_seen = BTreeSet::new();
    for path in rust_files(root) {
        let name = path.strip_prefix(root).unwrap().display().to_string();
        let text = fs::read_to_string(&path).unwrap();
        if !text.starts_with("//!") {
            found.push(format!("{name}: the first line must say what the file owns (`//!`)"));
        }
        let code = production_code(&text);
        let line_count = code.lines().count();
        let exempt = LONG_FILES.iter().any(|(file, _)| *file == name);
        if line_count > FILE_LINES_MAX {
            long_files_seen.insert(name.clone());
            if !exempt {
                found.push(format!("{name}: {line_count} lines, at most {FILE_LINES_MAX}"));
            }
        }
        if name == "lib.rs" && code.contains("pub use") {
            found.push("lib.rs: re-exports hide who imports whom; name the module".into());
        }
        if name == "lib.rs" || name == "main.rs" {
            continue;
        }
        let module = top_module(&name);
        let Some(floor) = floor_of(module) else {
            found.push(format!("{name}: module `{module}` stands on no floor"));
            continue;
        };
        if !MAY_OPEN_FILES.iter().any(|(place, _)| name.starts_with(place)) {
            let opens = FILE_SYSTEM.iter().find(|word| names(&code, word));
            found.extend(opens.map(|word| format!("{name}: `{word}`: the file system has one door, `disk`")));
        }
        for target in crate_paths(&code) {
            if target == module {
                continue;
            }
            match floor_of(&target) {
                None => found.push(format!("{name}: imports `crate::{target}`, on no floor")),
                Some(below) if below < floor => {}
                Some(_) => found.push(format!("{name}: `{module}` may not import `{target}`")),
            }
        }
        let is_root_of_module = name == format!("{module}.rs") || name == format!("{module}/mod.rs");
        if code.contains("super::super::") || (is_root_of_module && code.contains("super::")) {
            found.push(format!("{name}: climb with `crate::…`, so that the floor is named"));
        }
    }
    for (file, reason) in LONG_FILES {
        if !long_files_seen.contains(*file) {
            found.push(format!("{file}: no longer long; drop its exemption ({reason})"));
        }
    }
    found
}

fn floor_of(module: &str) -> Option<usize> {
    FLOORS.iter().position(|floor| floor.contains(&module))
}

fn top_module(name: &str) -> &str {
    let first = name.split('/').next().unwrap();
    first.strip_suffix(".rs").unwrap_or(first)
}

/// Whether a path is named in the code, and not merely the tail of a longer word.
fn names(code: &str, path: &str) -> bool {
    code.match_indices(path)
        .any(|(at, _)| !code[..at].ends_with(|c: char| c == '_' || c == ':' || c.is_alphanumeric()))
}

/// Without comments; and without `mod tests`, which stands last in its file and may look anywhere.
fn production_code(text: &str) -> String {
    let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
    code.lines().map(|line| line.split("//").next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// The first name after every `crate::`, braces included.
fn crate_paths(code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in code.match_indices("crate::") {
        if code[..at].ends_with(|c: char| c == '$' || c == '_' || c.is_alphanumeric()) {
            continue;
        }
        let rest = &code[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => names.extend(group_heads(group)),
            None => names.extend(head(rest)),
        }
    }
    names
}

fn group_heads(group: &str) -> Vec<String> {
    let (mut depth, mut item_start, mut heads) = (0usize, 0usize, Vec::new());
    for (at, c) in group.char_indices() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => {
                heads.extend(head(&group[item_start..at]));
                break;
            }
            '}' => depth -= 1,
            ',' if depth == 0 => {
                heads.extend(head(&group[item_start..at]));
                item_start = at + 1;
            }
            _ => {}
        }
    }
    heads
}

fn head(path: &str) -> Option<String> {
    let name: String = path.trim_start().chars().take_while(|c| *c == '_' || c.is_alphanumeric()).collect();
    (!name.is_empty()).then_some(name)
}

fn rust_files(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        let file_name = path.file_name().unwrap().to_str().unwrap();
        // Modules that only tests compile: they may look anywhere.
        let is_test = matches!(
            file_name,
            "tests"
                | "tests.rs"
                | "proptests.rs"
                | "testing.rs"
                | "simulated.rs"
                | "contract"
                | "fuzz"
                | "fuzz.rs"
        );
        if is_test {
            continue;
        }
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

#[cfg(test)]
mod the_check_itself {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> PathBuf {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let root = std::env::temp_dir().join(format!(
            "floors-{}-{}",
            std::process::id(),
            NEXT.fetch_add(1, Ordering::Relaxed)
        ));
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        root
    }

    #[test]
    fn an_import_upwards_is_found_in_every_spelling() {
        for import in [
            "use crate::sinks::Sink;",
            "use crate::{clock::Clock, sinks::{Sink, s3::S3}};",
            "use crate::{\n    clock,\n    sinks,\n};",
            "fn f(_: &crate::sinks::Sink) {}",
            "pub(in crate::sinks) struct S;",
        ] {
            let root = tree(&[("event/mod.rs", &format!("//! Event.\n{import}\n"))]);
            assert_eq!(problems(&root), ["event/mod.rs: `event` may not import `sinks`"], "{import}");
        }
    }

    #[test]
    fn neighbours_on_one_floor_are_strangers() {
        let root = tree(&[("sinks/s3/mod.rs", "//! S3.\nuse crate::sources::Source;\n")]);
        assert_eq!(problems(&root), ["sinks/s3/mod.rs: `sinks` may not import `sources`"]);
    }

    #[test]
    fn a_second_door_to_the_file_system_is_found() {
        for code in ["use std::fs;", "let f = File::open(p);", "tokio::fs::read(p)"] {
            let root = tree(&[
                ("spool/writer.rs", &format!("//! W.\n{code}\n")),
                ("disk/real.rs", "//! R.\nuse std::fs;\n"),
            ]);
            assert_eq!(problems(&root).len(), 1, "{code}");
        }
        let root = tree(&[("spool/index.rs", "//! I.\nlet f = SpoolFile::new();\n")]);
        assert_eq!(problems(&root), [""; 0]);
    }

    #[test]
    fn downwards_own_folder_comments_and_tests_pass() {
        let root = tree(&[
            ("sinks/s3.rs", "//! S3.\nuse crate::{event::Event, sinks::Sink};\n// crate::http\n"),
            ("sinks/tests.rs", "use crate::http::Router;\n"),
            ("event.rs", "//! E.\n\n#[cfg(test)]\nmod tests {\n use crate::http::X;\n}\n"),
        ]);
        assert_eq!(problems(&root), [""; 0]);
    }

    #[test]
    fn headless_homeless_long_and_climbing_files_are_found() {
        let long = format!("//! Long.\n{}", "fn f() {}\n".repeat(FILE_LINES_MAX));
        let root = tree(&[
            ("clock.rs", "pub struct Clock;\n"),
            ("lib.rs", "//! Crate.\npub use event::Event;\n"),
            ("event.rs", &long),
            ("sinks/mod.rs", "//! S.\nuse super::http::Router;\n"),
            ("utils.rs", "//! Odds and ends.\n"),
        ]);
        assert_eq!(problems(&root).len(), 5, "{:#?}", problems(&root));
    }
}
