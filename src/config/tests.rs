//! What settings are read as, and what is said of their mistakes.

use super::*;
use crate::sources::{
    Kind, Limits, Priority, Source, bof,
    segment::{self, Preset, Users},
};

fn environment(variables: &[(&str, &str)]) -> BTreeMap<String, String> {
    variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn read_text(text: &str, variables: &[(&str, &str)]) -> Result<Config, Vec<String>> {
    let all = environment(variables);
    parse("t.toml", text, &all, 0).map_err(|mistakes| mistakes.0.iter().map(ToString::to_string).collect())
}

fn segment(source: &Source) -> &segment::Settings {
    let Kind::Segment(settings) = &source.kind else { panic!("{:?}", source.kind) };
    settings
}

/// A file with the secrets that the examples name.
fn with_bof_secret(text: &str, directory: &Path) -> String {
    let file = directory.join("bof");
    std::fs::write(&file, "a bof secret that is long enough, surely\n").unwrap();
    text.replace("./secrets/bof", file.to_str().unwrap())
}

const SECRETS: &[(&str, &str)] = &[
    ("TIDEGATE_TOKEN", "0123456789abcdef0123456789abcdef"),
    ("SEGMENT_SECRET", "0123456789abcdef0123456789abcdef"),
    ("SEGMENT_SECRET_OLD", "fedcba9876543210fedcba9876543210"),
];

#[test]
fn the_reference_settings_load_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let text = with_bof_secret(include_str!("../../tests/fixtures/tidegate.toml"), directory.path());
    let config = read_text(&text, SECRETS).unwrap();
    let [source, bof] = &config.sources[..] else { panic!("{:?}", config.sources) };
    assert_eq!((source.name.as_str(), source.limits.events_per_second), ("mobile", Some(20_000)));
    let settings = segment(source);
    assert_eq!((settings.preset, settings.users), (Preset::Edx, Users::Directory));
    assert_eq!(
        (bof.name.as_str(), bof.priority, bof.limits),
        ("mediamath", Priority::Low, Limits::streamed())
    );
    let Kind::Bof(settings) = &bof.kind else { panic!("{:?}", bof.kind) };
    assert!(settings.consumer.drop_zero_uid && !settings.consumer.drop_body);
    assert_eq!(settings.consumer.filters.geo_ids, Some(["60231".to_owned()].into()));
    assert_eq!(source.keys.find(b"0123456789abcdef0123456789abcdef", 0), Some(0));
    assert_eq!(source.keys.find(b"fedcba9876543210fedcba9876543210", 0), Some(1));
    assert_eq!((config.drain.events, config.drain.bytes), (5000, 8 << 20));
    assert_eq!(config.warnings, [""; 0]);
}

#[test]
fn the_documented_example_loads_and_says_the_defaults() {
    let directory = tempfile::tempdir().unwrap();
    let example = with_bof_secret(include_str!("../../tidegate.example.toml"), directory.path());
    let stated = read_text(&example, SECRETS).unwrap();
    let default = read_text("", &[]).unwrap();
    assert_eq!((stated.collect, stated.spool, stated.drain), (default.collect, default.spool, default.drain));
    assert_eq!((stated.refusals_bytes, stated.grace), (default.refusals_bytes, default.grace));
    assert_eq!(stated.operate.listen, default.operate.listen);
    assert_eq!(stated.storage.to_string(), default.storage.to_string());
    let Kind::Bof(settings) = &stated.sources[1].kind else { panic!("{:?}", stated.sources[1]) };
    assert_eq!((&**settings, stated.sources[1].limits), (&bof::Settings::default(), Limits::streamed()));
}

#[test]
fn every_mistake_is_told_at_once_with_line_and_key() {
    let text = "[collect]\nlisten = 7\nlisen = \"x\"\n\n[spool]\nmax_bytes = \"lots\"\n\n[[source]]\nname = \"A b\"\nkind = \"sgment\"\n\n[[source]]\nname = \"b\"\nkind = \"segment\"\npreset = \"edX\"\nsecrets = [{ id = \"k\", env = \"NOT_SET\" }]\nlimits = { depth = 0 }\n";
    let mistakes = read_text(text, &[]).unwrap_err();
    let starts = [
        "t.toml:2: collect.listen: ",
        "t.toml:3: collect.lisen: unknown key; known here are ",
        "t.toml:6: spool.max_bytes: must be a size",
        "t.toml:9: source.A b.name: ",
        "t.toml:10: source.A b.kind: must be one of segment, bof",
        "t.toml:15: source.b.preset: must be one of edx, segment",
        "t.toml:16: secrets.k.env: the environment has no NOT_SET",
        "t.toml:17: source.b.limits.depth: must be a whole number from 1 to 10000",
    ];
    assert_eq!(mistakes.len(), starts.len(), "{mistakes:#?}");
    for (mistake, start) in mistakes.iter().zip(starts) {
        assert!(
            mistake.replace("source.b.secrets", "secrets").starts_with(start),
            "{mistake} should start with {start}"
        );
    }
}

