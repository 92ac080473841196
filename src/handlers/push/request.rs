//! The request of an attempt: the body as it was received, signed, with headers that identify the
//! delivery.

use super::Credentials;
use crate::domain::{Delivery, Event, header_values, rfc3339};
use crate::signing::standard_webhooks;
use reqwest::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use std::{
    fmt::Display,
    time::{SystemTime, UNIX_EPOCH},
};

/// The delivery's id, the same for all attempts.
pub(crate) const DELIVERY: &str = "hookfast-delivery";
/// The number of the attempt, from 1.
pub(crate) const ATTEMPT: &str = "hookfast-attempt";
pub(crate) const SOURCE: &str = "hookfast-source";
pub(crate) const TYPE: &str = "hookfast-type";
/// When the event was stored, as RFC 3339 in UTC.
pub(crate) const RECEIVED_AT: &str = "hookfast-received-at";

/// All headers of one attempt. The operator's headers may replace only the content type and the
/// user agent. `forwarded` names the sender's headers that are forwarded.
pub(super) fn headers(
    delivery: &Delivery,
    with: &Credentials,
    forwarded: &[HeaderName],
    now: SystemTime,
) -> HeaderMap {
    let event = &delivery.event;
    let id = delivery.webhook_id();
    let timestamp = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let mut headers = HeaderMap::new();
    headers.insert(
        USER_AGENT,
        HeaderValue::from_static(concat!("hookfast/", env!("CARGO_PKG_VERSION"))),
    );
    headers.insert(CONTENT_TYPE, content_type(event));
    for name in with.headers.keys() {
        headers.remove(name);
    }
    headers.extend(
        with.headers
            .iter()
            .map(|(name, value)| (name.clone(), value.clone())),
    );
    // Without its encoding a compressed body cannot be read.
    for name in forwarded
        .iter()
        .filter(|name| !with.headers.contains_key(*name))
        .chain([&CONTENT_ENCODING])
    {
        headers.extend(of_the_sender(event, name).map(|value| (name.clone(), value)));
    }
    headers.insert(
        standard_webhooks::SIGNATURE,
        text(standard_webhooks::sign(
            &with.secrets,
            &id,
            timestamp,
            &event.body,
        )),
    );
    headers.insert(standard_webhooks::ID, text(id));
    headers.insert(standard_webhooks::TIMESTAMP, text(timestamp));
    // The client omits this header for an empty body, and some servers respond to that with 411.
    headers.insert(CONTENT_LENGTH, text(event.body.len()));
    headers.insert(DELIVERY, text(delivery.id));
    headers.insert(ATTEMPT, text(delivery.attempt));
    headers.insert(SOURCE, text(&event.source));
    headers.insert(TYPE, text(&event.event_type));
    headers.insert(RECEIVED_AT, text(rfc3339(event.received_at)));
    headers
}

fn text(value: impl Display) -> HeaderValue {
    HeaderValue::try_from(value.to_string())
        .expect("ids, numbers, names, times and base64 are visible ASCII")
}

/// The values of a header of the original request, as far as they can be sent.
fn of_the_sender(event: &Event, name: &HeaderName) -> impl Iterator<Item = HeaderValue> + use<> {
    let stored = event
        .headers
        .get(name.as_str())
        .map(header_values)
        .unwrap_or_default();
    stored
        .into_iter()
        .filter_map(|value| HeaderValue::from_bytes(&value).ok())
}

/// The original content type if it is a valid header, otherwise one that fits the body.
fn content_type(event: &Event) -> HeaderValue {
    let original = match event.headers.get("content-type") {
        Some(serde_json::Value::Array(values)) => values.first().and_then(|v| v.as_str()),
        Some(value) => value.as_str(),
        None => None,
    };
    // A value that was not text is stored as base64.
    let usable = original.filter(|value| !value.is_empty() && !value.starts_with("base64:"));
    usable
        .and_then(|value| value.parse().ok())
        .unwrap_or_else(|| {
            let json = serde_json::from_slice::<serde::de::IgnoredAny>(&event.body).is_ok();
            HeaderValue::from_static(if json {
                "application/json"
            } else {
                "application/octet-stream"
            })
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::EventId;
    use serde_json::json;
    use std::sync::Arc;

    #[test]
    fn the_content_type_is_the_original_or_follows_the_body() {
        for (headers, body, expected) in [
            (
                json!({"content-type": "application/json; charset=utf-8"}),
                "x",
                "application/json; charset=utf-8",
            ),
            (
                json!({"content-type": ["text/plain", "text/html"]}),
                "{}",
                "text/plain",
            ),
            (
                json!({"content-type": "base64:/w=="}),
                "{}",
                "application/json",
            ),
            (
                json!({"content-type": "a\r\nx-injected: b"}),
                "{}",
                "application/json",
            ),
            (json!({"content-type": 7}), "no", "application/octet-stream"),
            (json!({"content-type": ""}), "", "application/octet-stream"),
            (json!({}), " [1] ", "application/json"),
            (json!(null), "{", "application/octet-stream"),
        ] {
            let event = Event {
                id: EventId(uuid::Uuid::nil()),
                source: "airalo".parse().expect("a name"),
                event_type: "airalo.unknown".parse().expect("a type"),
                topic: None,
                idempotency_key: String::new(),
                conflicts_with: None,
                received_at: UNIX_EPOCH,
                headers: Arc::new(headers.clone()),
                body: body.into(),
            };
            assert_eq!(content_type(&event), expected, "{headers} {body}");
        }
    }

    #[test]
    fn a_body_of_a_million_brackets_is_judged_without_recursion() {
        let deep = "[".repeat(1_000_000) + &"]".repeat(1_000_000);
        assert!(serde_json::from_str::<serde::de::IgnoredAny>(&deep).is_ok());
    }
}
