//! What every element of a delivery has in common.

use bytes::Bytes;

use super::{Settings, UserNames};
use crate::clock::UnixMicros;

/// Everything about a delivery that its events are made of.
pub struct Arrival<'d> {
    /// How the source reads events.
    pub settings: &'d Settings,
    /// The source's name.
    pub source: &'d str,
    /// Path of the request.
    pub path: &'d str,
    /// Host of the request, without port.
    pub host: &'d str,
    /// When it arrived.
    pub received_at: UnixMicros,
    /// Nesting of one event.
    pub depth_max: usize,
    /// Who knows the users.
    pub users: &'d dyn UserNames,
    /// The decoded body, which events share instead of copying it.
    pub body: &'d Bytes,
}
