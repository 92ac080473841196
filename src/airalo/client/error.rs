//! Errors of Airalo's API.

use serde::Deserialize;
use std::{collections::BTreeMap, fmt, time::Duration};

/// Why a call to Airalo's API failed. No message repeats the credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ApiError {
    /// The base URL is invalid.
    #[error(
        "'{0}' is not an http or https URL, so nothing was sent. Give the base URL, such as https://partners-api.airalo.com"
    )]
    Address(String),
    /// The base URL is plain http to another machine.
    #[error(
        "'{0}' is plain http to another machine, and the client secret would be sent there in clear text: nothing was sent. Use https://; http:// is for an emulator on this machine (127.0.0.1, [::1] or localhost)"
    )]
    ClearText(String),
    /// No connection to Airalo could be made, so the request was not sent.
    #[error(
        "Airalo could not be reached ({0}); nothing was sent. Check the URL and the network, and try again"
    )]
    NotSent(String),
    /// The request was sent, but no complete response arrived.
    #[error(
        "the request was sent, but no complete response arrived ({0}); it is not known whether Airalo processed it. Check there before you repeat it"
    )]
    NoAnswer(String),
    /// Airalo rejected the credentials (401).
    #[error(
        "Airalo rejected the credentials; nothing was done. Compare client_id and client_secret with those of the partner portal"
    )]
    Unauthorized,
    /// Airalo does not accept calls from this IP address (403 with code 89).
    #[error(
        "Airalo does not accept calls from this machine's address; nothing was done. Have it added to the partner's list"
    )]
    AddressNotAllowed,
    /// Airalo's rate limit was reached (429). Holds the wait that Airalo asks for, if it names one.
    #[error("Airalo's rate limit for these calls is reached{}; nothing was done. Try again later", after(.0))]
    RateLimited(Option<Duration>),
    /// Airalo rejected fields of the request (422). Maps each field to Airalo's message.
    #[error("Airalo rejected the request: {}; nothing was done. Correct these fields and try again", fields(.0))]
    Invalid(BTreeMap<String, String>),
    /// Airalo rejected the request for any other reason.
    #[error("Airalo rejected the request: {reason}{}; nothing was done{}", number(.code), advice(.code))]
    Refused {
        /// The HTTP status of the response.
        status: u16,
        /// Airalo's error code.
        code: Option<i64>,
        /// Airalo's error message, or the status if there is none.
        reason: String,
    },
    /// Airalo does not know the requested object (404).
    #[error(
        "Airalo does not know this number; nothing was done. Compare it with Airalo's list: hookfast airalo orders --remote"
    )]
    NotFound,
    /// Airalo failed to process the request (5xx). Holds the status.
    #[error(
        "Airalo responded with status {0}; it is not known whether it processed the request. Check there before you repeat it"
    )]
    Unavailable(u16),
    /// The response does not have the documented form. Holds the status.
    #[error(
        "Airalo's response (status {0}) is not understood; it is not known whether Airalo processed the request. Check there before you repeat it"
    )]
    Unreadable(u16),
}

impl ApiError {
    /// Whether Airalo may have carried out the call. If so, only Airalo's own records show it.
    pub fn is_unknown(&self) -> bool {
        matches!(
            self,
            Self::NoAnswer(_) | Self::Unavailable(_) | Self::Unreadable(_)
        )
    }

    /// Reads the response to a call that failed.
    pub(super) fn read(status: u16, retry_after: Option<&str>, body: &[u8]) -> Self {
        let error: Body = serde_json::from_slice(body).unwrap_or_default();
        match status {
            401 => Self::Unauthorized,
            403 if error.code == Some(89) => Self::AddressNotAllowed,
            404 => Self::NotFound,
            429 => Self::RateLimited(
                retry_after
                    .and_then(|text| text.trim().parse().ok())
                    .map(Duration::from_secs),
            ),
            400..=499 => match (error.reason.or(error.error), error.data) {
                (None, serde_json::Value::Object(fields)) if !fields.is_empty() => {
                    let text = |value: serde_json::Value| match value {
                        serde_json::Value::String(text) => text,
                        other => other.to_string(),
                    };
                    Self::Invalid(
                        fields
                            .into_iter()
                            .map(|(name, value)| (clean(&name), clean(&text(value))))
                            .collect(),
                    )
                }
                (reason, _) => {
                    let reason = reason
                        .or(error.meta.message)
                        .unwrap_or_else(|| format!("status {status}"));
                    Self::Refused {
                        status,
                        code: error.code,
                        reason: clean(&reason),
                    }
                }
            },
            500..=599 => Self::Unavailable(status),
            _ => Self::Unreadable(status),
        }
    }
}

