//! IngressLimits of the ingress: bodies, headers, connections and memory.

use std::time::Duration;

/// What the ingress takes at most. Past a limit the answer is a clear problem, at once.
///
/// With the defaults the ingress takes some 210 MB at most, whatever is sent to it: 64 MiB of large bodies, and for
/// each of 1,024 connections 64 KiB of a small body, 16 KiB of headers and a read buffer of up to 32 KiB; with 16 MiB
/// for larger headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IngressLimits {
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

impl Default for IngressLimits {
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
