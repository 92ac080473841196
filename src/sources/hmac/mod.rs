//! Senders that sign with an HMAC in their own way, described completely by settings.
//!
//! `docs/hookfast.sample.toml` has GitHub, Shopify, Slack and Stripe as examples.

mod form;
mod settings;
mod template;
mod value_source;

pub use form::{Encoding, Form, InvalidList, ListForm, UnknownEncoding};
pub use settings::{HmacSettings, InvalidSettings, RepeatedPart, UnknownWord};
pub use template::{InvalidTemplate, Template};
pub use value_source::{InvalidValueSource, ValueSource};

use super::{Advice, Description, Handshake, Rejection, SourceKind, classify, joined::joined};
use crate::domain::{Fingerprint, IdempotencyKey, Identity, Pointer};
use crate::signing::{Algorithm, Secret};
use axum::http::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long a body's hash identifies an event whose body names no identity. Senders repeat for up
/// to three days. After that, the same bytes are more likely a new event.
const REPEATS: Duration = Duration::from_secs(3 * 24 * 3600);

/// The source kind `hmac`.
///
/// | value | origin |
/// |---|---|
/// | type | the values named by `types`, joined by dots, after the prefix; `{prefix}.unknown` if there is none |
/// | idempotency key | the values named by `key`, joined by `:` (in a part, `:` and `%` are written `%3A` and `%25`); without the setting `key`, the signed id; if a value is missing, `body:{sha256}` |
/// | window | as set, by default forever; for `body:…` at most 3 days |
/// | fingerprint | the body's SHA-256, or none if a repeated request may have another body |
///
/// The hash covers only the body and not everything that is signed, because a sender signs a
/// repeated request again with another time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HmacSource(HmacSettings);

/// The signed parts of a request besides its body.
struct Signed<'h> {
    signatures: Vec<Vec<u8>>,
    timestamp: &'h str,
    id: &'h str,
}

impl HmacSource {
    /// The kind's name in the configuration.
    pub const NAME: &str = "hmac";

    /// Makes a source with these settings.
    ///
    /// # Errors
    /// [`InvalidSettings`] if they contradict each other.
    pub fn new(settings: HmacSettings) -> Result<Self, InvalidSettings> {
        settings.check()?;
        Ok(Self(settings))
    }

    /// Reads the headers. Nothing here depends on a secret.
    fn read<'h>(&self, headers: &'h HeaderMap) -> Result<Signed<'h>, Rejection> {
        let settings = &self.0;
        let read = settings.form.read(
            only(headers, &settings.header)?,
            settings.encoding,
            settings.algorithm.length(),
        )?;
        let timestamp = match &settings.timestamp_header {
            Some(name) => only(headers, name)?,
            None => read.timestamp.unwrap_or_default(),
        };
        let id = match &settings.id_header {
            Some(name) => only(headers, name)?,
            None => "",
        };
        let id_is_one =
            settings.id_header.is_none() || (!id.is_empty() && settings.signed.separates(id));
        if id_is_one {
            Ok(Signed {
                signatures: read.signatures,
                timestamp,
                id,
            })
        } else {
            Err(Rejection::MalformedSignature)
        }
    }

    fn is_fresh(&self, timestamp: &str, now: SystemTime) -> Result<(), Rejection> {
        let Some(tolerance) = self.0.tolerance() else {
            return Ok(());
        };
        let signed_at = seconds(timestamp)
            .and_then(|seconds| UNIX_EPOCH.checked_add(Duration::from_secs(seconds)));
        let signed_at = signed_at.ok_or(Rejection::MalformedSignature)?;
        let apart = now
            .duration_since(signed_at)
            .unwrap_or_else(|ahead| ahead.duration());
        if apart > tolerance {
            Err(Rejection::StaleSignature)
        } else {
            Ok(())
        }
    }

    /// The key that the request names, if it does.
    fn key(&self, headers: &HeaderMap, body: &[u8]) -> Option<IdempotencyKey> {
        let parts: Vec<String> = if self.0.key.is_empty() {
            let id = self
                .0
                .id_header
                .as_ref()
                .and_then(|name| value_source::text(headers, name));
            vec![id?.to_owned()]
        } else {
            self.0
                .key
                .iter()
                .map(|location| location.read(headers, body))
                .collect::<Option<_>>()?
        };
        Some(IdempotencyKey::new(&joined(&parts)))
    }

    fn identity(&self, headers: &HeaderMap, body: &[u8]) -> Identity {
        match self.key(headers, body) {
            Some(key) => {
                let hash =
                    || Fingerprint::new(&format!("sha256:{}", hex::encode(Sha256::digest(body))));
                let fingerprint = (self.0.repeats == RepeatedPart::Body).then(hash);
                Identity {
                    key,
                    alias: None,
                    window: self.0.window,
                    fingerprint,
                }
            }
            None => {
                let window = self.0.window.map_or(REPEATS, |window| window.min(REPEATS));
                Identity {
                    key: IdempotencyKey::of_body(body),
                    alias: None,
                    window: Some(window),
                    fingerprint: None,
                }
            }
        }
    }
}

