//! What micro-benchmarks measure of the server, which is private otherwise.

use super::{Settings, head};

/// Finds the end of a head and judges it; answers whether hyper would see it.
pub fn passes(bytes: &[u8], settings: &Settings) -> bool {
    let head = head::end(bytes, 0).and_then(|end| bytes.get(..end));
    head.is_some_and(|head| head::judge(head, settings).is_ok())
}
