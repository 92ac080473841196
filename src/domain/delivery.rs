//! One event pending to one handler.

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
    /// The handler it is pending for.
    pub handler: HandlerName,
    /// The event.
    pub event: Arc<Event>,
    /// The replay it is of, where an operator wanted receivers to do the work once more.
    pub replay: Option<i64>,
}

impl Delivery {
    /// What receivers tell repeats by: the event's id, the same on every attempt, on a retried dead letter and on a
    /// replay, unless that was asked to have one of its own.
    pub fn webhook_id(&self) -> String {
        match self.replay {
            None => self.event.id.to_string(),
            Some(replay) => format!("{}-replay-{replay}", self.event.id),
        }
    }
}