/// All forms of error bodies in one type: the API sends `{"data": {field: text}, "meta": …}` and
/// `{"code": …, "reason": …}`, the simulator `{"error": …}`.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Body {
    code: Option<i64>,
    reason: Option<String>,
    error: Option<String>,
    data: serde_json::Value,
    meta: Meta,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Meta {
    message: Option<String>,
}

/// Makes a text safe to print on a terminal and in a log line.
fn clean(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(300).collect()
}

fn after(wait: &Option<Duration>) -> String {
    wait.map(|wait| format!(" (for {} s)", wait.as_secs()))
        .unwrap_or_default()
}

fn fields(fields: &BTreeMap<String, String>) -> String {
    fields
        .iter()
        .map(|(name, text)| format!("{name}: {text}"))
        .collect::<Vec<_>>()
        .join("; ")
}

fn number(code: &Option<i64>) -> impl fmt::Display {
    code.map(|code| format!(" (code {code})"))
        .unwrap_or_default()
}

/// Advice for the codes that Airalo documents.
fn advice(code: &Option<i64>) -> &'static str {
    match code {
        Some(11) => ". There is not enough credit: add some in the partner portal",
        Some(13) => ". The operator is under maintenance: try again later",
        Some(23) => ". This eSIM does not support top-ups",
        Some(33) => ". There is not enough stock of this package: order another, or fewer",
        Some(34) => ". The package is unknown or out of stock: look it up in the list of packages",
        Some(73) => ". The eSIM was recycled",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_refusal_is_its_own_error() {
        let read = |status, body: &str| ApiError::read(status, Some("20"), body.as_bytes());
        assert_eq!(read(401, "{}"), ApiError::Unauthorized);
        assert_eq!(
            read(403, r#"{"code":89,"reason":"x"}"#),
            ApiError::AddressNotAllowed
        );
        assert_eq!(
            read(429, "too many"),
            ApiError::RateLimited(Some(Duration::from_secs(20)))
        );
        assert_eq!(
            read(
                422,
                r#"{"data":{"quantity":"The quantity may not be greater than 50."},"meta":{"message":"the parameter is invalid"}}"#
            ),
            ApiError::Invalid(
                [(
                    "quantity".into(),
                    "The quantity may not be greater than 50.".into()
                )]
                .into()
            )
        );
        let refused = |status, code, reason: &str| ApiError::Refused {
            status,
            code,
            reason: reason.into(),
        };
        assert_eq!(
            read(422, r#"{"code":11,"reason":"Insufficient credit"}"#),
            refused(422, Some(11), "Insufficient credit")
        );
        assert_eq!(
            read(
                422,
                r#"{"reason":"User is not opted in and no webhook URL provided."}"#
            ),
            refused(
                422,
                None,
                "User is not opted in and no webhook URL provided."
            )
        );
        assert_eq!(
            read(400, r#"{"error":"User is not opted in"}"#),
            refused(400, None, "User is not opted in")
        );
        assert_eq!(read(400, "<html>"), refused(400, None, "status 400"));
        assert_eq!(
            read(422, r#"{"data":[],"meta":{"message":"no"}}"#),
            refused(422, None, "no")
        );
        for (status, body) in [(500, "{}"), (503, ""), (302, "")] {
            assert!(read(status, body).is_unknown(), "{status}");
        }
        assert!(
            read(422, r#"{"code":11,"reason":"x"}"#)
                .to_string()
                .contains("add some")
        );
    }

    #[test]
    fn error_messages_are_safe_for_a_terminal() {
        let error = ApiError::read(422, None, b"{\"reason\":\"\\u001b[2Jgone\"}");
        assert!(!error.to_string().contains('\u{1b}'), "{error}");
    }
}
