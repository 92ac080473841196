//! All responses of the ingress: the status and body that senders get, and the verdict for logs and
//! metrics.
//!
//! 200 is the only success, because Airalo counts some other 2xx as failures. A failure on
//! Hookfast's side is always 503 with Retry-After. There are no redirects.

use super::{Receipt, Refusal, body::Unread};
use crate::domain::{EventId, OnInvalidSignature};
use crate::http_server::{self, Problem};
use crate::sources::{Handshake, Rejection};
use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde_json::json;
use std::time::Duration;

/// Retry-After for failures that usually pass quickly.
const SOON: Duration = Duration::from_secs(2);

/// Retry-After for failures that a retry will not end soon.
const LATER: Duration = Duration::from_secs(60);

/// A response with its verdict, a word from a bounded set.
pub(super) struct Answer {
    pub(super) verdict: &'static str,
    kind: Kind,
}

enum Kind {
    Kept(Option<EventId>),
    Here,
    Handshake(Handshake),
    Problem(Problem),
}

impl Answer {
    pub(super) fn committed(receipt: Receipt) -> Self {
        Self {
            verdict: receipt.verdict.as_str(),
            kind: Kind::Kept(Some(receipt.event_id)),
        }
    }

    /// The request is committed to the quarantine.
    pub(super) fn quarantined() -> Self {
        Self {
            verdict: "quarantined",
            kind: Kind::Kept(None),
        }
    }

    /// The response to a sender that checks the address.
    pub(super) fn handshake(handshake: Handshake) -> Self {
        Self {
            verdict: "handshake",
            kind: Kind::Handshake(handshake),
        }
    }

    /// The response to HEAD.
    pub(super) fn here() -> Self {
        Self {
            verdict: "address_check",
            kind: Kind::Here,
        }
    }

    pub(super) fn status(&self) -> StatusCode {
        match &self.kind {
            Kind::Kept(_) | Kind::Here | Kind::Handshake(_) => StatusCode::OK,
            Kind::Problem(problem) => problem.status(),
        }
    }

    /// Whether the request was rejected for its signature, size, form, address or slowness. Only
    /// its sender or a setting can change that.
    pub(super) fn is_refused(&self) -> bool {
        matches!(
            self.status(),
            StatusCode::UNAUTHORIZED
                | StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::BAD_REQUEST
                | StatusCode::NOT_FOUND
        )
    }

    fn problem(verdict: &'static str, problem: Problem) -> Self {
        Self {
            verdict,
            kind: Kind::Problem(problem),
        }
    }

    /// 401, the same for every reason.
    pub(super) fn unverified(reason: Rejection) -> Self {
        let problem = Problem::new(
            StatusCode::UNAUTHORIZED,
            "not-verified",
            "The request could not be verified",
            "No event was stored, and nothing else is affected. Sign the exact bytes of the body with the secret of \
             this source, and send the signature in the source's signature header.",
        );
        let scheme = HeaderValue::from_static("Signature realm=\"webhooks\"");
        Self::problem(
            reason.as_str(),
            problem.header(header::WWW_AUTHENTICATE, scheme),
        )
    }

    /// 404: no source has that name.
    pub(super) fn unknown_source() -> Self {
        let problem = Problem::new(
            StatusCode::NOT_FOUND,
            "unknown-source",
            "Unknown source",
            "Nothing was stored, and nothing else is affected. Send to /webhooks/{source}, with the name of a source \
             from Hookfast's configuration.",
        );
        Self::problem("unknown_source", problem)
    }

    /// 404: the source exists, but the topic is invalid.
    pub(super) fn bad_topic() -> Self {
        let problem = Problem::new(
            StatusCode::NOT_FOUND,
            "bad-topic",
            "Invalid topic",
            "Nothing was stored, and nothing else is affected. The source exists, but what follows it in the address \
             is not a topic. Send to /webhooks/{source} or /webhooks/{source}/{topic}, with one part as the topic.",
        );
        Self::problem("bad_topic", problem)
    }

    /// 404: not a webhook address.
    pub(super) fn unknown_path() -> Self {
        let problem = Problem::new(
            StatusCode::NOT_FOUND,
            "unknown-path",
            "Unknown address",
            "Nothing was stored, and nothing else is affected. Webhooks are received at /webhooks/{source} and \
             /webhooks/{source}/{topic}.",
        );
        Self::problem("unknown_path", problem)
    }

