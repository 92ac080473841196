//! How a sender signs, and where it says what its requests are.

use super::{Encoding, Form, Place, Template};
use crate::signing::Algorithm;
use crate::sources::{HandshakeKind, TypePrefix};
use axum::http::HeaderName;
use std::{str::FromStr, time::Duration};

/// How far a request's time may be from now where nothing else is set.
const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// Senders that name type and id only in headers they do not sign: their signature's header, how the others begin.
const UNSIGNED: [(&str, &str, &str); 2] = [
    ("GitHub", "x-hub-signature-256", "x-github-"),
    ("Shopify", "x-shopify-hmac-sha256", "x-shopify-"),
];

/// The settings of a source of kind `hmac`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HmacSettings {
    /// The header the signature is in.
    pub header: HeaderName,
    /// How it stands there.
    pub form: Form,
    /// How its bytes are written.
    pub encoding: Encoding,
    /// What makes it.
    pub algorithm: Algorithm,
    /// What is signed.
    pub signed: Template,
    /// The header that holds the time, in seconds since 1970, where the list does not.
    pub timestamp_header: Option<HeaderName>,
    /// The header that holds the id, where one is signed.
    pub id_header: Option<HeaderName>,
    /// How far a signed time may be from now, either way. Default 5 min.
    pub tolerance: Option<Duration>,
    /// Where the type's words are. One that is not there is left out.
    pub types: Vec<Place>,
    /// What every type begins with.
    pub type_prefix: Option<TypePrefix>,
    /// Where the parts of the idempotency key are. All have to be there.
    pub key: Vec<Place>,
    /// How long a key holds; `None` is for ever.
    pub window: Option<Duration>,
    /// What a repeat has in common with the first.
    pub repeats: WhatRepeats,
    /// The handshake that this sender makes.
    pub handshake: Option<HandshakeKind>,
}

/// What two requests with one key have in common where one repeats the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum WhatRepeats {
    /// The body's bytes: the same key with another body is a conflict, an event of its own.
    #[default]
    Body,
    /// Only the key: whatever else comes with it is a duplicate.
    Nothing,
}

/// A word that says nothing of repeats.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is neither \"body\" (the same key with another body is a conflict) nor \"none\" (the same key is always a duplicate)"
)]
pub struct UnknownWord(String);

impl FromStr for WhatRepeats {
    type Err = UnknownWord;

    fn from_str(word: &str) -> Result<Self, UnknownWord> {
        match word {
            "body" => Ok(Self::Body),
            "none" => Ok(Self::Nothing),
            _ => Err(UnknownWord(word.to_owned())),
        }
    }
}

/// Settings that contradict each other. Each names the setting as the configuration calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum InvalidSettings {
    /// A time is signed, and nobody knows where it is.
    #[error("signed has {{timestamp}}: say where it is, by timestamp_header or by list.timestamp")]
    TimestampNowhere,
    /// A time in two places.
    #[error("timestamp_header and list.timestamp both say where the time is; leave one out")]
    TimestampTwice,
    /// A time that anybody could exchange.
    #[error(
        "the time is not signed, so it proves nothing: put {{timestamp}} into signed, or leave the time out"
    )]
    TimestampUnsigned,
    /// A tolerance for nothing.
    #[error(
        "tolerance needs a time that is signed: put {{timestamp}} into signed, or leave tolerance out"
    )]
    ToleranceForNothing,
    /// No time is within it.
    #[error("tolerance must be more than nothing")]
    NoTolerance,
    /// An id is signed, and nobody knows where it is.
    #[error("signed has {{id}}: say where it is, by id_header")]
    IdNowhere,
    /// An id that anybody could exchange.
    #[error(
        "id_header names an id that is not signed: put {{id}} into signed, or take it as key = [\"header:…\"]"
    )]
    IdUnsigned,
    /// One header for two things.
    #[error("header, timestamp_header and id_header must be different headers")]
    SameHeader,
    /// A key that holds for no time.
    #[error("window must be more than nothing; leave it out for ever")]
    NoWindow,
}

impl HmacSettings {
    /// Whether they make sense together.
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

    /// How far a request's time may be from now; `None` where no time is signed.
    pub(super) fn tolerance(&self) -> Option<Duration> {
        self.signed
            .signs_timestamp()
            .then(|| self.tolerance.unwrap_or(TOLERANCE))
    }

    /// The sender that says this nowhere but in a header it does not sign.
    pub(super) fn known_sender_of(&self, place: &Place) -> Option<&'static str> {
        let Place::Header(name) = place else {
            return None;
        };
        let is_known = |(_, signature, prefix): &&(&str, &str, &str)| {
            self.header.as_str() == *signature && name.as_str().starts_with(prefix)
        };
        UNSIGNED.iter().find(is_known).map(|(sender, ..)| *sender)
    }

    /// Whether what is said there cannot be exchanged without breaking the signature.
    pub(super) fn is_signed(&self, place: &Place) -> bool {
        match place {
            Place::Body(_) => true,
            Place::Header(name) => [&self.timestamp_header, &self.id_header]
                .into_iter()
                .flatten()
                .any(|n| n == name),
        }
    }
}
