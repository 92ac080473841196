//! Sources: how a request is verified, classified and identified, as pure functions of headers,
//! bytes, secrets and time.
//!
//! A kind of source is a [`SourceKind`]: [`airalo::Airalo`],
//! [`standard_webhooks::StandardWebhooks`] for senders that follow that scheme, and
//! [`hmac::HmacSource`] for senders that sign in other ways and are described in the configuration.
//! For all others, implement the trait.

pub mod airalo;
mod classify;
mod handshake;
pub mod hmac;
mod joined;
mod json;
pub mod standard_webhooks;
mod verified;

pub use crate::domain::{EventType, Fingerprint, IdempotencyKey, Identity, Pointer};
pub use classify::{InvalidPrefix, TypePrefix};
pub use handshake::{Handshake, HandshakeKind, UnknownHandshake};
pub(crate) use verified::LONGEST_TOPIC;
pub use verified::{Verified, VerifiedRequest};

use crate::domain::PayloadFields;
use crate::signing::Secret;
use axum::http::{HeaderMap, HeaderName};
use std::time::{Duration, SystemTime};

/// Why a request was not verified: a fixed set, so that it can be a label of a metric. The sender
/// does not receive the reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// The signature's header, or a header that is signed with the body, is missing.
    MissingSignature,
    /// The signature is malformed: a wrong length, alphabet or number.
    MalformedSignature,
    /// All signatures have a version that this source cannot verify.
    UnsupportedSignature,
    /// The request was signed too long ago or in the future. It is a replay, or a clock is wrong.
    StaleSignature,
    /// The signature is well-formed, but no current secret made it.
    WrongSignature,
}

impl Rejection {
    /// The number of reasons.
    pub(crate) const COUNT: u32 = 5;

    /// The name in the quarantine's `reason`, in rollups and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingSignature => "missing_signature",
            Self::MalformedSignature => "malformed_signature",
            Self::UnsupportedSignature => "unsupported_signature",
            Self::StaleSignature => "stale_signature",
            Self::WrongSignature => "wrong_signature",
        }
    }
}

/// The type and the identity of a verified body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The type of the event.
    pub event_type: EventType,
    /// The identity of the event.
    pub identity: Identity,
}

/// A kind of source, as pure functions. The order is always verify, then handshake, then describe,
/// and only [`VerifiedRequest`] calls them. One function classifies and identifies, because both
/// read the same body.
pub trait SourceKind: Send + Sync + 'static {
    /// The kind's name in the configuration, such as `airalo`.
    fn name(&self) -> &'static str;

    /// The header of the signature and the headers it covers. A later verification of a request
    /// needs them in addition to the body. If two rejected requests with the same body differ in
    /// one of them, both are kept in quarantine.
    fn signature_headers(&self) -> Vec<HeaderName>;

    /// Verifies the signature over these exact bytes. Returns the one of `secrets` that made it.
    ///
    /// # Errors
    /// [`Rejection`], which holds nothing that would help a forger.
    fn verify<'s>(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        secrets: &'s [Secret],
        now: SystemTime,
    ) -> Result<&'s Secret, Rejection>;

    /// The response, if a verified request is a handshake and not an event. Default: the sender
    /// makes no handshakes.
    fn handshake(&self, _headers: &HeaderMap, _body: &[u8]) -> Option<Handshake> {
        None
    }

    /// Classifies and identifies a verified request. It never fails: a request that it does not
    /// know is stored as unknown.
    fn describe(&self, topic: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Description;

    /// The headers with which this sender would send this body now: signed with this secret, and
    /// with this id if the sender sends one. For `hookfast send` and for tests. Default: `None`, so
    /// requests cannot be signed.
    fn sign(
        &self,
        _secret: &Secret,
        _id: &str,
        _body: &[u8],
        _now: SystemTime,
    ) -> Option<HeaderMap> {
        None
    }

    /// The secret fields and search fields of its payloads. Default: none.
    fn fields(&self) -> PayloadFields {
        PayloadFields::default()
    }

    /// The prefix of all its types, such as `stripe`. Default: none, so that it may send any type.
    fn type_prefix(&self) -> Option<String> {
        None
    }

    /// The members of the body that make up its idempotency keys, if the keys hold them unchanged.
    /// Default: none.
    fn key_members(&self) -> Vec<Pointer> {
        Vec::new()
    }

    /// Advice for operators about this source's settings, which `hookfast check` prints.
    fn advice(&self) -> Vec<Advice> {
        Vec::new()
    }
}

/// A piece of advice for operators, as a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// A fact that cannot be changed.
    Note(String),
    /// A setting that can be improved.
    Warning(String),
}

impl Advice {
    /// Advice for a source whose keys expire after `window` and whose signed time may be
    /// `tolerance` away. Anybody with a copy of a signed request can send it again. Then either its
    /// time must be rejected, or its key must still be known.
    fn of_window(window: Option<Duration>, tolerance: Option<Duration>) -> Option<Self> {
        let text = match (window?, tolerance) {
            (_, None) => {
                "window: keys expire, and the sender signs no time: a copy of an old request is a new event once its key has expired. Leave window out; docs/SQL.md has the space that keys need"
            }
            (window, Some(tolerance)) if window < 2 * tolerance => {
                "window: keys expire while the signed time is still accepted, so a copy of a request can be a new event. Set window to at least twice the tolerance"
            }
            _ => return None,
        };
        Some(Self::Warning(text.to_owned()))
    }
}
