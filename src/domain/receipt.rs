//! What the store answers for a verified request.

use super::EventId;

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

/// The proof that a request is committed: the store makes it, and only after the commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// What became of it.
    pub verdict: Verdict,
    /// Its event; of a duplicate, the first one's.
    pub event_id: EventId,
}
