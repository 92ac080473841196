//! A delivery: one event for one handler.

use super::{Event, HandlerName};
use std::{fmt, sync::Arc};

/// The id of a delivery. It stays the same through all attempts, also if a dead letter is retried.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DeliveryId(pub i64);

impl fmt::Display for DeliveryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// One attempt at a delivery, as a handler receives it.
#[derive(Clone, Debug)]
pub struct Delivery {
    /// The id of the delivery.
    pub id: DeliveryId,
    /// The number of the attempt, from 1. It never decreases.
    pub attempt: i32,
    /// The handler that processes the delivery.
    pub handler: HandlerName,
    /// The event to process.
    pub event: Arc<Event>,
    /// The id of the replay that made this delivery, if the operator wants receivers to process the
    /// event again.
    pub replay: Option<i64>,
}

impl Delivery {
    /// The `webhook-id` by which receivers deduplicate. It is the event id, the same on every
    /// attempt, on a retried dead letter and on a replay, unless the replay was requested with ids
    /// of its own.
    pub fn webhook_id(&self) -> String {
        match self.replay {
            None => self.event.id.to_string(),
            Some(replay) => format!("{}-replay-{replay}", self.event.id),
        }
    }
}
