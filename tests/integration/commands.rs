//! The command line: help, exit codes, and the first minute of somebody who has no settings yet.

use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Output};

use crate::{
    client::Request,
    encodings::gzip,
    server::{Site, assert_has, sink_down, track, web},
};

/// Its exit code and everything it said.
fn ended(output: &Output) -> (Option<i32>, String) {
    (
        output.status.code(),
        String::from_utf8_lossy(&[&output.stdout[..], &output.stderr].concat()).into_owned(),
    )
}

#[track_caller]
fn assert_ends(site: &Site, arguments: &[&str], code: i32, says: &[&str]) {
    let (ended_with, said) = ended(&site.run(arguments));
    assert_eq!(ended_with, Some(code), "{arguments:?}: {said}");
    for words in says {
        assert!(said.contains(words), "{arguments:?} must say {words:?}: {said}");
    }
    assert!(!said.contains("panicked"), "{said}");
}

#[test]
fn every_command_explains_itself() {
    let site = Site::empty();
    let help = |arguments: &[&str]| {
        let (code, said) = ended(&site.run(&[arguments, &["--help"]].concat()));
        assert_eq!(code, Some(0), "{arguments:?}: {said}");
        let (own, of_all) = said.split_once("\nOptions for all commands:\n").unwrap();
        assert!(own.contains("Usage: tidegate") && own.contains("--help"), "{said}");
        for option in ["--config <FILE>", "--log <FILTER>", "--log-format"] {
            assert!(of_all.contains(option) && !own.contains(option), "{said}");
        }
        said
    };
    let commands = |help: &str| -> Vec<String> {
        let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
        let listed = lines.take_while(|line| line.starts_with("  ")).filter(|line| !line.starts_with("   "));
        listed.map(|line| line.split_whitespace().next().unwrap().to_owned()).collect()
    };
    let root = help(&[]);
    assert!(root.contains("Exit codes:") && root.contains("Examples:"), "{root}");
    let expected = "serve check users healthcheck status events receipt refusals dead-letters tail explain lanes reload \
                    audit prune send secrets spool completions";
    assert_eq!(commands(&root), expected.split(' ').collect::<Vec<_>>());
    for command in commands(&root) {
        for nested in commands(&help(&[&command])) {
            help(&[&command, &nested]);
        }
    }
    let (code, said) = ended(&site.run(&["--version"]));
    assert_eq!((code, said.as_str()), (Some(0), concat!("tidegate ", env!("CARGO_PKG_VERSION"), "\n")));
    assert_eq!(fs::read_dir(site.path("")).unwrap().count(), 0, "asking for help makes nothing");
}

#[test]
fn a_new_secret_is_alone_on_standard_output() {
    let site = Site::empty();
    let output = site.run(&["secrets", "new", "--id", "2026-11"]);
    assert_eq!(output.status.code(), Some(0));
    let secret = String::from_utf8(output.stdout).unwrap();
    assert_eq!(secret.len(), 65);
    assert!(secret.trim_end().bytes().all(|byte| byte.is_ascii_hexdigit()), "{secret}");
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.contains("{ id = \"2026-11\"") && told.contains("not_after = "), "{told}");
    assert!(!told.contains(secret.trim()), "what may end in a log does not hold it");
    assert_ne!(site.run(&["secrets", "new"]).stdout, secret.into_bytes());
    assert_ends(&site, &["secrets", "new", "--id", "a\"b"], 2, &["help"]);
}

#[test]
fn completions_are_a_script_for_each_shell() {
    let site = Site::empty();
    for shell in ["bash", "zsh", "fish"] {
        assert_ends(&site, &["completions", shell], 0, &["tidegate", "dead-letters"]);
    }
    assert_ends(&site, &["completions", "cobol"], 2, &["help"]);
}

