//! What the HTTP side asks of the store side.

use crate::domain::{EventId, SourceName};
use crate::sources::VerifiedRequest;
use std::future::Future;

/// What became of a verified request. All three are answered 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// A new event.
    Stored,
    /// The same event again.
    Duplicate,
    /// The same key with other content: an event of its own.
    Conflict,
}

impl Verdict {
    /// The word in the answer, in rollups and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
        }
    }
}

/// The proof that a request is committed: it exists only after the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What became of it.
    pub verdict: Verdict,
    /// Its event; of a duplicate, the first one's.
    pub event_id: EventId,
}

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
