//! Converts headers to and from the JSON object that is stored.

use crate::domain::header_values;
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Map, Value};

/// Credentials are never stored; they are no part of an event.
const NEVER_STORED: [&str; 4] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "set-cookie",
];

/// Names are in lower case. Several values of one name become a list. A value that is not UTF-8
/// becomes `base64:…`.
pub(super) fn to_json(headers: &HeaderMap) -> String {
    let mut object = Map::new();
    for name in headers.keys() {
        if NEVER_STORED.contains(&name.as_str()) {
            continue;
        }
        let mut values =
            headers
                .get_all(name)
                .iter()
                .map(|value| match std::str::from_utf8(value.as_bytes()) {
                    Ok(text) => Value::from(text),
                    Err(_) => Value::from(format!(
                        "base64:{}",
                        BASE64_STANDARD.encode(value.as_bytes())
                    )),
                });
        let value = match (values.next(), values.next()) {
            (Some(only), None) => only,
            (first, second) => first.into_iter().chain(second).chain(values).collect(),
        };
        object.insert(name.as_str().to_owned(), value);
    }
    Value::Object(object).to_string()
}

/// Converts stored headers back. Invalid ones, which this program never stores, are left out.
pub(super) fn from_json(stored: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in stored.as_object().into_iter().flatten() {
        let Ok(name) = HeaderName::try_from(name) else {
            continue;
        };
        let values = header_values(value)
            .into_iter()
            .filter_map(|bytes| HeaderValue::from_bytes(&bytes).ok());
        headers.extend(values.map(|value| (name.clone(), value)));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_become_an_object_without_credentials() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", HeaderValue::from_static("Bearer canary"));
        headers.insert("cookie", HeaderValue::from_static("canary"));
        headers.append("x-many", HeaderValue::from_static("a"));
        headers.append("x-many", HeaderValue::from_static("b"));
        headers.insert(
            "x-raw",
            HeaderValue::from_bytes(b"\xff\"").expect("obs-text is allowed"),
        );
        headers.insert(
            "x-text",
            HeaderValue::from_bytes("é".as_bytes()).expect("obs-text is allowed"),
        );
        let json: Value = serde_json::from_str(&to_json(&headers)).expect("it is JSON");
        assert_eq!(
            json,
            serde_json::json!({"x-many": ["a", "b"], "x-raw": "base64:/yI=", "x-text": "é"})
        );
    }

    #[test]
    fn a_stored_header_is_restored_unchanged() {
        let mut headers = HeaderMap::new();
        headers.append("x-many", HeaderValue::from_static("a"));
        headers.append("x-many", HeaderValue::from_static("b"));
        headers.insert(
            "x-raw",
            HeaderValue::from_bytes(b"\xff\"").expect("obs-text is allowed"),
        );
        headers.insert(
            "x-text",
            HeaderValue::from_bytes("é".as_bytes()).expect("obs-text is allowed"),
        );
        headers.insert("x-like", HeaderValue::from_static("base64:!"));
        let stored = serde_json::from_str(&to_json(&headers)).expect("it is JSON");
        assert_eq!(from_json(&stored), headers);
    }
}
