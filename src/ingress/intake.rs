//! The interface between the HTTP side of the ingress and its storage.

use crate::domain::{Receipt, SourceName};
use crate::sources::VerifiedRequest;
use std::future::Future;

/// Why a request could not be stored. Each reason is a failure on Hookfast's side: 503 with
/// Retry-After.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// The queue of requests that wait for the database is full.
    #[error("too many requests are waiting for the database")]
    Busy,
    /// The database cannot be reached, or did not respond in time. The request may be committed;
    /// then a repeat is a duplicate.
    #[error("the database cannot be reached")]
    Unavailable,
    /// Another transaction holds the idempotency key of this request.
    #[error("another transaction holds this event's key")]
    KeyHeld,
    /// The database rejects the data of this one request.
    #[error("the database refuses this request's data")]
    InvalidData,
}

/// Stores verified requests.
pub trait Intake: Clone + Send + Sync + 'static {
    /// Stores the request and returns only after the commit.
    fn submit(
        &self,
        source: SourceName,
        request: VerifiedRequest,
    ) -> impl Future<Output = Result<Receipt, Refusal>> + Send;
}
