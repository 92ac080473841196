//! Errors of requests that got no response. Their texts name the URL by host and port only.

use super::{
    client::{causes, innermost, is_broken},
    guard::AddressBlocked,
};
use crate::domain::{ErrorKind, seconds};
use std::{error::Error, io, time::Duration};

/// The kind of error, and its text, of a request that got no response.
pub(super) fn describe(
    error: &reqwest::Error,
    target: &str,
    connect_timeout: Duration,
) -> (ErrorKind, String) {
    if let Some(refused) = find::<AddressBlocked>(error) {
        return (ErrorKind::AddressBlocked, refused.to_string());
    }
    let cause = innermost(error);
    if error.is_dns() {
        return (
            ErrorKind::NameResolution,
            format!("name not found: {target}: {cause}"),
        );
    }
    if error.is_connect() && error.is_timeout() {
        let limit = seconds(connect_timeout);
        return (
            ErrorKind::Timeout,
            format!("timed out after {limit}: no connection to {target}"),
        );
    }
    if causes(error).any(is_tls) {
        return (ErrorKind::Tls, format!("tls failed: {target}: {cause}"));
    }
    if find::<io::Error>(error).is_some_and(|e| e.kind() == io::ErrorKind::ConnectionRefused) {
        return (
            ErrorKind::ConnectionRefused,
            format!("connection refused: nothing accepts connections at {target}"),
        );
    }
    if error.is_connect() {
        return (
            ErrorKind::ConnectionFailed,
            format!("connection failed: {target}: {cause}"),
        );
    }
    if let Some(hyper) = find::<hyper::Error>(error) {
        if hyper.is_parse_too_large() {
            return (
                ErrorKind::ResponseTooLarge,
                format!("response too large: {target} sent more headers than Hookfast reads"),
            );
        }
        if hyper.is_parse() {
            return (
                ErrorKind::InvalidResponse,
                format!("not http: the response of {target} is not HTTP/1.1 ({cause})"),
            );
        }
    }
    if is_broken(error) {
        return (
            ErrorKind::ConnectionBroken,
            format!("connection broken: {target} closed the connection before it responded"),
        );
    }
    (
        ErrorKind::Request,
        format!("request failed: {target}: {cause}"),
    )
}

fn find<E: Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// rustls errors are inside one or two `io::Error`s. The `source` of an `io::Error` is not the
/// error it holds, but the source of that error.
fn is_tls(cause: &(dyn Error + 'static)) -> bool {
    let held = cause
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    cause.is::<rustls::Error>() || held.is_some_and(|held| is_tls(held))
}
