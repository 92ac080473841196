//! Limits of the quarantine, and the response to an invalid signature.

/// Limits of a source's quarantine. They apply once to requests that got 200, which stay, and once
/// to requests that got 401. Of the latter each reason has its share, so that many requests of one
/// reason do not displace the evidence of another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuarantineLimits {
    /// The maximum number of rows per source. Default 1,000.
    pub rows: u32,
    /// The maximum size of bodies per source, in bytes. Default 16 MiB.
    pub bytes: u64,
    /// The maximum number of requests kept per second and source: of those that got 200, of which
    /// half of `rows` may be kept at once, and of each reason of those that got 401. Default 10.
    pub per_second: u32,
}

impl Default for QuarantineLimits {
    fn default() -> Self {
        Self {
            rows: 1000,
            bytes: 16 * 1024 * 1024,
            per_second: 10,
        }
    }
}

/// The response to a signature of the right form that no current secret made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnInvalidSignature {
    /// 401 at once. Keeping the request for diagnosis is best effort.
    #[default]
    Reject,
    /// 200 after the request is kept for an operator to decide. For senders whose reaction to a 401
    /// costs money.
    Quarantine,
}
