//! Error responses for people and programs (problem details, RFC 9457): what happened, what was not
//! affected, what to do next.

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, Response, StatusCode, header},
    response::IntoResponse,
};
use serde_json::{Map, Value};
use std::time::Duration;

/// An error response: `application/problem+json` with `type`, `title`, `status`, `detail`.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    status: StatusCode,
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// A problem whose `type` is `urn:hookfast:problem:{name}`. `title` and `detail` must not
    /// contain anything from a request.
    pub(crate) fn new(status: StatusCode, name: &str, title: &str, detail: &str) -> Self {
        let mut members = Map::new();
        members.insert(
            "type".to_owned(),
            format!("urn:hookfast:problem:{name}").into(),
        );
        members.insert("title".to_owned(), title.into());
        members.insert("status".to_owned(), status.as_u16().into());
        members.insert("detail".to_owned(), detail.into());
        Self {
            status,
            members,
            headers: vec![],
        }
    }

    pub(crate) fn member(mut self, name: &str, value: Value) -> Self {
        self.members.insert(name.to_owned(), value);
        self
    }

    pub(crate) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Adds `Retry-After`, in whole seconds.
    pub(crate) fn retry_after(self, delay: Duration) -> Self {
        self.header(header::RETRY_AFTER, delay.as_secs().into())
    }

    /// Closes the connection after this response. The rest of the request is not read.
    pub(crate) fn closing(self) -> Self {
        self.header(header::CONNECTION, HeaderValue::from_static("close"))
    }

    pub(crate) fn status(&self) -> StatusCode {
        self.status
    }

    /// The whole response as bytes, for a peer whose request is not read.
    pub(super) fn into_wire(self) -> Vec<u8> {
        let response = self.closing().into_parts();
        let (headers, body) = response;
        let mut wire = format!(
            "HTTP/1.1 {}\r\ncontent-length: {}\r\n",
            headers.0,
            body.len()
        )
        .into_bytes();
        for (name, value) in &headers.1 {
            wire.extend_from_slice(name.as_str().as_bytes());
            wire.extend_from_slice(b": ");
            wire.extend_from_slice(value.as_bytes());
            wire.extend_from_slice(b"\r\n");
        }
        wire.extend_from_slice(b"\r\n");
        wire.extend_from_slice(body.as_bytes());
        wire
    }

    fn into_parts(self) -> ((StatusCode, Vec<(HeaderName, HeaderValue)>), String) {
        let mut headers = self.headers;
        headers.push((
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        ));
        (
            (self.status, headers),
            Value::Object(self.members).to_string(),
        )
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        let ((status, headers), body) = self.into_parts();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response.headers_mut().extend(headers);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_complete_response_on_the_wire() {
        let problem = Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "busy",
            "Busy",
            "Send it again.",
        );
        let wire = String::from_utf8(problem.retry_after(Duration::from_secs(2)).into_wire())
            .expect("text");
        let (head, body) = wire.split_once("\r\n\r\n").expect("a head and a body");
        assert!(
            head.starts_with("HTTP/1.1 503 Service Unavailable\r\n"),
            "{head}"
        );
        assert!(
            head.contains(&format!("content-length: {}", body.len())),
            "{head}"
        );
        for header in [
            "retry-after: 2",
            "connection: close",
            "content-type: application/problem+json",
        ] {
            assert!(head.contains(header), "{header} in {head}");
        }
        let body: Value = serde_json::from_str(body).expect("JSON");
        assert_eq!(body["type"], "urn:hookfast:problem:busy");
        assert_eq!(body["status"], 503);
    }
}
