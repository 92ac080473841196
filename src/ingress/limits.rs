//! Derives the limits for connections and memory from the configured limits.

use super::memory::MemoryBudget;
use crate::domain::IngressLimits;
use crate::http_server::ConnectionLimits;
use axum::http::HeaderMap;
use std::sync::Arc;

/// Bodies up to this size use the memory reserved for small bodies.
pub(super) const SMALL_BODY: usize = 64 * 1024;

/// Headers that take up to this much memory use the memory reserved for small ones. It is four
/// times what a usual request takes.
const SMALL_HEADERS: usize = 16 * 1024;

/// The small bodies that may be in memory in addition to one for each connection: those queued as
/// evidence.
const WITHOUT_CONNECTION: usize = 64;

impl IngressLimits {
    pub(super) fn of_connections(&self) -> ConnectionLimits {
        ConnectionLimits {
            connections: self.connections,
            header_bytes: self.header_bytes,
            header_time: self.header_time,
            idle_time: self.idle_time,
        }
    }

    pub(super) fn memory_for_bodies(&self) -> Arc<MemoryBudget> {
        let count = self.connections.saturating_add(WITHOUT_CONNECTION);
        MemoryBudget::new(SMALL_BODY, count, self.bodies_in_flight)
    }

    pub(super) fn memory_for_headers(&self) -> Arc<MemoryBudget> {
        MemoryBudget::new(SMALL_HEADERS, self.connections, self.headers_in_flight)
    }
}

/// The memory of a header in the map's index, in addition to its text.
const INDEX_OF_HEADER: usize = 128;

/// The approximate memory of these headers, in bytes. Their text is in a buffer that was doubled as
/// it was received. It is counted because a thousand connections with slow bodies could each hold
/// 30 KiB of headers.
pub(super) fn memory_of(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| (name.as_str().len() + value.len()) * 2 + INDEX_OF_HEADER)
        .sum()
}
