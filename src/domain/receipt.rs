//! The store's result for a verified request.

use super::EventId;

/// The store's verdict on a verified request. All three get the response 200.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// A new event was stored.
    Stored,
    /// The event was stored before.
    Duplicate,
    /// The key was stored before with other content. The conflict is stored as a new event.
    Conflict,
}

impl Verdict {
    /// The name in the response, in rollups and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stored => "stored",
            Self::Duplicate => "duplicate",
            Self::Conflict => "conflict",
        }
    }
}

/// The proof that a request is committed. Only the store makes it, and only after the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The verdict on the request.
    pub verdict: Verdict,
    /// The id of the event. For a duplicate, the id of the first event.
    pub event_id: EventId,
}
