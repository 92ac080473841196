//! Who sends: how a request is verified, classified and identified. Pure functions of headers, bytes, secrets and now.

pub mod airalo;
mod verified;

pub(crate) use verified::LONGEST_TOPIC;
pub use verified::VerifiedRequest;

use crate::domain::{EventType, Identity};
use crate::signing::Secret;
use axum::http::HeaderMap;
use std::{sync::Arc, time::SystemTime};

/// Why a request was not verified: a bounded set, fit for a metric's label. The sender is never told which.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rejection {
    /// No signature header.
    MissingSignature,
    /// A signature that cannot be one: not of the right length, alphabet or number.
    MalformedSignature,
    /// A signature of the right form that no live secret made.
    WrongSignature,
}

impl Rejection {
    /// The word in the quarantine's `reason`, in rollups and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MissingSignature => "missing_signature",
            Self::MalformedSignature => "malformed_signature",
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

/// A kind of source, as three pure functions (classify and identify are one here: they read the same body).
pub trait SourceKind: Send + Sync + 'static {
    /// The kind's word in the configuration, as `airalo`.
    fn name(&self) -> &'static str;

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

    /// What a verified body is. It never refuses: what is not known is stored as unknown.
    fn describe(&self, topic: Option<&str>, body: &[u8]) -> Description;
}

/// The words [`kind_named`] knows.
pub const KIND_NAMES: &[&str] = &[airalo::Airalo::NAME];

/// The kind of source a configuration calls by this word; the known ones are [`KIND_NAMES`].
pub fn kind_named(word: &str) -> Option<Arc<dyn SourceKind>> {
    match word {
        airalo::Airalo::NAME => Some(Arc::new(airalo::Airalo)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{KIND_NAMES, kind_named};

    #[test]
    fn every_listed_kind_is_found_by_its_word() {
        for word in KIND_NAMES {
            assert_eq!(kind_named(word).map(|kind| kind.name()), Some(*word));
        }
        assert!(kind_named("Airalo").is_none());
    }
}
