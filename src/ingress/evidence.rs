//! Where requests go that failed verification.

use super::{Refusal, Source};
use crate::domain::{SourceName, StorableText};
use crate::sources::{LONGEST_TOPIC, Rejection};
use axum::http::{HeaderMap, HeaderName};
use bytes::Bytes;
use std::{fmt, future::Future};

/// A request that failed verification, as it came.
#[derive(Clone)]
pub struct RejectedRequest {
    /// The source it was sent to.
    pub source: SourceName,
    /// Why it was not verified.
    pub reason: Rejection,
    /// The last part of the URL.
    pub topic: Option<StorableText>,
    /// The headers its signature is in, and those it covers.
    pub signature_headers: Vec<HeaderName>,
    /// Its headers. They share one buffer of up to 32 KiB, which lives as long as any of them.
    pub headers: HeaderMap,
    /// Its body. As long as a copy of it lives, it counts as a body in flight: whoever queues it keeps its own
    /// queue small, or strangers fill what verified requests need.
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
    /// Without headers and body: they may hold secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RejectedRequest")
            .field("source", &self.source)
            .field("reason", &self.reason)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// Where rejected requests go. Verified requests never wait for it.
pub trait Evidence: Clone + Send + Sync + 'static {
    /// Takes a request whose 401 goes out at once. Never blocks; what does not fit is dropped.
    fn offer(&self, request: RejectedRequest);

    /// Keeps a request and answers only after the commit. Nothing that is kept so is dropped later.
    ///
    /// # Errors
    /// [`Refusal`] where it could not be kept: the sender gets a 503 and repeats it.
    fn keep(&self, request: RejectedRequest) -> impl Future<Output = Result<(), Refusal>> + Send;
}
