//! Converts a receiver's response to an outcome.

use crate::domain::{ErrorKind, Outcome, Report, StorableText};
use reqwest::{
    Response, StatusCode,
    header::{HeaderMap, RETRY_AFTER},
};
use std::time::{Duration, SystemTime};
use tokio::time::{Instant, timeout_at};

/// How many bytes of a body are kept for the error message.
const KEPT: usize = 1024;

/// How many bytes of a body are read. Only a connection whose body was read to the end can be
/// reused.
const READ: usize = 64 * 1024;

/// How long to wait for the body after the status is known.
const BODY_TIME: Duration = Duration::from_secs(1);

/// The longest delay that a receiver can ask for.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// Reads a bounded part of the response and converts it. Only the status decides: a body that hangs
/// or breaks changes nothing.
pub(super) async fn read(mut response: Response, dead_on: &[u16], deadline: Instant) -> Report {
    let status = response.status();
    let wait = retry_after(response.headers(), SystemTime::now());
    let body = excerpt(&mut response, deadline.min(Instant::now() + BODY_TIME)).await;
    Report {
        outcome: outcome(status, &body, wait, dead_on),
        status: Some(status.as_u16()),
    }
}

fn outcome(status: StatusCode, body: &[u8], after: Option<Duration>, dead_on: &[u16]) -> Outcome {
    if status.is_success() {
        return Outcome::Delivered;
    }
    let error = describe(status, body);
    if dead_on.contains(&status.as_u16()) {
        Outcome::Dead { error }
    } else if status == StatusCode::GONE {
        Outcome::EndpointGone { error }
    } else {
        // A 4xx or a redirect concerns this one event. A 5xx concerns the receiver.
        Outcome::Retry {
            error,
            after,
            unavailable: status.is_server_error(),
            // The status of the report decides the kind.
            kind: ErrorKind::default(),
        }
    }
}

fn describe(status: StatusCode, body: &[u8]) -> String {
    let text = StorableText::from_bytes(body, KEPT).into_string();
    match (status.is_redirection(), text.trim()) {
        // The target of a redirect is not repeated, because it may hold a secret, as the URL may.
        (true, _) => {
            format!(
                "status {}: redirects are not followed; set the handler's url to the final URL",
                status.as_u16()
            )
        }
        (false, "") => format!("status {}", status.as_u16()),
        (false, text) => format!("status {}: {text}", status.as_u16()),
    }
}

/// The time in `Retry-After`, in seconds or as an HTTP date, at most a day. Other values are
/// ignored.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        // A number with too many digits to parse is a very long time.
        Duration::from_secs(text.parse().unwrap_or(u64::MAX))
    } else {
        httpdate::parse_http_date(text)
            .ok()?
            .duration_since(now)
            .unwrap_or_default()
    };
    Some(wait.min(LONGEST_WAIT))
}

/// The beginning of the body. The rest is read up to a bound and dropped.
async fn excerpt(response: &mut Response, until: Instant) -> Vec<u8> {
    let (mut kept, mut read) = (Vec::new(), 0);
    while read < READ {
        let Ok(Ok(Some(chunk))) = timeout_at(until, response.chunk()).await else {
            break;
        };
        read += chunk.len();
        kept.extend_from_slice(&chunk[..chunk.len().min(KEPT - kept.len())]);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::time::UNIX_EPOCH;

    fn after(value: &str, now: u64) -> Option<u64> {
        let headers = HeaderMap::from_iter([(RETRY_AFTER, value.parse().expect("a header value"))]);
        retry_after(&headers, UNIX_EPOCH + Duration::from_secs(now)).map(|wait| wait.as_secs())
    }

    #[test]
    fn retry_after_in_both_forms_bounded_and_nothing_else() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        for (value, now, expected) in [
            ("0", 0, Some(0)),
            ("120", 0, Some(120)),
            (" 7 ", 0, Some(7)),
            ("86401", 0, Some(86_400)),
            ("99999999999999999999999999", 0, Some(86_400)),
            (date, 784_111_777 - 90, Some(90)),
            (date, 784_111_777 + 1, Some(0)),
            (date, 0, Some(86_400)),
            ("", 0, None),
            ("-1", 0, None),
            ("+5", 0, None),
            ("1.5", 0, None),
            ("soon", 0, None),
            ("Sun, 99 Foo 1994 08:49:37 GMT", 0, None),
        ] {
            assert_eq!(after(value, now), expected, "{value:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), UNIX_EPOCH), None);
    }

    #[test]
    fn responses_map_to_the_documented_outcomes() {
        let wait = Some(Duration::from_secs(9));
        let of = |status: u16, body: &[u8]| {
            outcome(
                StatusCode::from_u16(status).expect("a status"),
                body,
                wait,
                &[422, 404],
            )
        };
        for delivered in [200, 201, 202, 204, 299] {
            assert_eq!(of(delivered, b"x"), Outcome::Delivered, "{delivered}");
        }
        assert_eq!(
            of(410, b"moved away"),
            Outcome::EndpointGone {
                error: "status 410: moved away".into()
            }
        );
        assert_eq!(of(422, b" no\n"), Outcome::dead("status 422: no"));
        for again in [
            199, 300, 302, 304, 400, 401, 403, 408, 409, 413, 418, 429, 500, 502, 503, 504, 599,
            999,
        ] {
            let Outcome::Retry {
                error,
                after,
                unavailable,
                ..
            } = of(again, b"")
            else {
                panic!("{again} is retried")
            };
            assert!(
                error.starts_with(&format!("status {again}")) && after == wait,
                "{error}"
            );
            assert_eq!(unavailable, (500..600).contains(&again), "{again}");
        }
        let gone_is_dead = outcome(StatusCode::GONE, b"", None, &[410]);
        assert_eq!(
            gone_is_dead,
            Outcome::dead("status 410"),
            "what the operator lists comes first"
        );
        assert!(
            !describe(StatusCode::FOUND, b"<a href='https://x/?token=hunter2'>")
                .contains("hunter2")
        );
        assert_eq!(
            describe(StatusCode::BAD_GATEWAY, b"a\0b\xff"),
            "status 502: a\u{fffd}b\u{fffd}"
        );
    }

    proptest! {
        #[test]
        fn no_header_value_is_too_odd(value: Vec<u8>) {
            if let Ok(value) = reqwest::header::HeaderValue::from_bytes(&value) {
                let wait = retry_after(&HeaderMap::from_iter([(RETRY_AFTER, value)]), UNIX_EPOCH);
                prop_assert!(wait.unwrap_or_default() <= LONGEST_WAIT);
            }
        }
    }
}
