//! Limits of the ingress for bodies, headers, connections and memory.

use std::time::Duration;

/// Limits of the ingress. A request over a limit gets an error response at once.
///
/// With the defaults the ingress takes at most about 210 MB for every kind of traffic: 64 MiB for
/// large bodies, 16 MiB for large headers, and for each of 1,024 connections 64 KiB for a small
/// body, 16 KiB for headers and a read buffer of up to 32 KiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IngressLimits {
    /// The largest body in bytes. A larger one gets 413. Default 1 MiB.
    pub body_bytes: usize,
    /// The largest request line with headers in bytes, with at most 100 headers. A larger one gets
    /// 431. Default 32 KiB.
    pub header_bytes: usize,
    /// The longest time from the connection, or from a request's first byte, to the end of its
    /// headers. After it the connection is closed. Default 5 s.
    pub header_time: Duration,
    /// The longest time from the end of the headers to the end of the body. After it the request
    /// gets 408. Default 10 s.
    pub body_time: Duration,
    /// The lowest rate of a body in bytes per second. A sender that is 5 s behind gets 408. Default
    /// 1 KiB.
    pub body_rate: usize,
    /// The longest time from a response to the next request on the same connection. Proxies usually
    /// close idle connections earlier, so no proxy sends into a connection that is being closed.
    /// Default 75 s.
    pub idle_time: Duration,
    /// The maximum number of connections. For one more, the connection with the least progress is
    /// closed, usually the one that has been idle longest. If all have requests that wait for the
    /// database, the new one gets 503. Default 1,024.
    pub connections: usize,
    /// Memory in bytes for all bodies over 64 KiB that are not stored yet. If a body does not fit,
    /// the unfinished one with the least progress gets 503, or the new one if there is none.
    /// Default 64 MiB. Bodies up to 64 KiB have their own memory for each connection.
    pub bodies_in_flight: usize,
    /// Approximate memory in bytes for the headers of requests in flight whose headers take more
    /// than 16 KiB each. Past it a request gets 503. Default 16 MiB. Smaller headers have their own
    /// memory.
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
