//! One event owed to one handler.

use super::{Event, HandlerName};
use std::{fmt, sync::Arc};

/// The id of a delivery: it stays the same through retries and the retry of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(pub i64);

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One attempt at a delivery, as a handler sees it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The delivery.
    pub id: DeliveryId,
    /// Which attempt this is, from 1; it only ever rises.
    pub attempt: i32,
    /// The handler it is owed to.
    pub handler: HandlerName,
    /// The event.
    pub event: Arc<Event>,
}
