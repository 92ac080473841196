//! What an ordered handler keeps the order of.

use super::Pointer;

/// What a dead letter does to its key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDeadLetter {
    /// The next of the key goes on.
    #[default]
    Skip,
    /// The key waits until somebody has decided about the dead letter.
    Block,
}

impl OnDeadLetter {
    /// The word in the registry and the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Block => "block",
        }
    }
}

/// The order that a handler asks for. Deliveries with the same key run one after the other, in the order in which their
/// events came; an event without one keeps order with no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// Where in the payload the key is.
    pub by: Pointer,
    /// What a dead letter does to its key.
    pub on_dead: OnDeadLetter,
}