#[test]
fn broken_toml_is_told_with_its_line() {
    let mistakes = read_text("a = 1\nb = [\n", &[]).unwrap_err();
    assert!(mistakes.len() == 1 && mistakes[0].starts_with("t.toml:"), "{mistakes:?}");
}

#[test]
fn every_scalar_may_come_from_the_environment() {
    let text = "[spool]\nmax_bytes = \"1GiB\"\n[[source]]\nname = \"my-source\"\nkind = \"segment\"\n";
    let variables = [
        ("TIDEGATE_SPOOL__MAX_BYTES", "2GiB"),
        ("TIDEGATE_STORAGE__URL", "postgres://user@db.example/events"),
        ("TIDEGATE_STORAGE__BATCH__EVENTS", "100"),
        ("TIDEGATE_SOURCE__MY_SOURCE__PRESET", "edx"),
        ("TIDEGATE_COLLECT__LISTEN", "127.0.0.1:9"),
        ("TIDEGATE_DATA_DIR", "/var/lib/tidegate"),
    ];
    let config = read_text(text, &variables).unwrap();
    assert_eq!((config.spool.max_bytes, config.drain.events), (2 << 30, 100));
    assert_eq!(config.collect.listen.port(), 9);
    assert_eq!(config.spool.directory, Path::new("/var/lib/tidegate/spool"));
    assert!(config.storage.to_string().starts_with("postgres://"));
    assert_eq!(segment(&config.sources[0]).preset, Preset::Edx);

    let mistakes = read_text("", &[("TIDEGATE_SPOOL__MAX_BITES", "1"), ("TIDEGATE_SPOOL__FILE_BYTES", "x")])
        .unwrap_err();
    assert_eq!(mistakes.len(), 2, "{mistakes:?}");
    assert!(
        mistakes.iter().all(|mistake| mistake.starts_with("environment: TIDEGATE_SPOOL__")),
        "{mistakes:?}"
    );
}

#[test]
fn weak_secrets_warn_and_open_what_they_can() {
    let text = "[[source]]\nname = \"s\"\nkind = \"segment\"\nsecrets = [{ id = \"a\", value = \"short\" }, { id = \"b\", value = \"\" }, { id = \"c\", value = \"0123456789abcdef0123456789abcdef\", not_after = \"1969-01-01T00:00:00Z\" }]\n[[source]]\nname = \"t\"\nkind = \"segment\"\n";
    let config = read_text(text, &[]).unwrap();
    for part in [
        "\"a\" of source \"s\" is short",
        "\"b\" of source \"s\" is empty",
        "\"c\" of source \"s\" has expired",
        "source \"t\" has no secret",
        "stands in the settings",
    ] {
        assert!(
            config.warnings.iter().any(|warning| warning.contains(part)),
            "{part}: {:?}",
            config.warnings
        );
    }
    assert!(!format!("{config:?}").contains("short\""), "a secret is printed");
    assert_eq!(config.sources[0].keys.find(b"short", 0), Some(0));
    assert_eq!(config.sources[0].keys.find(b"", 0), None);
}

#[test]
fn a_secret_has_one_origin_and_two_sources_no_common_path() {
    let text = "[[source]]\nname = \"s\"\nkind = \"segment\"\npaths = [\"/hook\", \"relative\", \"/v1/x\"]\nsecrets = [{ id = \"a\", value = \"x\", env = \"Y\" }, { id = \"a\" }]\n[[source]]\nname = \"s\"\nkind = \"segment\"\npaths = [\"/hook\"]\n";
    let mistakes = read_text(text, &[]).unwrap_err();
    for part in [
        "exactly one of env, file and value",
        "two sources have this name",
        "one source only",
        "must be absolute paths",
    ] {
        assert!(mistakes.iter().any(|mistake| mistake.contains(part)), "{part}: {mistakes:#?}");
    }
}

