//! What senders may cost.

use super::memory::MemoryBudget;
use crate::http::ConnectionLimits;
use axum::http::HeaderMap;
use std::{sync::Arc, time::Duration};

/// Bodies up to this size have memory of their own.
pub(super) const SMALL_BODY: usize = 64 * 1024;

/// Headers that take up to this much memory have memory of their own: four times what a usual request takes.
const SMALL_HEADERS: usize = 16 * 1024;

/// Small bodies that may be in memory beside one for each connection: those that wait to be kept as evidence.
const WITHOUT_CONNECTION: usize = 64;

/// What the ingress takes at most. Past a limit the answer is a clear problem, at once.
///
/// With the defaults the ingress takes some 210 MB at most, whatever is sent to it: 64 MiB of large bodies, and for
/// each of 1,024 connections 64 KiB of a small body, 16 KiB of headers and a read buffer of up to 32 KiB; with 16 MiB
/// for larger headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of one body; more is 413. Default 1 MiB.
    pub body_bytes: usize,
    /// Bytes of a request's line and headers (and 100 headers); more is 431. Default 32 KiB.
    pub header_bytes: usize,
    /// From the connection, or from a request's first byte, to the end of its headers; then the connection is
    /// closed. Default 5 s.
    pub header_time: Duration,
    /// From the end of the headers to the end of the body; then 408. Default 10 s.
    pub body_time: Duration,
    /// Bytes a second that a body has to be sent at; a sender that is 5 s behind gets 408. Default 1 KiB.
    pub body_rate: usize,
    /// From an answer to the next request on the same connection. Longer than proxies usually keep connections to
    /// us open, so that none sends into one that is being closed. Default 75 s.
    pub idle_time: Duration,
    /// Connections at once. For one more the connection with the least progress is closed: usually the one that has
    /// been idle for longest. If all have requests that wait for the database, the new one gets 503. Default 1,024.
    pub connections: usize,
    /// Bytes of all bodies above 64 KiB in memory, until they are stored. For one more the unfinished one with the
    /// least progress gets 503; if there is none, the new one does. Default 64 MiB. Bodies up to 64 KiB have memory
    /// of their own, one for each connection.
    pub bodies_in_flight: usize,
    /// About as many bytes of memory the headers of all requests in flight may take that take more than 16 KiB each;
    /// past it 503. Default 16 MiB. Smaller headers have memory of their own.
    pub headers_in_flight: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: 1024 * 1024,
            header_bytes: 32 * 1024,
            header_time: Duration::from_secs(5),
            body_time: Duration::from_secs(10),
            body_rate: 1024,
            idle_time: Duration::from_secs(75),
            connections: 1024,
            bodies_in_flight: 64 * 1024 * 1024,
            headers_in_flight: 16 * 1024 * 1024,
        }
    }
}

impl Limits {
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

/// What a header takes beside its text, in the map's index.
const INDEX_OF_HEADER: usize = 128;

/// About how many bytes of memory these headers take: their text lies in a buffer that was doubled as it came. It
/// is counted because a thousand connections could each hold 30 KiB of headers back with a slow body.
pub(super) fn memory_of(headers: &HeaderMap) -> usize {
    headers
        .iter()
        .map(|(name, value)| (name.as_str().len() + value.len()) * 2 + INDEX_OF_HEADER)
        .sum()
}