    /// 405: neither POST nor HEAD.
    pub(super) fn wrong_method() -> Self {
        let problem = Problem::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "wrong-method",
            "Webhooks must be sent with POST",
            "Nothing was stored, and nothing else is affected. Send the webhook with POST; HEAD checks the address.",
        );
        Self::problem(
            "wrong_method",
            problem.header(header::ALLOW, HeaderValue::from_static("POST, HEAD")),
        )
    }

    /// 503: the code that handles this request panicked.
    pub(super) fn panicked() -> Self {
        Self::problem(
            "panicked",
            ours(
                "internal",
                "Hookfast failed to process this request",
                "This request was not acknowledged; others are not affected. Send it again: if it was stored, the new \
                 one is recognised as a duplicate. The operator finds the cause in Hookfast's log.",
                SOON,
            ),
        )
    }
}

/// 503: a failure on Hookfast's side.
fn ours(name: &str, title: &str, detail: &str, retry_after: Duration) -> Problem {
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, name, title, detail).retry_after(retry_after)
}

/// The response for a connection over the limit. Its request is not read.
pub(super) fn no_connection_free() -> Problem {
    ours(
        "too-many-connections",
        "Too many connections",
        "The limit of connections is reached, and this request was not read completely. Nothing of it was stored; \
         requests on open connections are not affected. Send it again a little later.",
        SOON,
    )
}

impl From<Unread> for Answer {
    fn from(unread: Unread) -> Self {
        match unread {
            Unread::TooLarge => Self::problem(
                "too_large",
                Problem::new(
                    StatusCode::PAYLOAD_TOO_LARGE,
                    "too-large",
                    "The body is too large",
                    "Nothing was stored, and nothing else is affected. Send a smaller body, or have the operator \
                     raise the limit for bodies.",
                )
                .closing(),
            ),
            Unread::TooSlow => Self::problem(
                "too_slow",
                Problem::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "too-slow",
                    "The body was not received in time",
                    "Nothing was stored, and nothing else is affected. Send the whole request again without pauses.",
                )
                .closing(),
            ),
            Unread::Broken => Self::problem(
                "broken_body",
                Problem::new(
                    StatusCode::BAD_REQUEST,
                    "broken-body",
                    "The body is incomplete",
                    "It ended before its declared length, or its chunks are malformed. Nothing was stored, and \
                     nothing else is affected. Send the whole request again.",
                )
                .closing(),
            ),
            Unread::Evicted => Self::problem(
                "evicted",
                ours(
                    "evicted",
                    "Other requests need this connection",
                    "The limit of connections or of memory for bodies is reached, and this request made the least \
                     progress. Nothing of it was stored; other requests are not affected. Send it again a little \
                     later, without pauses.",
                    SOON,
                )
                .closing(),
            ),
            Unread::NoRoom => Self::problem(
                "no_room",
                ours(
                    "no-room",
                    "Too many requests are in progress",
                    "The requests in progress use all the memory for bodies. Nothing of this request was stored; \
                     other requests are not affected. Send it again a little later.",
                    SOON,
                )
                .closing(),
            ),
        }
    }
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Busy => Self::problem(
                "busy",
                ours(
                    "busy",
                    "Too many requests are waiting for the database",
                    "Nothing of this request was stored; the waiting requests are not affected. Send it again a \
                     little later.",
                    SOON,
                ),
            ),
            Refusal::Unavailable => Self::problem(
                "unavailable",
                ours(
                    "unavailable",
                    "The database cannot be reached",
                    "This request could not be confirmed as stored; acknowledged requests are not affected. Send it \
                     again: if it was stored, the new one is recognised as a duplicate.",
                    SOON,
                ),
            ),
            Refusal::KeyHeld => Self::problem(
                "key_held",
                ours(
                    "key-held",
                    "Another transaction is storing the same event",
                    "Nothing of this request was stored yet; others are not affected. Send it again a little later.",
                    SOON,
                ),
            ),
            Refusal::InvalidData => Self::problem(
                "invalid_data",
                ours(
                    "invalid-data",
                    "The database refuses this request's data",
                    "Nothing of this request was stored; others are not affected. The operator finds the cause in \
                     Hookfast's log.",
                    LATER,
                ),
            ),
        }
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self.kind {
            Kind::Kept(event_id) => {
                http_server::json(&json!({ "status": self.verdict, "event_id": event_id }))
            }
            Kind::Here => StatusCode::OK.into_response(),
            Kind::Handshake(handshake) => http_server::text(handshake.as_str()),
            Kind::Problem(problem) => problem.into_response(),
        }
    }
}

/// Whether the request is kept and answered 200 although it was not verified. This needs the
/// operator's setting, and a signature that is well formed but wrong.
pub(super) fn is_kept(policy: OnInvalidSignature, reason: Rejection) -> bool {
    policy == OnInvalidSignature::Quarantine && reason == Rejection::WrongSignature
}
