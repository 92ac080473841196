//! Where a value of a request comes from: its body or a header.

use crate::domain::{InvalidPointer, Pointer};
use axum::http::{HeaderMap, HeaderName};
use std::{fmt, str::FromStr};

/// The location of a value in a request, written as a JSON pointer into the body (`/data/id`) or as
/// a header (`header:x-topic`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ValueSource {
    /// A member of the body, which is signed.
    Body(Pointer),
    /// The header with this name.
    Header(HeaderName),
}

/// The text does not name a location.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidValueSource {
    /// The text after `header:` is not a header's name.
    #[error("'{0}' is not a header name; a header is written header:x-name")]
    Header(String),
    /// The text is not a JSON pointer.
    #[error("{0}; a header is written header:x-name")]
    Pointer(#[from] InvalidPointer),
}

impl FromStr for ValueSource {
    type Err = InvalidValueSource;

    fn from_str(text: &str) -> Result<Self, InvalidValueSource> {
        match text.strip_prefix("header:") {
            Some(name) => {
                Ok(Self::Header(name.parse().map_err(|_| {
                    InvalidValueSource::Header(name.to_owned())
                })?))
            }
            None => Ok(Self::Body(text.parse()?)),
        }
    }
}

impl fmt::Display for ValueSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Body(pointer) => write!(f, "{pointer}"),
            Self::Header(name) => write!(f, "header:{name}"),
        }
    }
}

impl ValueSource {
    /// Reads the value: a string that is not blank, or a number as written.
    pub(super) fn read(&self, headers: &HeaderMap, body: &[u8]) -> Option<String> {
        match self {
            Self::Body(pointer) => pointer.scalar(body),
            Self::Header(name) => text(headers, name).map(str::to_owned),
        }
    }
}

/// The value of the header with this name, if it is there once and not blank.
pub(super) fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    let mut values = headers.get_all(name).iter();
    let text = std::str::from_utf8(values.next()?.as_bytes()).ok()?;
    let says_something = values.next().is_none() && !text.trim().is_empty();
    says_something.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_source_is_in_the_body_or_a_header() {
        let mut headers = HeaderMap::new();
        headers.insert("x-topic", "orders/create".parse().expect("a value"));
        headers.append("x-twice", "a".parse().expect("a value"));
        headers.append("x-twice", "b".parse().expect("a value"));
        headers.insert("x-blank", " ".parse().expect("a value"));
        headers.insert(
            "x-raw",
            axum::http::HeaderValue::from_bytes(b"\xff").expect("a value"),
        );
        let read = |location: &str| {
            location
                .parse::<ValueSource>()
                .expect(location)
                .read(&headers, br#"{"a":{"id":5}}"#)
        };
        assert_eq!(read("header:X-Topic").as_deref(), Some("orders/create"));
        assert_eq!(read("/a/id").as_deref(), Some("5"));
        for nothing in [
            "header:x-twice",
            "header:x-blank",
            "header:x-raw",
            "header:x-none",
            "/a",
        ] {
            assert_eq!(read(nothing), None, "{nothing}");
        }
        for wrong in ["", "x-topic", "header:", "header:x topic", "body:/a"] {
            assert!(wrong.parse::<ValueSource>().is_err(), "{wrong}");
        }
        assert_eq!(
            "header:X-A"
                .parse::<ValueSource>()
                .expect("a location")
                .to_string(),
            "header:x-a"
        );
    }
}
