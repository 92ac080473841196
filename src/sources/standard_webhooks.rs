//! Webhooks of all senders that follow the Standard Webhooks scheme.

use super::{Advice, Description, Rejection, SourceKind, TypePrefix, classify};
use crate::domain::{Fingerprint, IdempotencyKey, Identity, Pointer};
use crate::signing::{
    Secret,
    standard_webhooks::{HeaderNames, TOLERANCE, Unverified, sign, verify_within},
};
use axum::http::{HeaderMap, HeaderName};
use sha2::{Digest, Sha256};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The source kind `standard_webhooks`.
///
/// | value | origin |
/// |---|---|
/// | type | the member `type` of the JSON body, in lower case, after the prefix; without one `{prefix}.unknown`, or `standard_webhooks.unknown` if there is no prefix |
/// | idempotency key | `webhook-id` (or the sender's name for it): it is signed, and the sender keeps it for every attempt |
/// | window | forever, unless set: an id never names a second event, and a sender's operator may send one again after weeks |
/// | fingerprint | the body's SHA-256: the same id with another body is a conflict |
///
/// The secrets are `whsec_…`, several at a time. A request signed only with version `v1a`
/// (asymmetric) is rejected as `unsupported_signature`, and one signed longer ago than the
/// tolerance as `stale_signature`.
///
/// Without a prefix a sender may use any type except those of Airalo and Hookfast, also one of
/// another source. If that matters, set a prefix, or name the sources in the handler. The
/// configuration file uses the source's name as the prefix.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandardWebhooks {
    /// The sender's names of the three headers. Default `webhook-id` and so on. Customers of Svix
    /// send `svix-id`.
    pub headers: HeaderNames,
    /// The largest difference between a request's time and now, in either direction. Default 5 min.
    pub tolerance: Duration,
    /// The prefix of all types. Default: none, so that a type is kept as the sender writes it.
    pub type_prefix: Option<TypePrefix>,
    /// How long an id is valid. `None`, the default, is forever.
    pub window: Option<Duration>,
}

impl StandardWebhooks {
    /// The kind's name in the configuration.
    pub const NAME: &str = "standard_webhooks";
}

impl Default for StandardWebhooks {
    fn default() -> Self {
        Self {
            headers: HeaderNames::default(),
            tolerance: TOLERANCE,
            type_prefix: None,
            window: None,
        }
    }
}

impl From<Unverified> for Rejection {
    fn from(why: Unverified) -> Self {
        match why {
            Unverified::Missing => Self::MissingSignature,
            Unverified::Malformed => Self::MalformedSignature,
            Unverified::Unsupported => Self::UnsupportedSignature,
            Unverified::Stale => Self::StaleSignature,
            Unverified::Wrong => Self::WrongSignature,
        }
    }
}

impl SourceKind for StandardWebhooks {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn signature_headers(&self) -> Vec<HeaderName> {
        let HeaderNames {
            id,
            timestamp,
            signature,
        } = self.headers.clone();
        vec![id, timestamp, signature]
    }

    fn verify<'s>(
        &self,
        headers: &HeaderMap,
        body: &[u8],
        secrets: &'s [Secret],
        now: SystemTime,
    ) -> Result<&'s Secret, Rejection> {
        let secret = verify_within(&self.headers, self.tolerance, headers, body, secrets, now)?;
        // The id becomes the idempotency key, and two ids that are not text could become the same
        // key.
        let is_text = headers
            .get(&self.headers.id)
            .is_some_and(|id| std::str::from_utf8(id.as_bytes()).is_ok());
        if is_text {
            Ok(secret)
        } else {
            Err(Rejection::MalformedSignature)
        }
    }

    fn sign(&self, secret: &Secret, id: &str, body: &[u8], now: SystemTime) -> Option<HeaderMap> {
        let timestamp = now.duration_since(UNIX_EPOCH).ok()?.as_secs();
        let signature = sign(std::slice::from_ref(secret), id, timestamp, body);
        let names = &self.headers;
        let values = [
            (&names.id, id),
            (&names.timestamp, &timestamp.to_string()),
            (&names.signature, &signature),
        ];
        values
            .into_iter()
            .map(|(name, value)| Some((name.clone(), value.parse().ok()?)))
            .collect()
    }

    fn type_prefix(&self) -> Option<String> {
        self.type_prefix.as_ref().map(ToString::to_string)
    }

    fn advice(&self) -> Vec<Advice> {
        Advice::of_window(self.window, Some(self.tolerance))
            .into_iter()
            .collect()
    }

    fn describe(&self, _topic: Option<&str>, headers: &HeaderMap, body: &[u8]) -> Description {
        let words: Vec<String> = Pointer::member("type").text(body).into_iter().collect();
        let id = headers
            .get(&self.headers.id)
            .and_then(|id| std::str::from_utf8(id.as_bytes()).ok());
        let key = id.map_or_else(|| IdempotencyKey::of_body(body), IdempotencyKey::new);
        let fingerprint =
            Fingerprint::new(&format!("sha256:{}", hex::encode(Sha256::digest(body))));
        Description {
            event_type: classify::event_type(self.type_prefix.as_ref(), Self::NAME, &words),
            identity: Identity {
                key,
                alias: None,
                window: self.window,
                fingerprint: Some(fingerprint),
            },
        }
    }
}
