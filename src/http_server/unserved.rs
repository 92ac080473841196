//! Requests and connections that end without reaching a handler.

/// How a request or a connection ended without an answer by a handler.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unserved {
    /// Every connection has a request that is being handled. A new one got 503.
    NoConnectionFree,
    /// An idle connection was closed for a new one.
    IdleEvicted,
    /// A connection was closed for another one while its request was still being received. It got
    /// 503, unless too many are being closed. If its handler could answer, it is counted there.
    RequestEvicted,
    /// The headers were not complete in time. The connection was closed.
    HeadTooSlow,
    /// More headers than are allowed: 431.
    TooManyHeaders,
    /// The request's line and headers have too many bytes: 431.
    HeadTooLarge,
    /// The address alone is too long: 414.
    AddressTooLong,
    /// Not HTTP/1, or malformed: 400.
    Malformed,
}

/// The longest address that hyper accepts.
const LONGEST_ADDRESS: usize = u16::MAX as usize - 1;

impl Unserved {
    /// The name in rollups and in metrics.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::NoConnectionFree => "no_connection",
            Self::IdleEvicted => "idle_evicted",
            Self::RequestEvicted => "evicted",
            Self::HeadTooSlow => "headers_too_slow",
            Self::TooManyHeaders => "too_many_headers",
            Self::HeadTooLarge => "headers_too_large",
            Self::AddressTooLong => "address_too_long",
            Self::Malformed => "malformed",
        }
    }

    /// Classifies what hyper rejected by itself while it read a head. `unread` contains the bytes
    /// that hyper had of it.
    pub(super) fn by_hyper(
        error: &hyper::Error,
        unread: &[u8],
        header_bytes: usize,
    ) -> Option<Self> {
        if !error.is_parse() {
            return None;
        }
        if !error.is_parse_too_large() {
            return Some(Self::Malformed);
        }
        let line = unread
            .iter()
            .position(|byte| *byte == b'\n')
            .unwrap_or(unread.len());
        let end = unread
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .map_or(unread.len(), |at| at + 4);
        Some(if line > LONGEST_ADDRESS {
            Self::AddressTooLong
        } else if end >= header_bytes {
            Self::HeadTooLarge
        } else {
            Self::TooManyHeaders
        })
    }
}
