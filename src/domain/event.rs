//! One thing that happened.

use super::{EventType, SourceName};
use bytes::Bytes;
use std::{fmt, sync::Arc, time::SystemTime};
use uuid::Uuid;

/// The id of an event: a UUID v7, whose first 48 bits are the database's milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct EventId(pub Uuid);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How an event came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// A verified request at the ingress.
    Webhook,
    /// `hookfast.enqueue`, inside an application's own transaction.
    Enqueue,
    /// Fetched from the source's API.
    Api,
    /// Released from quarantine by an operator.
    Quarantine,
    /// Hookfast's own alerts.
    Hookfast,
}

impl Origin {
    /// The word in the table.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Webhook => "webhook",
            Self::Enqueue => "enqueue",
            Self::Api => "api",
            Self::Quarantine => "quarantine",
            Self::Hookfast => "hookfast",
        }
    }
}

/// One thing that happened, stored once, never updated.
#[derive(Clone)]
pub struct Event {
    /// Its id; also the `webhook-id` that receivers see ([`Delivery::webhook_id`](super::Delivery::webhook_id)).
    pub id: EventId,
    /// Who sent it.
    pub source: SourceName,
    /// What it is, as the source classified it.
    pub event_type: EventType,
    /// The last part of the URL it came to: a hint, never trusted over the body.
    pub topic: Option<String>,
    /// What made it this event and no other.
    pub idempotency_key: String,
    /// The event that has the same key and other content, where this one is a conflict.
    pub conflicts_with: Option<EventId>,
    /// When it was stored, by the database's clock.
    pub received_at: SystemTime,
    /// The request's headers, names in lower case; a value that is not UTF-8 is `base64:…`.
    pub headers: Arc<serde_json::Value>,
    /// The body's bytes exactly as received.
    pub body: Bytes,
}

impl fmt::Debug for Event {
    /// Without headers and body: they may hold secrets, and this is what ends up in logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("id", &self.id)
            .field("source", &self.source)
            .field("event_type", &self.event_type)
            .field("idempotency_key", &self.idempotency_key)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Event {
    /// The body as JSON, parsed anew at each call.
    ///
    /// # Errors
    /// Where the body is not JSON of the type asked for.
    pub fn json<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}
