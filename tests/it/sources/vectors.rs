//! Requests that the providers' own libraries signed, and the samples of the configuration that
//! accept them.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use hookfast::internals::config::Config;
use hookfast::internals::signing::Secret;
use hookfast::internals::signing::standard_webhooks::parse_secret;
use hookfast::sources::{Rejection, SourceKind, Verified, VerifiedRequest};
use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// One signed request.
#[derive(Clone, serde::Deserialize)]
pub(super) struct Vector {
    pub(super) secret: String,
    pub(super) now: u64,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: String,
}

/// The requests of a file.
pub(super) fn vectors(name: &str) -> Vec<Vector> {
    let file = format!(
        "{}/tests/fixtures/sources/{name}.json",
        env!("CARGO_MANIFEST_DIR")
    );
    serde_json::from_str(&fs::read_to_string(&file).expect(&file)).expect(&file)
}

/// The section `[sources.NAME]` of the sample file, unchanged but for the `#` before its lines.
pub(crate) fn sample(name: &str) -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/hookfast.sample.toml");
    let text = fs::read_to_string(file).expect("the sample");
    let lines = text
        .lines()
        .skip_while(|line| *line != format!("#[sources.{name}]"));
    let section = lines
        .take_while(|line| !line.is_empty())
        .filter(|line| !line.starts_with("# "));
    section
        .map(|line| line.strip_prefix('#').expect(line))
        .collect::<Vec<_>>()
        .join("\n")
}

/// The source that this section configures.
pub(super) fn kind(section: &str) -> Arc<dyn SourceKind> {
    let config = Config::parse(section).unwrap_or_else(|error| panic!("{error}\n{section}"));
    assert_eq!(config.sources.len(), 1);
    config.sources[0].kind.clone()
}

/// A secret in the form that its kind uses.
pub(super) fn secret(text: &str, kind: &dyn SourceKind) -> Secret {
    match kind.name() {
        "standard_webhooks" => parse_secret("test", text).expect("a secret"),
        _ => Secret::new("test", text.into()).expect("long enough"),
    }
}

pub(super) fn at(seconds: u64) -> SystemTime {
    UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Headers of these bytes; `None` if HTTP does not allow such a header.
pub(super) fn headers<'h>(
    pairs: impl IntoIterator<Item = (&'h String, &'h [u8])>,
) -> Option<HeaderMap> {
    let pair = |(name, value): (&String, &[u8])| {
        Some((
            name.parse::<HeaderName>().ok()?,
            HeaderValue::from_bytes(value).ok()?,
        ))
    };
    pairs.into_iter().map(pair).collect()
}

impl Vector {
    pub(super) fn headers(&self) -> HeaderMap {
        headers(
            self.headers
                .iter()
                .map(|(name, value)| (name, value.as_bytes())),
        )
        .expect("headers")
    }

    /// The whole processing of a request, at the time that the vector names.
    pub(super) fn verify(&self, kind: &dyn SourceKind) -> Result<Verified, Rejection> {
        self.verify_as(
            kind,
            &self.headers(),
            self.body.as_bytes(),
            &secret(&self.secret, kind),
            self.now,
        )
    }

    /// The same with one part replaced.
    pub(super) fn verify_as(
        &self,
        kind: &dyn SourceKind,
        headers: &HeaderMap,
        body: &[u8],
        secret: &Secret,
        now: u64,
    ) -> Result<Verified, Rejection> {
        VerifiedRequest::verify(
            kind,
            std::slice::from_ref(secret),
            at(now),
            None,
            headers,
            &body.to_vec().into(),
        )
    }

    pub(super) fn event(&self, kind: &dyn SourceKind) -> VerifiedRequest {
        match self.verify(kind).expect("verified") {
            Verified::Event(event) => event,
            Verified::Handshake(handshake) => panic!("an event, not {handshake:?}"),
        }
    }
}
