//! The two checksums that lzop knows.

use zlib_rs::{adler32::adler32, crc32::crc32};

/// A checksum of bytes that arrive piece by piece.
#[derive(Clone, Copy)]
pub(super) enum Checksum {
    Adler32(u32),
    Crc32(u32),
}

impl Checksum {
    /// The Adler-32 of nothing.
    pub(super) const ADLER32: Self = Self::Adler32(1);
    /// The CRC-32 of nothing.
    pub(super) const CRC32: Self = Self::Crc32(0);

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Adler32(sum) => *sum = adler32(*sum, bytes),
            Self::Crc32(sum) => *sum = crc32(*sum, bytes),
        }
    }

    pub(super) fn value(self) -> u32 {
        match self {
            Self::Adler32(sum) | Self::Crc32(sum) => sum,
        }
    }
}

/// The checksums of some bytes that a block names.
#[derive(Clone, Copy, Default)]
pub(super) struct Named {
    pub(super) adler32: Option<u32>,
    pub(super) crc32: Option<u32>,
}

impl Named {
    /// Whether all that are named hold.
    pub(super) fn hold(self, bytes: &[u8]) -> bool {
        let holds = |named: Option<u32>, mut checksum: Checksum| {
            named.is_none_or(|named| {
                checksum.update(bytes);
                checksum.value() == named
            })
        };
        holds(self.adler32, Checksum::ADLER32) && holds(self.crc32, Checksum::CRC32)
    }
}
