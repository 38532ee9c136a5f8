//! `tidegate secrets new`: a secret, and what to write into the settings to put it in the place of an old one.

use std::process::ExitCode;

use clap::Subcommand;

use super::{
    exit::{Exit, chain, fail, say},
    moment,
};
use crate::{
    clock::{Clock, UnixMicros},
    event::time::format_rfc3339,
    secret::Secret,
};

#[derive(Subcommand)]
pub(super) enum Secrets {
    /// Print a new secret of 256 random bits; how to put it in the place of an old one goes to standard error
    New {
        /// What logs and metrics shall call it; without, the date of today
        #[arg(long, value_parser = id)]
        id: Option<String>,
        /// How long the old secret shall go on working beside it
        #[arg(long, value_name = "TIME", default_value = "7d", value_parser = moment::parse_length)]
        overlap: UnixMicros,
    },
}

/// What can stand in the settings as it is.
fn id(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    if !text.is_empty() && text.bytes().all(plain) {
        Ok(text.to_owned())
    } else {
        Err("must be of letters, digits, _, - and .".into())
    }
}

pub(super) fn run(Secrets::New { id, overlap }: Secrets) -> ExitCode {
    let secret = match Secret::generate() {
        Ok(secret) => secret,
        Err(error) => return fail(Exit::Failed, &chain(&error)),
    };
    let now = Clock::default().now();
    let today: String = format_rfc3339(now).chars().take(10).collect();
    super::exit::tell(&rotation(&id.unwrap_or(today), now.saturating_add(overlap)));
    say(&format!("{}\n", secret.expose()));
    Exit::Done.into()
}

/// The lines for the settings. The secret itself is not among them: it belongs into a file or a variable.
fn rotation(id: &str, end: UnixMicros) -> String {
    let end = format_rfc3339(end - end.rem_euclid(1_000_000)).replace(".000000Z", "Z");
    format!(
        "\
Keep the secret in a file that only the server can read, name it first, and let the old one end:

secrets = [
  {{ id = \"{id}\", file = \"/etc/tidegate/secrets/{id}\" }},
  {{ id = \"OLD\", file = \"…\", not_after = \"{end}\" }},   # the old line, with its end
]

Then: tidegate check, tidegate reload, give the new secret to the sender, and watch its last use with tidegate status.

"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::time::parse_rfc3339;

    #[test]
    fn the_lines_are_settings_and_name_both_secrets() {
        let text = rotation("2026-11", parse_rfc3339("2026-11-29T10:00:00.5Z").unwrap());
        let lines: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("secrets")).take(4).collect();
        let table: toml::Table = lines.join("\n").parse().unwrap();
        assert_eq!(table["secrets"][0]["id"].as_str(), Some("2026-11"));
        assert_eq!(table["secrets"][1]["not_after"].as_str(), Some("2026-11-29T10:00:00Z"));
        for wrong in ["", "a\"b", "a b", "a/b"] {
            assert!(id(wrong).is_err(), "{wrong}");
        }
    }
}
