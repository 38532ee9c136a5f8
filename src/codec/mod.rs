//! Content-Encoding: turns the bytes of the wire into the bytes that were meant, whole or not at all.
//!
//! Every format keeps the same promises. *Everything*: all members of gzip and all frames of zstd are decoded, and
//! what follows the last one is an error, so that a prefix never passes for the whole. *Checked*: a stream must reach
//! its own end, and its checksum must hold. *Bounded*: the output grows as it is filled and stops one byte past the
//! limit; no length that the sender claims is ever allocated. A body decodes into one buffer here; what is too large
//! to be held at once is decoded by [`stream`] and taken apart by [`records`].

mod deflate;
mod gzip;
mod output;
pub mod records;
pub mod stream;
mod zstd;

#[cfg(test)]
mod pieces;
#[cfg(test)]
mod tests;

use bytes::Bytes;

use output::Output;

/// The encodings that are understood, as an `Accept-Encoding` header names them.
pub const ACCEPTED: &str = "gzip, deflate, zstd";

/// How a body is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Not at all.
    Identity,
    /// RFC 1952, any number of members.
    Gzip,
    /// RFC 1950 or, as many senders understand the word, RFC 1951 without a wrapper.
    Deflate,
    /// RFC 8878, any number of frames.
    Zstd,
}

/// The body is encoded in a way that is not understood, or more than once.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("unsupported content encoding")]
pub struct UnsupportedEncoding;

impl Encoding {
    /// Reads the value of a Content-Encoding header. A list of two encodings is unsupported, even of the same one.
    pub fn from_header(value: Option<&[u8]>) -> Result<Self, UnsupportedEncoding> {
        let value = value.unwrap_or_default().trim_ascii();
        let is = |name: &str| value.eq_ignore_ascii_case(name.as_bytes());
        if value.is_empty() || is("identity") {
            Ok(Self::Identity)
        } else if is("gzip") || is("x-gzip") {
            Ok(Self::Gzip)
        } else if is("deflate") {
            Ok(Self::Deflate)
        } else if is("zstd") {
            Ok(Self::Zstd)
        } else {
            Err(UnsupportedEncoding)
        }
    }

    /// The encoding's registered name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Gzip => "gzip",
            Self::Deflate => "deflate",
            Self::Zstd => "zstd",
        }
    }
}

/// How much a body may decode to.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// The most bytes after decoding; exactly this many still pass.
    pub decoded_bytes: usize,
}

/// Why a body was not decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// It decodes to more than the limit.
    #[error("the decoded body is larger than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: usize,
    },
    /// It is not of this format, or its checksum does not hold.
    #[error("the body is not valid {0}")]
    Corrupt(&'static str),
    /// It ends before its format does.
    #[error("the encoded body is incomplete")]
    Truncated,
    /// Something follows the end of its format, be it zeros.
    #[error("the encoded body is followed by other bytes")]
    TrailingData,
}

/// Decodes a whole body. One that is not encoded is returned as it is, if the limit allows.
pub fn decode(encoding: Encoding, body: Bytes, limits: Limits) -> Result<Bytes, DecodeError> {
    let limit = limits.decoded_bytes;
    if encoding == Encoding::Identity {
        return if body.len() > limit { Err(DecodeError::TooLarge { limit }) } else { Ok(body) };
    }
    let mut output = Output::new(body.len(), limit);
    match encoding {
        Encoding::Identity => {}
        Encoding::Gzip => gzip::decode(&body, &mut output)?,
        Encoding::Deflate => deflate::decode(&body, &mut output)?,
        Encoding::Zstd => zstd::decode(&body, &mut output)?,
    }
    output.finish()
}
