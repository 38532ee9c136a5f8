//! What would become of a body, rule by rule. Nothing is appended, counted or remembered.

use bytes::Bytes;

use super::{
    accept::{Directory, Ingest},
    answer::Trouble,
    judging::{Exceeded, Judged, Judging},
    registry::{Door, needs_directory},
};
use crate::{
    clock::UnixMicros,
    sources::{bof::metadata::Metadata, witness::Transcript},
};

/// More elements are not explained at once.
pub const EXPLAINED_ELEMENTS_MAX: usize = 100;

/// More bytes after decoding are not explained at once, whatever the source may send: the explanation of each event
/// repeats it.
pub const EXPLAINED_BYTES_MAX: usize = 1 << 20;

/// A body as a sender would send it.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Host of the request that it would come with, without port.
    pub host: String,
    /// Content-Encoding; a source that finds its compression out takes no notice of it.
    pub content_encoding: Option<Vec<u8>>,
    /// What its headers say of its records.
    pub metadata: Metadata,
    /// When it would arrive.
    pub received_at: UnixMicros,
    /// The bytes.
    pub body: Bytes,
}

/// Why a body is not explained.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// Over a limit; the word names it.
    #[error("over {0}")]
    TooLarge(&'static str),
    /// Our own trouble.
    #[error(transparent)]
    Unavailable(#[from] Trouble),
}

impl Ingest {
    /// Judges a body before a witness, without its key and signature, which are the sender's. Keeps a thread busy.
    ///
    /// # Errors
    /// When it is too large, or users cannot be looked up yet.
    pub fn explain(&self, door: &Door, sample: &Sample) -> Result<Vec<Judged<Transcript>>, ExplainError> {
        if needs_directory(&door.source) && !self.users().is_loaded() {
            return Err(Trouble::DirectoryNotLoaded.into());
        }
        let path = door.source.own_path();
        let judging = Judging {
            source: &door.source,
            users: &Directory(self.users()),
            path: &path,
            host: &sample.host,
            data_center: None,
            metadata: &sample.metadata,
            received_at: sample.received_at,
            elements_max: EXPLAINED_ELEMENTS_MAX,
            decoded_bytes_max: EXPLAINED_BYTES_MAX,
        };
        let explained = judging.body(sample.content_encoding.as_deref(), &sample.body);
        explained.map_err(|Exceeded(limit)| ExplainError::TooLarge(limit))
    }
}
