//! Events and their ids.

use super::{EventType, SourceName};
use bytes::Bytes;
use std::{fmt, sync::Arc, time::SystemTime};
use uuid::Uuid;

/// The id of an event: a UUID v7 whose first 48 bits are the database's time in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct EventId(pub Uuid);

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How Hookfast received an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// By a verified request at the ingress.
    Webhook,
    /// By `hookfast.enqueue` in an application's own transaction.
    Enqueue,
    /// From the source's API.
    Api,
    /// From quarantine, approved by an operator or verified again.
    Quarantine,
    /// Raised by Hookfast itself as an alert.
    Hookfast,
}

impl Origin {
    /// The name in the database.
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

/// A stored event. It is stored once and never updated.
#[derive(Clone)]
pub struct Event {
    /// The id of the event. It is also the `webhook-id` that receivers see
    /// ([`Delivery::webhook_id`](super::Delivery::webhook_id)).
    pub id: EventId,
    /// The source that sent the event.
    pub source: SourceName,
    /// The type, as the source classifies it.
    pub event_type: EventType,
    /// The last part of the URL. It is a hint: the body decides.
    pub topic: Option<String>,
    /// The idempotency key that identifies the event within its source.
    pub idempotency_key: String,
    /// If this event is a conflict: the earlier event with the same key and other content.
    pub conflicts_with: Option<EventId>,
    /// When the event was stored, by the database's clock.
    pub received_at: SystemTime,
    /// The request's headers, with names in lower case. A value that is not UTF-8 is stored as
    /// `base64:…`.
    pub headers: Arc<serde_json::Value>,
    /// The exact bytes of the body as received.
    pub body: Bytes,
}

impl fmt::Debug for Event {
    /// Omits headers and body: they may hold secrets, and this output ends up in logs.
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
    /// Parses the body as JSON. Every call parses it again.
    ///
    /// # Errors
    /// If the body is not JSON of the requested type.
    pub fn json<'a, T: serde::Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }
}
