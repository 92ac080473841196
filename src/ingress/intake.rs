//! What the HTTP side asks of the store side.

use crate::domain::{Receipt, SourceName};
use crate::sources::VerifiedRequest;
use std::future::Future;

/// Why a request could not be stored. Each is our own trouble: 503 with Retry-After.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Refusal {
    /// As many requests wait for the database as may.
    #[error("too many requests are waiting for the database")]
    Busy,
    /// The database cannot be reached, or did not answer in time. It may have committed: a repeat is then a duplicate.
    #[error("the database cannot be reached")]
    Unavailable,
    /// Another transaction holds this request's key.
    #[error("another transaction holds this event's key")]
    KeyHeld,
    /// The database refuses this one request's data.
    #[error("the database refuses this request's data")]
    Refused,
}

/// Where verified requests go.
pub trait Intake: Clone + Send + Sync + 'static {
    /// Stores the request and answers only after the commit.
    fn submit(
        &self,
        source: SourceName,
        request: VerifiedRequest,
    ) -> impl Future<Output = Result<Receipt, Refusal>> + Send;
}
