//! Who sends: how a request is verified, classified and identified. Pure functions of headers, bytes, secrets and now.
//!
//! A kind of source is a [`SourceKind`]: [`airalo::Airalo`], [`standard_webhooks::StandardWebhooks`] for every sender
//! that keeps to that scheme, [`hmac::HmacSource`] for senders that sign otherwise and are described in the
//! configuration. A sender whose ways fit none of them is a type of your own.

pub mod airalo;
mod classify;
mod handshake;
pub mod hmac;
mod joined;
mod json;
pub mod standard_webhooks;
mod verified;

pub use classify::{InvalidPrefix, TypePrefix};
pub use handshake::{Handshake, HandshakeKind, UnknownHandshake};
pub(crate) use verified::LONGEST_TOPIC;
pub use verified::{Verified, VerifiedRequest};

use crate::domain::{EventType, Identity, PayloadFields, Pointer};
use crate::signing::Secret;
use axum::http::{HeaderMap, HeaderName};
use std::time::{Duration, SystemTime};

/// Why a request was not verified: a bounded set, fit for a metric's label. The sender is never told which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// No signature header, or no header that has to be signed with the body.
    MissingSignature,
    /// A signature that cannot be one: not of the right length, alphabet or number.
    MalformedSignature,
    /// Signatures only of a version that this source cannot verify.
    UnsupportedSignature,
    /// Signed too long ago, or in the future: a replay, or a wrong clock.
    StaleSignature,
    /// A signature of the right form that no live secret made.
    WrongSignature,
}

impl Rejection {
    /// How many there are.
    pub(crate) const COUNT: u32 = 5;

    /// The word in the quarantine's `reason`, in rollups and in metrics.
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

/// What a verified body says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// What happened.
    pub event_type: EventType,
    /// Which event it is.
    pub identity: Identity,
}

/// A kind of source, as pure functions (classify and identify are one here: they read the same body). The order is
/// always verify, then handshake, then describe; only [`VerifiedRequest`] calls them.
pub trait SourceKind: Send + Sync + 'static {
    /// The kind's word in the configuration, as `airalo`.
    fn name(&self) -> &'static str;

    /// The headers the signature is in, and those it covers: what a later verification of a request needs beside its
    /// body. Of two rejected requests with the same body that differ in one of these, both are kept as evidence.
    fn signature_headers(&self) -> Vec<HeaderName>;

    /// Whether one of `secrets` made the signature over these exact bytes; answers with the one that did.
    ///
    /// # Errors
    /// [`Rejection`], without telling anything that would help a forger.
    fn verify<'s>(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        secrets: &'s [Secret],
        now: SystemTime,
    ) -> Result<&'s Secret, Rejection>;

    /// The answer to a verified request that is no event, but a question whether this address is the right one.
    /// Default: there are none.
    fn handshake(&self, _headers: &HeaderMap, _body: &[u8]) -> Option<Handshake> {
        None
    }

    /// What a verified request is. It never refuses: what is not known is stored as unknown.
    fn describe(&self, topic: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Description;

    /// The headers with which this sender would send this body now: signed with that secret, and with that id where it
    /// sends one. For `hookfast send` and for tests. Default: it is not known how.
    fn sign(
        &self,
        _secret: &Secret,
        _id: &str,
        _body: &[u8],
        _now: SystemTime,
    ) -> Option<HeaderMap> {
        None
    }

    /// The members of its payloads that readers of the database must not see, and those whose values find an event.
    /// Default: none.
    fn fields(&self) -> PayloadFields {
        PayloadFields::default()
    }

    /// What each of its types begins with, such as `stripe`. Default: it may send any type.
    fn type_prefix(&self) -> Option<String> {
        None
    }

    /// The members of the body that its idempotency keys are made of, as far as they stand in them as they are.
    /// Default: none.
    fn key_members(&self) -> Vec<Pointer> {
        Vec::new()
    }

    /// What an operator should know of how this source is set up: `hookfast check` prints it.
    fn advice(&self) -> Vec<Advice> {
        Vec::new()
    }
}

/// Something an operator should know, a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// It is as it is: nobody can change it.
    Note(String),
    /// It can be set up better.
    Warning(String),
}

impl Advice {
    /// Of a source whose keys expire after `window` and whose signed time may be `tolerance` away. Whoever has a copy of a
    /// signed request may send it again: either its time is refused then, or its key is still known.
    fn of_window(window: Option<Duration>, tolerance: Option<Duration>) -> Option<Self> {
        let text = match (window?, tolerance) {
            (_, None) => {
                "window: keys expire, and the sender signs no time: a copy of an old request is a new event once its key has expired. Leave window out; docs/SQL.md says how much space keys need"
            }
            (window, Some(tolerance)) if window < 2 * tolerance => {
                "window: keys expire while the signed time is still accepted, so a copy of a request can be a new event. Set window to at least twice the tolerance"
            }
            _ => return None,
        };
        Some(Self::Warning(text.to_owned()))
    }
}