#[test]
fn a_wrong_command_line_is_2() {
    let site = Site::new(&web(""));
    for arguments in [
        &["serv"][..],
        &["serve", "--nonsense"],
        &["check", "--log-format", "xml"],
        &["users"],
        &["users", "import"],
        &["help"],
    ] {
        assert_ends(&site, arguments, 2, &["help"]);
    }
    assert_ends(&site, &["check", "--log", "web=nonsense=["], 2, &["log filter"]);
}

#[test]
fn mistakes_of_the_settings_are_78_and_all_told_at_once() {
    let site = Site::new(concat!(
        "[spool]\nmax_bytes = \"lots\"\n",
        "[collect]\nlisten = \"here\"\ncolour = 1\n",
        "[[source]]\nname = \"Web\"\nkind = \"segment\"\nsecrets = [{ id = \"k\", env = \"NOT_SET\" }, { id = \"k\", file = \"gone\" }]\n",
    ));
    let mistakes = [
        "tidegate.toml:3: spool.max_bytes: must be a size",
        "tidegate.toml:5: collect.listen: must be an address",
        "tidegate.toml:6: collect.colour: unknown key",
        "tidegate.toml:8: source.Web.name: must be 1 to 64",
        "the environment has no NOT_SET",
        "gone cannot be read",
        "TIDEGATE_SPOOL__SIZE: no setting has this name",
    ];
    let site = site.with_variable("TIDEGATE_SPOOL__SIZE", "1");
    for arguments in [&["check"][..], &["serve"], &["users", "import", "users.csv"]] {
        assert_ends(&site, arguments, 78, &mistakes);
    }
    let line = |text: &str| text.lines().find(|line| line.contains("NOT_SET")).map(str::to_owned);
    let (_, said) = ended(&site.run(&["check"]));
    assert!(line(&said).unwrap().starts_with("tidegate.toml:10: "), "{said}");
    assert_ends(&site, &["check", "--config", "not-there.toml"], 78, &["not-there.toml: cannot be read"]);
    site.write_settings("[operate]\nlisten = \"here\"\n");
    for arguments in [&["status"][..], &["healthcheck"]] {
        assert_ends(&site, arguments, 78, &["tidegate.toml:3: operate.listen: must be an address"]);
    }
    assert!(!site.path("data").exists(), "nothing was started");
}

#[test]
fn the_documented_settings_have_no_mistake() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let site = Site::empty()
        .with_variable("TIDEGATE_TOKEN", &"t".repeat(32))
        .with_variable("SEGMENT_SECRET", &"s".repeat(32))
        .with_variable("SEGMENT_SECRET_OLD", &"o".repeat(32));
    site.write("secrets/bof", "0123456789abcdef0123456789abcdef\n");
    for name in ["tidegate.example.toml", "tests/fixtures/tidegate.toml"] {
        let path = root.join(name);
        assert_ends(&site, &["check", "--config", path.to_str().unwrap()], 0, &["no mistakes"]);
    }
}

#[test]
fn a_bad_list_of_users_is_65_and_its_line_named() {
    let site = Site::new(&web(""));
    for (csv, says) in [
        ("id,username\n1,ada\n2,grace\nthree,joan\n", "line 4"),
        ("id,username\n1,ada\n1,ada\n", "line 3"),
        ("id,username\n1\n", "line 2"),
        ("name,id\nada,1\n", "line 1"),
        ("", "line 1"),
    ] {
        site.write("users.csv", csv);
        assert_ends(&site, &["users", "import", "users.csv"], 65, &["users.csv", says, "nothing imported"]);
    }
    assert_ends(&site, &["users", "import", "gone.csv"], 65, &["gone.csv"]);
    assert_eq!(site.count("users"), 0);
    site.write("users.csv", "id,username\n1,ada\n2,grace\n");
    for says in ["2 added, 0 updated, 0 unchanged", "0 added, 0 updated, 2 unchanged"] {
        assert_ends(&site, &["users", "import", "users.csv"], 0, &[says]);
    }
    assert_eq!(site.count("users"), 2);
}