#[test]
fn the_embedded_default_has_a_source_of_each_kind() {
    let directory = tempfile::tempdir().unwrap();
    let data_dir = directory.path().to_str().unwrap();
    let origin = Origin { file: None, environment: environment(&[("TIDEGATE_DATA_DIR", data_dir)]) };
    let secret = |name: &str| std::fs::read(embedded::secret_file(directory.path(), name)).unwrap();
    let config = origin.load(0).unwrap();
    let kinds: Vec<_> =
        config.sources.iter().map(|source| (source.name.as_str(), source.kind.name())).collect();
    assert_eq!(kinds, [("segment", "segment"), ("bof", "bof")]);
    assert_ne!(secret("segment"), secret("bof"));
    for source in &config.sources {
        assert_eq!(source.keys.find(secret(source.name.as_str()).trim_ascii_end(), 0), Some(0));
    }
    let before = secret("bof");
    origin.load(0).unwrap();
    assert_eq!(secret("bof"), before, "made once");
}

#[test]
fn an_empty_allowlist_is_not_an_absent_one() {
    let allowed = |text: &str| {
        let text = format!("[[source]]\nname = \"s\"\nkind = \"segment\"\n{text}");
        let config = read_text(&text, &[]).unwrap();
        segment(&config.sources[0]).allowed_channels.as_ref().map(|list| list.admits("Mobile"))
    };
    assert_eq!(allowed(""), None);
    assert_eq!(allowed("allowed_channels = []"), Some(false));
    assert_eq!(allowed("allowed_channels = [\"MOBILE\"]"), Some(true));
    assert_eq!(allowed("preset = \"edx\""), Some(false));
}

#[test]
fn what_stands_at_the_top_and_is_no_setting_is_a_mistake() {
    for text in
        ["foo = 1", "[sourcez]\na = 1", "[sources.web]\nkind = \"segment\"", "[refusal]\nkeep = \"90d\""]
    {
        let mistakes = read_text(text, &[]).unwrap_err();
        assert!(mistakes.len() == 1 && mistakes[0].contains("unknown key"), "{text}: {mistakes:?}");
    }
}

#[test]
fn what_an_operator_needs_is_read_whatever_else_is_wrong() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("t.toml");
    let origin = |text: &str, variables: &[(&str, &str)]| {
        std::fs::write(&file, text).unwrap();
        Origin { file: Some(file.clone()), environment: environment(variables) }
    };
    let settings = concat!(
        "[operate]\nlisten = \"127.0.0.1:9\"\ntoken = { env = \"T\" }\n",
        "[spool]\nmax_bytes = \"lots\"\ncolour = 1\n[storage]\nurl = \"nonsense\"\n",
        "[[source]]\nname = \"Web\"\nkind = \"segment\"\nsecrets = [{ id = \"k\", file = \"/nowhere/gone\" }]\n",
    );
    let asked = origin(settings, &[("T", "of the operator"), ("TIDEGATE_SPOOL__SIZE", "1")]);
    assert_eq!(asked.load(0).unwrap_err().0.len(), 6);
    let operate = asked.operate().unwrap();
    assert_eq!(operate.token.unwrap().expose(), "of the operator");
    assert_eq!((operate.listen.port(), asked.operate_address().unwrap()), (9, operate.listen));

    let told = |mistakes: Mistakes| mistakes.to_string().replace(&file.display().to_string(), "t.toml");
    let asked = origin(settings, &[]);
    let without_token = told(asked.operate().unwrap_err());
    assert_eq!(without_token, "t.toml:3: operate.token.env: the environment has no T");
    assert!(asked.operate_address().is_ok(), "the address can be had without the token");
    let asked = origin("[operate]\nlisten = \"here\"\n", &[]);
    for mistakes in [asked.operate().map(drop).unwrap_err(), asked.operate_address().map(drop).unwrap_err()] {
        assert!(told(mistakes).starts_with("t.toml:2: operate.listen: must be an address"));
    }
    let broken = told(origin("[operate]\nlisten = [\n", &[]).operate_address().unwrap_err());
    assert!(broken.starts_with("t.toml:"), "{broken}");
}

#[test]
fn asking_makes_nothing_where_no_server_was() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("data");
    let asked =
        Origin { file: None, environment: environment(&[("TIDEGATE_DATA_DIR", data.to_str().unwrap())]) };
    assert!(asked.operate().unwrap().token.is_none());
    assert_eq!(asked.operate_address().unwrap().port(), 8081);
    assert!(!data.exists());
    asked.load(0).unwrap().ensure_operator_token().unwrap();
    let operate = asked.operate().unwrap();
    assert_eq!(operate.token.unwrap().expose().len(), 64);
    assert_eq!(operate.token_file, Some(data.join("secrets/operator")));
}
