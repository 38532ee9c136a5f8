//! Undoing Content-Encoding within the memory that bodies may take.
//!
//! Nobody knows what a body decodes to before it is decoded, and the sender's word counts for nothing. So memory for the
//! usual ratio is set aside first; the rare body that needs more is decoded again with its whole limit set aside.

use axum::http::{HeaderValue, header::CONTENT_ENCODING, request::Parts};
use bytes::Bytes;

use super::body::{BodyError, Reservation};
use crate::{
    codec::{self, DecodeError, Encoding, Limits},
    ingest::body::{Content, DeliveryBody},
};

/// What JSON usually shrinks by, with room to spare.
const USUAL_RATIO: usize = 8;
const USUAL_BYTES_MIN: usize = 64 << 10;

/// What may decode to more than this is decoded off the runtime's workers.
const INLINE_BYTES_MAX: usize = 128 << 10;

/// Why a body was not decoded, where that is nothing a refusal could keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undecoded {
    /// Larger than the limit.
    TooLarge,
    /// Other bodies hold the memory.
    Memory,
}

/// The body with what it decodes to. Afterwards `memory` holds what both take.
///
/// # Errors
/// When the body decodes to more than `decoded_max`, or memory for it is not to be had.
pub async fn decode(
    head: &Parts,
    wire: Bytes,
    decoded_max: usize,
    memory: &mut Reservation,
) -> Result<DeliveryBody, Undecoded> {
    let Ok(encoding) = Encoding::from_header(joined(head).as_deref()) else {
        return Ok(DeliveryBody { wire, content: Content::Unsupported });
    };
    if encoding == Encoding::Identity {
        if wire.len() > decoded_max {
            return Err(Undecoded::TooLarge);
        }
        return Ok(DeliveryBody { content: Content::Decoded(encoding, wire.clone()), wire });
    }
    let whole = decoded_max.min(memory.budget_bytes().saturating_sub(wire.len()));
    let usual = wire.len().saturating_mul(USUAL_RATIO).max(USUAL_BYTES_MIN).min(whole);
    let mut decoded = decode_reserved(encoding, &wire, usual, memory).await?;
    if usual < whole && matches!(decoded, Err(DecodeError::TooLarge { .. })) {
        decoded = decode_reserved(encoding, &wire, whole, memory).await?;
    }
    let content = match decoded {
        Ok(bytes) => Content::Decoded(encoding, bytes),
        Err(DecodeError::TooLarge { .. }) => return Err(Undecoded::TooLarge),
        Err(_) => Content::Corrupt(encoding),
    };
    let taken = wire.len() + if let Content::Decoded(_, bytes) = &content { bytes.len() } else { 0 };
    memory.shrink_to(taken);
    Ok(DeliveryBody { wire, content })
}

async fn decode_reserved(
    encoding: Encoding,
    wire: &Bytes,
    decoded_bytes: usize,
    memory: &mut Reservation,
) -> Result<Result<Bytes, DecodeError>, Undecoded> {
    let reserved = memory.grow_to(wire.len() + decoded_bytes).await;
    reserved.map_err(|_: BodyError| Undecoded::Memory)?;
    let (wire, limits) = (wire.clone(), Limits { decoded_bytes });
    if decoded_bytes <= INLINE_BYTES_MAX {
        return Ok(codec::decode(encoding, wire, limits));
    }
    match tokio::task::spawn_blocking(move || codec::decode(encoding, wire, limits)).await {
        Ok(decoded) => Ok(decoded),
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// Several lines of one header are one list.
fn joined(head: &Parts) -> Option<Vec<u8>> {
    let values: Vec<&[u8]> =
        head.headers.get_all(CONTENT_ENCODING).iter().map(HeaderValue::as_bytes).collect();
    (!values.is_empty()).then(|| values.join(&b","[..]))
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use axum::http::Request;
    use flate2::{Compression, write::GzEncoder};

    use super::*;
    use crate::http::body::MemoryBudget;

    const MIB: usize = 1 << 20;

    fn gzip(plain: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(plain).unwrap();
        encoder.finish().unwrap().into()
    }

    async fn decoded(
        wire: &Bytes,
        decoded_max: usize,
        budget: &MemoryBudget,
    ) -> Result<(usize, usize), Undecoded> {
        let (head, ()) = Request::post("/").header("content-encoding", "gzip").body(()).unwrap().into_parts();
        let mut memory = budget.reserve(wire.len()).await.unwrap();
        let body = decode(&head, wire.clone(), decoded_max, &mut memory).await?;
        let Content::Decoded(Encoding::Gzip, bytes) = body.content else { panic!("{:?}", body.content) };
        Ok((bytes.len(), memory.bytes()))
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_held_for_what_a_body_takes_and_no_longer() {
        let budget = MemoryBudget::new(8 * MIB);
        for plain_bytes in [1000, 3 * MIB] {
            let wire = gzip(&vec![b'x'; plain_bytes]);
            assert_eq!(decoded(&wire, 4 * MIB, &budget).await, Ok((plain_bytes, plain_bytes + wire.len())));
            assert_eq!(budget.used(), 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_bomb_stops_at_the_limit_and_waits_for_memory_like_everybody() {
        let wire = gzip(&vec![0; 3 * MIB]);
        let budget = MemoryBudget::new(8 * MIB);
        assert_eq!(decoded(&wire, 3 * MIB - 1, &budget).await, Err(Undecoded::TooLarge));
        assert_eq!(decoded(&wire, 3 * MIB, &budget).await.map(|(bytes, _)| bytes), Ok(3 * MIB));
        let others = budget.reserve(6 * MIB).await.unwrap();
        assert_eq!(decoded(&wire, 3 * MIB, &budget).await, Err(Undecoded::Memory));
        drop(others);
        assert_eq!(decoded(&wire, usize::MAX, &MemoryBudget::new(2 * MIB)).await, Err(Undecoded::TooLarge));
    }
}
