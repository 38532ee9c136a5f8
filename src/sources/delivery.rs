//! A delivery on its way in: what arrived, and the proof that its sender knew a secret.
//!
//! Only the key check makes an [`AuthenticDelivery`], and only an authentic delivery is ever parsed:
//!
//! ```compile_fail
//! use tidegate::sources::delivery::{AuthenticDelivery, RawDelivery};
//! fn forge(raw: RawDelivery) -> AuthenticDelivery {
//!     AuthenticDelivery { raw, key_index: 0 }
//! }
//! ```

use std::sync::Arc;

use crate::{clock::UnixMicros, sources::Source};

/// The parameter of the query that carries the secret; its name is case-sensitive.
const KEY_PARAMETER: &str = "key";

/// What a request says before its body is read. Never holds the query.
#[derive(Clone, Debug)]
pub struct RawDelivery {
    /// The source it names.
    pub source: Arc<Source>,
    /// HTTP method.
    pub method: String,
    /// Path, without the query.
    pub path: String,
    /// Host without its port.
    pub host: String,
    /// Content-Type, as sent.
    pub content_type: String,
    /// X-Signature, as sent.
    pub signature: Option<Vec<u8>>,
    /// When the head arrived.
    pub received_at: UnixMicros,
}

/// A delivery whose sender knew a live secret of the source.
#[derive(Clone, Debug)]
pub struct AuthenticDelivery {
    raw: RawDelivery,
    key_index: usize,
}

/// The sender knew no live secret. Says nothing more, on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Unauthorized")]
pub struct Unauthorized;

impl RawDelivery {
    /// The key check. Of several `key` parameters the last one counts; a blank one counts as well.
    ///
    /// # Errors
    /// When no live secret fits.
    pub fn authenticate(self, query: Option<&str>) -> Result<AuthenticDelivery, Unauthorized> {
        let offered = form_urlencoded::parse(query.unwrap_or_default().as_bytes())
            .filter(|(name, _)| name == KEY_PARAMETER)
            .last()
            .map(|(_, value)| value)
            .unwrap_or_default();
        match self.source.keys.find(offered.as_bytes(), self.received_at) {
            Some(key_index) => Ok(AuthenticDelivery { raw: self, key_index }),
            None => Err(Unauthorized),
        }
    }
}

impl AuthenticDelivery {
    /// What the request said.
    pub fn head(&self) -> &RawDelivery {
        &self.raw
    }

    /// The source that its sender was let in to.
    pub fn source(&self) -> &Arc<Source> {
        &self.raw.source
    }

    /// Which of the source's keys opened, by its place in the settings.
    pub fn key_index(&self) -> usize {
        self.key_index
    }
}
