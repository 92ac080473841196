//! IngressLimits of the quarantine, and the answer to a request whose signature is wrong.

/// What a source's quarantine may take: once for requests that are answered 200, which stay, and once for those that
/// are answered 401, where each reason has its share, so that requests of one reason cost no other its evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct QuarantineLimits {
    /// Rows per source. Default 1,000.
    pub rows: u32,
    /// Bytes of bodies per source. Default 16 MiB.
    pub bytes: u64,
    /// Requests kept a second, per source: of those answered 200, of which half of `rows` may come at once, and of each
    /// reason of those answered 401. Default 10.
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

/// What a signature of the right form gets that no live secret made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum OnInvalidSignature {
    /// 401 at once; the evidence is best effort.
    #[default]
    Reject,
    /// 200 once the request is kept for an operator to decide, for senders whose reaction to a 401 costs money.
    Quarantine,
}
