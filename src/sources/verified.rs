//! Verified requests: the only ones that the ingress may store as events or answer as handshakes.

use super::{Handshake, Rejection, SourceKind};
use crate::domain::{EventType, Identity, SourceName, StorableText};
use crate::signing::Secret;
use axum::http::HeaderMap;
use bytes::Bytes;
use std::time::SystemTime;

/// The longest topic that is kept, in bytes.
pub(crate) const LONGEST_TOPIC: usize = 200;

/// A verified request: an event or a handshake.
#[derive(Clone, Debug)]
#[must_use]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every one is an event, and none lives long"
)]
pub enum Verified {
    /// An event to be stored.
    Event(VerifiedRequest),
    /// A handshake to be answered and not stored.
    Handshake(Handshake),
}

/// A verified, classified and identified request. Only three functions make one:
/// [`VerifiedRequest::verify`], [`VerifiedRequest::approved`] if an operator approves a quarantined
/// request, and `VerifiedRequest::fetched` if the event comes from the source's own API.
#[derive(Clone, Debug)]
#[expect(
    clippy::manual_non_exhaustive,
    reason = "non_exhaustive would still let this crate make one unearned"
)]
pub struct VerifiedRequest {
    /// The type of the event.
    pub event_type: EventType,
    /// The identity of the event.
    pub identity: Identity,
    /// The last part of the URL.
    pub topic: Option<StorableText>,
    /// The label of the secret that verified it, or the operator or API that vouches for it.
    pub verified_by: StorableText,
    /// The headers of the request.
    pub headers: HeaderMap,
    /// The exact bytes of the body.
    pub body: Bytes,
    _earned: (),
}

impl VerifiedRequest {
    /// Verifies the request, and only then reads the body.
    ///
    /// # Errors
    /// [`Rejection`] if no current secret made the signature.
    pub fn verify(
        kind: &dyn SourceKind,
        secrets: &[Secret],
        now: SystemTime,
        topic: Option<&str>,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Verified, Rejection> {
        let secret = kind.verify(headers, body, secrets, now)?;
        Ok(Self::read(kind, secret.label(), topic, headers, body))
    }

    /// Reads a body that an operator has approved and no signature verifies.
    pub fn approved(
        kind: &dyn SourceKind,
        operator: &str,
        topic: Option<&str>,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Verified {
        Self::read(kind, &format!("operator:{operator}"), topic, headers, body)
    }

    /// Reads a body that was fetched from the source's own API, over a connection that its
    /// certificate secures.
    pub(crate) fn fetched(kind: &dyn SourceKind, source: &SourceName, body: &Bytes) -> Verified {
        Self::read(
            kind,
            &format!("api:{source}"),
            None,
            &HeaderMap::new(),
            body,
        )
    }

    fn read(
        kind: &dyn SourceKind,
        by: &str,
        topic: Option<&str>,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Verified {
        if let Some(handshake) = kind.handshake(headers, body) {
            return Verified::Handshake(handshake);
        }
        let description = kind.describe(topic, headers, body);
        Verified::Event(Self {
            event_type: description.event_type,
            identity: description.identity,
            topic: topic.map(|t| StorableText::new(t, LONGEST_TOPIC)),
            verified_by: StorableText::new(by, LONGEST_TOPIC),
            headers: headers.clone(),
            body: body.clone(),
            _earned: (),
        })
    }
}