impl SourceKind for HmacSource {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn signature_headers(&self) -> Vec<HeaderName> {
        let settings = &self.0;
        [
            Some(&settings.header),
            settings.timestamp_header.as_ref(),
            settings.id_header.as_ref(),
        ]
        .into_iter()
        .flatten()
        .cloned()
        .collect()
    }

    fn verify<'s>(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        secrets: &'s [Secret],
        now: SystemTime,
    ) -> Result<&'s Secret, Rejection> {
        let signed = self.read(headers)?;
        self.is_fresh(signed.timestamp, now)?;
        let parts = self
            .0
            .signed
            .parts(body, signed.timestamp.as_bytes(), signed.id.as_bytes());
        self.0
            .algorithm
            .signer(secrets, &parts, &signed.signatures)
            .ok_or(Rejection::WrongSignature)
    }

    /// Also sets an id that the sender puts into a header without signing it.
    fn sign(&self, secret: &Secret, id: &str, body: &[u8], now: SystemTime) -> Option<HeaderMap> {
        let settings = &self.0;
        let timestamp = now.duration_since(UNIX_EPOCH).ok()?.as_secs().to_string();
        let id = if settings.signed.separates(id) {
            id.to_owned()
        } else {
            id.replace(|c: char| !c.is_alphanumeric(), "")
        };
        let mac = settings.algorithm.mac(
            secret,
            &settings
                .signed
                .parts(body, timestamp.as_bytes(), id.as_bytes()),
        );
        let mut headers = HeaderMap::new();
        for location in &settings.key {
            if let ValueSource::Header(name) = location {
                headers.insert(name.clone(), id.parse().ok()?);
            }
        }
        headers.insert(
            settings.header.clone(),
            settings
                .form
                .write(&mac, &timestamp, settings.encoding)
                .parse()
                .ok()?,
        );
        if let Some(name) = &settings.timestamp_header {
            headers.insert(name.clone(), timestamp.parse().ok()?);
        }
        if let Some(name) = &settings.id_header {
            headers.insert(name.clone(), id.parse().ok()?);
        }
        Some(headers)
    }

    fn handshake(&self, _headers: &HeaderMap, body: &[u8]) -> Option<Handshake> {
        self.0.handshake?.answer(body)
    }

    fn describe(&self, _topic: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Description {
        let words: Vec<String> = self
            .0
            .types
            .iter()
            .filter_map(|location| location.read(headers, body))
            .collect();
        Description {
            event_type: classify::event_type(self.0.type_prefix.as_ref(), Self::NAME, &words),
            identity: self.identity(headers, body),
        }
    }

    fn type_prefix(&self) -> Option<String> {
        self.0.type_prefix.as_ref().map(ToString::to_string)
    }

    fn key_members(&self) -> Vec<Pointer> {
        let member = |location: &ValueSource| match location {
            ValueSource::Body(pointer) => Some(pointer.clone()),
            ValueSource::Header(_) => None,
        };
        self.0.key.iter().filter_map(member).collect()
    }

    fn advice(&self) -> Vec<Advice> {
        let mut advice = Vec::new();
        for (setting, locations) in [("type", &self.0.types), ("key", &self.0.key)] {
            for location in locations
                .iter()
                .filter(|location| !self.0.is_signed(location))
            {
                let what = format!(
                    "{setting}: the signature does not cover {location}: anybody with one signed request can send it again with another value there."
                );
                advice.push(match self.0.known_sender_of(location) {
                    Some(sender) => {
                        Advice::Note(format!("{what} {sender} sends this value nowhere else"))
                    }
                    None => Advice::Warning(format!(
                        "{what} Read it from the body if the sender also sends it there"
                    )),
                });
            }
        }
        advice.extend(Advice::of_window(self.0.window, self.0.tolerance()));
        if self.0.key.is_empty() && self.0.id_header.is_none() && self.0.tolerance().is_none() {
            let text = "key: none is configured, so the hash of the body is the idempotency key, for 3 days, and the \
                sender signs no time: a copy of an old request is a new event after that. Name a member of the body \
                that identifies the event";
            advice.push(Advice::Warning(text.to_owned()));
        }
        if self.0.algorithm == Algorithm::InsecureSha1 {
            let text =
                "algorithm: SHA-1 is broken; have the sender sign with sha256 or sha512 if it can";
            advice.push(Advice::Warning(text.to_owned()));
        }
        advice
    }
}

/// The value of the header with this name. It must be there only once, because choosing one of two
/// would be a guess.
fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<&'h str, Rejection> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().ok_or(Rejection::MissingSignature)?;
    let text = std::str::from_utf8(value.as_bytes())
        .ok()
        .filter(|_| values.next().is_none());
    text.ok_or(Rejection::MalformedSignature)
}

/// Accepts digits without a leading zero, so that a number has only one form.
fn seconds(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    digits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests;
