//! What passed verification: the only thing the ingress may store as an event, or a handshake it answers.

use super::{Handshake, Rejection, SourceKind};
use crate::domain::{EventType, Identity, SourceName, StorableText};
use crate::signing::Secret;
use axum::http::HeaderMap;
use bytes::Bytes;
use std::time::SystemTime;

/// The longest topic kept, in bytes.
pub(crate) const LONGEST_TOPIC: usize = 200;

/// What a verified request is.
#[derive(Clone, Debug)]
#[must_use]
#[expect(
    clippy::large_enum_variant,
    reason = "nearly every one is an event, and none lives long"
)]
pub enum Verified {
    /// An event, to be stored.
    Event(VerifiedRequest),
    /// A question, to be answered and not stored.
    Handshake(Handshake),
}

/// A verified, classified and identified request. It can only come out of [`VerifiedRequest::verify`], or, where an
/// operator takes a quarantined request for genuine, of [`VerifiedRequest::vouched`], or, where the source's own API says
/// the same, of `VerifiedRequest::fetched`.
#[derive(Clone, Debug)]
#[expect(
    clippy::manual_non_exhaustive,
    reason = "non_exhaustive would still let this crate make one unearned"
)]
pub struct VerifiedRequest {
    /// What happened.
    pub event_type: EventType,
    /// Which event it is.
    pub identity: Identity,
    /// The last part of the URL.
    pub topic: Option<StorableText>,
    /// The label of the secret that verified it.
    pub verified_by: StorableText,
    /// The request's headers.
    pub headers: HeaderMap,
    /// The body's exact bytes.
    pub body: Bytes,
    _earned: (),
}

impl VerifiedRequest {
    /// Verifies, then (and only then) looks into the body.
    ///
    /// # Errors
    /// [`Rejection`] where no live secret made the signature.
    pub fn verify(
        kind: &dyn SourceKind,
        secrets: &[Secret],
        now: SystemTime,
        topic: Option<&str>,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Result<Verified, Rejection> {
        let secret = kind.verify(headers, body, secrets, now)?;
        Ok(Self::earned(kind, secret.label(), topic, headers, body))
    }

    /// Looks into the body on an operator's word: nobody has verified it.
    pub fn vouched(
        kind: &dyn SourceKind,
        operator: &str,
        topic: Option<&str>,
        headers: &HeaderMap,
        body: &Bytes,
    ) -> Verified {
        Self::earned(kind, &format!("operator:{operator}"), topic, headers, body)
    }

    /// Looks into what was fetched from the source's own API, over a connection that its certificate vouches for.
    pub(crate) fn fetched(kind: &dyn SourceKind, source: &SourceName, body: &Bytes) -> Verified {
        Self::earned(
            kind,
            &format!("api:{source}"),
            None,
            &HeaderMap::new(),
            body,
        )
    }

    fn earned(
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