#[test]
fn a_database_that_is_away_is_69() {
    let site = Site::new(&[sink_down(), web("")].concat());
    site.write("users.csv", "id,username\n1,ada\n");
    assert_ends(&site, &["users", "import", "users.csv"], 69, &["nothing imported"]);
}

#[test]
fn a_healthcheck_is_0_while_ready_and_1_otherwise() {
    let site = Site::new(&[sink_down(), "[shutdown]\ngrace = \"10m\"\n".into(), web("")].concat());
    let server = site.start();
    let check = || {
        let mut command = site.command(&["healthcheck"]);
        ended(&command.env("TIDEGATE_OPERATE__LISTEN", server.operate.to_string()).output().unwrap())
    };
    assert_eq!(check(), (Some(0), "ready\n".into()));
    server.post(track("m")).expect(200);
    server.signal("TERM");
    crate::server::until("the check notices the stop", || {
        (check() == (Some(1), "tidegate: not ready\n".into())).then_some(())
    });
    let operate = server.operate.to_string();
    server.kill();
    let mut command = site.command(&["healthcheck"]);
    let (code, said) = ended(&command.env("TIDEGATE_OPERATE__LISTEN", &operate).output().unwrap());
    assert_eq!(code, Some(1));
    assert!(said.contains(&format!("no answer from {operate}")), "{said}");
}

#[test]
fn without_settings_the_banner_says_how_to_send_an_event() {
    let site = Site::empty().with_variable("TIDEGATE_DATA_DIR", "./data");
    for arguments in [&["serve"][..], &[]] {
        let server = site.start_with(arguments);
        let banner = server.out();
        let line = banner.lines().rev().find_map(|line| line.trim().strip_prefix("curl ")).unwrap();
        let parts: Vec<&str> = line.split('\'').collect();
        let ["", url, " -d ", body, ""] = parts[..] else { panic!("not a plain curl command: {line}") };
        let target = url.strip_prefix(&format!("http://{}", server.collect)).unwrap();
        let posted = Request::post(target, body).header("Content-Type", "application/x-www-form-urlencoded");
        assert_has(&server.send(&posted).expect(200), &serde_json::json!({"committed": true}));
        let line = banner.lines().rev().find_map(|line| line.trim().strip_prefix("echo ")).unwrap();
        let parts: Vec<&str> = line.split('\'').collect();
        let ["", record, " | gzip | curl ", url, " --data-binary @-"] = parts[..] else {
            panic!("not a plain pipe into curl: {line}")
        };
        let target = url.strip_prefix(&format!("http://{}", server.collect)).unwrap();
        let posted = Request::post(target, gzip(record.as_bytes()));
        assert_has(&server.send(&posted).expect(200), &serde_json::json!({"committed": 1, "refused": 0}));
        for address in [server.collect, server.operate] {
            assert!(banner.contains(&format!("http://{address}")), "{banner}");
        }
        server.stop();
    }
    assert_eq!(site.count("events"), 3, "the opportunity is the same both times");

    let out = fs::read_to_string(site.path("out")).unwrap();
    for source in ["segment", "bof"] {
        let secret = fs::read_to_string(site.path("data/secrets").join(source)).unwrap();
        assert_eq!(secret.trim().len(), 64);
        let shown = out.matches(&format!("key={}", secret.trim())).count();
        assert_eq!(shown, 2, "both starts show the same secret: {out}");
    }
    for (path, mode) in
        [("data/secrets/segment", 0o600), ("data/secrets", 0o700), ("data", 0o700), ("data/spool", 0o700)]
    {
        let found = fs::metadata(site.path(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path} has mode {found:o}");
    }
}

#[test]
fn a_configured_secret_is_not_on_the_banner() {
    let site = Site::new(&web("paths = [\"/hook\"]"));
    let banner = site.start().out();
    assert!(banner.contains("web (segment) /v1/segment/web /hook"), "{banner}");
    assert!(!banner.contains(crate::server::KEY) && !banner.contains("curl"), "{banner}");
}
