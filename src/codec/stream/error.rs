//! Why a stream of plain bytes ended before its time.

use std::io::{self, ErrorKind};

/// What is wrong with a compressed stream. It travels inside an [`io::Error`], because that is what reading gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// It decodes to more than the limit.
    #[error("the delivery decodes to more than {limit} bytes")]
    TooLarge {
        /// The limit.
        limit: u64,
    },
    /// It expands more than anything useful does.
    #[error("the delivery decodes to more than {limit} times its size")]
    Ratio {
        /// The limit.
        limit: u64,
    },
    /// One of its blocks claims to decode to more than may be held at once.
    #[error("a block of the delivery decodes to more than {limit} bytes")]
    BlockTooLarge {
        /// The limit.
        limit: u32,
    },
    /// It is not of the format that it begins as. Of gzip and zstd this includes a checksum that does not hold.
    #[error("the delivery is not valid {0}")]
    Corrupt(&'static str),
    /// One of its checksums does not hold.
    #[error("a checksum of the delivery's {0} does not hold")]
    Checksum(&'static str),
    /// It ends before its format does.
    #[error("the compressed delivery is incomplete")]
    Truncated,
    /// Something follows the end of its format.
    #[error("the compressed delivery is followed by other bytes")]
    TrailingData,
    /// It uses a part of its format that is not supported.
    #[error("the delivery is compressed with an unsupported {0}")]
    Unsupported(&'static str),
}

impl StreamError {
    /// The stream's own error inside an error of reading; none if it was the input that failed.
    pub fn of(error: &io::Error) -> Option<Self> {
        error.get_ref()?.downcast_ref::<Self>().copied()
    }
}

impl From<StreamError> for io::Error {
    fn from(error: StreamError) -> Self {
        Self::new(ErrorKind::InvalidData, error)
    }
}
