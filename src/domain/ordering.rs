//! Ordered delivery.

use super::Pointer;

/// What a dead letter does to later deliveries of its ordering key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnDeadLetter {
    /// The next delivery of the key runs.
    #[default]
    Skip,
    /// The key is blocked until an operator retries or discards the dead letter.
    Block,
}

impl OnDeadLetter {
    /// The name in the database and the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Block => "block",
        }
    }
}

/// The order that a handler needs. Deliveries with the same ordering key run one after the other,
/// in the order in which their events were received. An event without a key is not ordered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The payload member that holds the ordering key.
    pub by: Pointer,
    /// What a dead letter does to its ordering key.
    pub on_dead: OnDeadLetter,
}
