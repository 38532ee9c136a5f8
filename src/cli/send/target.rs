//! Where deliveries go, and what opens the door.

use std::path::PathBuf;

use form_urlencoded::Serializer;
use hyper::Uri;

use super::{Kind, Send};
use crate::{
    cli::{
        client::{AskError, http, reachable, read_secret},
        settings,
    },
    clock::Clock,
    secret::Secret,
    sources,
};

/// The variable that holds a key; not an option, because everybody on a machine can read a command line.
const KEY_VARIABLE: &str = "TIDEGATE_KEY";

/// Where deliveries go. The address holds the key, so it is never shown.
pub(super) struct Target {
    pub(super) uri: Uri,
    /// The same without the key.
    pub(super) shown: String,
    pub(super) kind: Kind,
    pub(super) signing_secret: Option<Secret>,
}

impl Target {
    pub(super) fn find(send: &Send, config: Option<PathBuf>) -> Result<Self, AskError> {
        let named_key = match &send.key_file {
            Some(path) => Some(read_secret(path)?),
            None => std::env::var(KEY_VARIABLE).ok().filter(|key| !key.is_empty()).map(Secret::new),
        };
        let named_signing_secret = send.signing_secret_file.as_deref().map(read_secret).transpose()?;
        if let (Some(url), Some(kind)) = (&send.url, send.kind) {
            // The secrets of the settings belong to the settings' own sources.
            let key = named_key.ok_or_else(|| {
                AskError::BadInput("--url needs a key: --key-file, or the variable TIDEGATE_KEY".into())
            })?;
            return Self::new(url, kind, &key, named_signing_secret);
        }
        let name = send.source.as_deref().unwrap_or_default();
        let origin = settings::origin(config)?;
        let now = Clock::default().now();
        let config = origin.load(now).map_err(AskError::Settings)?;
        let Some(source) = config.sources.iter().find(|source| source.name.as_str() == name) else {
            return Err(AskError::BadInput(format!("the settings have no source {name:?}")));
        };
        let kind = match source.kind {
            sources::Kind::Segment(_) => Kind::Segment,
            sources::Kind::Bof(_) => Kind::Bof,
        };
        let credentials = origin.credentials(name, now).map_err(AskError::Settings)?;
        let (key, signing_secret) = match credentials {
            Some(credentials) => (Some(credentials.key), credentials.signing_secret),
            None => (None, None),
        };
        let key = named_key.or(key).ok_or_else(|| {
            AskError::BadInput(format!(
                "the source {name:?} has no secret that opens it: name one with --key-file"
            ))
        })?;
        let collect = reachable(config.collect.listen);
        let url = format!("http://{collect}/v1/{}/{name}", source.kind.name());
        Self::new(&url, kind, &key, named_signing_secret.or(signing_secret))
    }

    fn new(url: &str, kind: Kind, key: &Secret, signing_secret: Option<Secret>) -> Result<Self, AskError> {
        let not_an_address = || AskError::Address(url.to_owned());
        http::address(url).ok_or_else(not_an_address)?;
        let key = Serializer::new(String::new()).append_pair("key", key.expose()).finish();
        let uri = format!("{url}?{key}").parse().map_err(|_| not_an_address())?;
        Ok(Self { uri, shown: url.to_owned(), kind, signing_secret })
    }
}
