//! Requests that failed verification, and the interface that stores them as evidence.

use super::{Refusal, Source};
use crate::domain::{SourceName, StorableText};
use crate::sources::{LONGEST_TOPIC, Rejection};
use axum::http::{HeaderMap, HeaderName};
use bytes::Bytes;
use std::{fmt, future::Future};

/// A request that failed verification, as it was received.
#[derive(Clone)]
pub struct RejectedRequest {
    /// The source it was sent to.
    pub source: SourceName,
    /// Why it was not verified.
    pub reason: Rejection,
    /// The last part of the URL.
    pub topic: Option<StorableText>,
    /// The headers that hold the signature, and those that it covers.
    pub signature_headers: Vec<HeaderName>,
    /// All headers. They share one buffer of up to 32 KiB, which lives as long as any of them.
    pub headers: HeaderMap,
    /// The body. It counts as a body in flight as long as a copy of it lives. A queue for these
    /// requests must be small, or unverified requests use up the memory that verified ones need.
    pub body: Bytes,
}

impl RejectedRequest {
    pub(super) fn new(
        source: &Source,
        reason: Rejection,
        topic: Option<&str>,
        headers: HeaderMap,
        body: Bytes,
    ) -> Self {
        Self {
            source: source.name().clone(),
            reason,
            topic: topic.map(|t| StorableText::new(t, LONGEST_TOPIC)),
            signature_headers: source.kind().signature_headers(),
            headers,
            body,
        }
    }
}

impl fmt::Debug for RejectedRequest {
    /// Omits headers and body, which may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RejectedRequest")
            .field("source", &self.source)
            .field("reason", &self.reason)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Stores requests that failed verification. Verified requests never wait for it.
pub trait Evidence: Clone + Send + Sync + 'static {
    /// Offers a request that is answered 401 at once. It never blocks, and drops a request for
    /// which there is no room.
    fn offer(&self, request: RejectedRequest);

    /// Stores a request and returns only after the commit. A request stored this way is never
    /// dropped later.
    ///
    /// # Errors
    /// [`Refusal`] if it could not be stored: the sender gets 503 and repeats the request.
    fn keep(&self, request: RejectedRequest) -> impl Future<Output = Result<(), Refusal>> + Send;
}
