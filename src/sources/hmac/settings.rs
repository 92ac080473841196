//! Settings of the kind `hmac`: how a sender signs, and which values identify its events.

use super::{Encoding, Form, Template, ValueSource};
use crate::signing::Algorithm;
use crate::sources::{HandshakeKind, TypePrefix};
use axum::http::HeaderName;
use std::{str::FromStr, time::Duration};

/// The default tolerance.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Senders that name type and id only in headers that they do not sign: the header of their
/// signature, and the prefix of the unsigned headers.
const UNSIGNED: [(&str, &str, &str); 2] = [
    ("GitHub", "x-hub-signature-256", "x-github-"),
    ("Shopify", "x-shopify-hmac-sha256", "x-shopify-"),
];

/// The settings of a source of kind `hmac`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HmacSettings {
    /// The header that holds the signature.
    pub header: HeaderName,
    /// The form of the header's value.
    pub form: Form,
    /// The encoding of the signature's bytes.
    pub encoding: Encoding,
    /// The algorithm of the signature.
    pub algorithm: Algorithm,
    /// The template of the signed bytes.
    pub signed: Template,
    /// The header that holds the time, in seconds since 1970, if the list does not hold it.
    pub timestamp_header: Option<HeaderName>,
    /// The header that holds the id, if an id is signed.
    pub id_header: Option<HeaderName>,
    /// The largest difference between a signed time and now, in either direction. Default 5 min.
    pub tolerance: Option<Duration>,
    /// The values that make up the type. A missing one is left out.
    pub types: Vec<ValueSource>,
    /// The prefix of all types.
    pub type_prefix: Option<TypePrefix>,
    /// The values that make up the idempotency key. All must be there.
    pub key: Vec<ValueSource>,
    /// How long a key is valid; `None` is forever.
    pub window: Option<Duration>,
    /// What a repeated request has in common with the first.
    pub repeats: RepeatedPart,
    /// The handshake of this sender.
    pub handshake: Option<HandshakeKind>,
}

/// What a repeated request has in common with the first, besides the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RepeatedPart {
    /// The bytes of the body. The same key with another body is a conflict, which is a new event.
    #[default]
    Body,
    /// Nothing. Any request with the same key is a duplicate.
    Nothing,
}

/// The word is not a value of the setting.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is neither \"body\" (the same key with another body is a conflict) nor \"none\" (the same key is always a duplicate)"
)]
pub struct UnknownWord(String);

impl FromStr for RepeatedPart {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "body" => Ok(Self::Body),
            "none" => Ok(Self::Nothing),
            _ => Err(UnknownWord(word.to_owned())),
        }
    }
}

/// Settings that contradict each other. Each message names the setting as in the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum InvalidSettings {
    /// A time is signed, but no setting names its header.
    #[error("signed has {{timestamp}}: set timestamp_header or list.timestamp")]
    TimestampNowhere,
    /// Two settings name the header of the time.
    #[error("timestamp_header and list.timestamp both name the header of the time; leave one out")]
    TimestampTwice,
    /// The time is not signed, so anybody could change it.
    #[error(
        "the time is not signed, so it proves nothing: put {{timestamp}} into signed, or leave the time out"
    )]
    TimestampUnsigned,
    /// A tolerance is set without a signed time.
    #[error(
        "tolerance needs a time that is signed: put {{timestamp}} into signed, or leave tolerance out"
    )]
    ToleranceForNothing,
    /// The tolerance is zero, so no time is within it.
    #[error("tolerance must be greater than zero")]
    NoTolerance,
    /// An id is signed, but no setting names its header.
    #[error("signed has {{id}}: set id_header")]
    IdNowhere,
    /// The id is not signed, so anybody could change it.
    #[error(
        "id_header names an id that is not signed: put {{id}} into signed, or use it as key = [\"header:…\"]"
    )]
    IdUnsigned,
    /// One header has two purposes.
    #[error("header, timestamp_header and id_header must be different headers")]
    SameHeader,
    /// The window is zero.
    #[error("window must be greater than zero; without it, keys never expire")]
    NoWindow,
}

impl HmacSettings {
    /// Checks that the settings are consistent.
    pub(super) fn check(&self) -> Result<(), InvalidSettings> {
        use InvalidSettings as Wrong;
        let (in_header, in_list) = (self.timestamp_header.is_some(), self.form.has_timestamp());
        match (self.signed.signs_timestamp(), in_header || in_list) {
            (true, false) => return Err(Wrong::TimestampNowhere),
            (false, true) => return Err(Wrong::TimestampUnsigned),
            _ if in_header && in_list => return Err(Wrong::TimestampTwice),
            (false, _) if self.tolerance.is_some() => return Err(Wrong::ToleranceForNothing),
            _ => {}
        }
        match (self.signed.signs_id(), self.id_header.is_some()) {
            (true, false) => return Err(Wrong::IdNowhere),
            (false, true) => return Err(Wrong::IdUnsigned),
            _ => {}
        }
        let headers = [
            Some(&self.header),
            self.timestamp_header.as_ref(),
            self.id_header.as_ref(),
        ];
        let named: Vec<_> = headers.into_iter().flatten().collect();
        if named
            .iter()
            .enumerate()
            .any(|(i, name)| named[..i].contains(name))
        {
            return Err(Wrong::SameHeader);
        }
        if self.tolerance.is_some_and(|tolerance| tolerance.is_zero()) {
            return Err(Wrong::NoTolerance);
        }
        if self.window.is_some_and(|window| window.is_zero()) {
            Err(Wrong::NoWindow)
        } else {
            Ok(())
        }
    }

    /// The largest difference between a request's time and now. `None` if no time is signed.
    pub(super) fn tolerance(&self) -> Option<Duration> {
        self.signed
            .signs_timestamp()
            .then(|| self.tolerance.unwrap_or(TOLERANCE))
    }

    /// The known sender that names this value only in a header that it does not sign.
    pub(super) fn known_sender_of(&self, location: &ValueSource) -> Option<&'static str> {
        let ValueSource::Header(name) = location else {
            return None;
        };
        let is_known = |(_, signature, prefix): &&(&str, &str, &str)| {
            self.header.as_str() == *signature && name.as_str().starts_with(prefix)
        };
        UNSIGNED.iter().find(is_known).map(|(sender, ..)| *sender)
    }

    /// Whether the signature covers this value.
    pub(super) fn is_signed(&self, location: &ValueSource) -> bool {
        match location {
            ValueSource::Body(_) => true,
            ValueSource::Header(name) => [&self.timestamp_header, &self.id_header]
                .into_iter()
                .flatten()
                .any(|n| n == name),
        }
    }
}
