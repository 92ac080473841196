//! What a person reads where there was no answer. The kind comes first; the URL is named by host and port only.

use super::{
    client::{causes, innermost, is_broken},
    guard::AddressRefused,
};
use crate::domain::seconds;
use std::{error::Error, io, time::Duration};

/// Why a request got no answer.
pub(super) fn describe(error: &reqwest::Error, target: &str, connect_timeout: Duration) -> String {
    if let Some(refused) = find::<AddressRefused>(error) {
        return refused.to_string();
    }
    let cause = innermost(error);
    if error.is_dns() {
        return format!("name not found: {target}: {cause}");
    }
    if error.is_connect() && error.is_timeout() {
        return format!(
            "timed out after {}: no connection to {target}",
            seconds(connect_timeout)
        );
    }
    if causes(error).any(is_tls) {
        return format!("tls failed: {target}: {cause}");
    }
    if find::<io::Error>(error).is_some_and(|e| e.kind() == io::ErrorKind::ConnectionRefused) {
        return format!("connection refused: nothing accepts connections at {target}");
    }
    if error.is_connect() {
        return format!("connection failed: {target}: {cause}");
    }
    if let Some(hyper) = find::<hyper::Error>(error) {
        if hyper.is_parse_too_large() {
            return format!("answer refused: {target} answered with more headers than are read");
        }
        if hyper.is_parse() {
            return format!(
                "not http: {target} answered with something that is not HTTP/1.1 ({cause})"
            );
        }
    }
    if is_broken(error) {
        return format!("connection broken: {target} closed the connection before it answered");
    }
    format!("request failed: {target}: {cause}")
}

fn find<E: Error + 'static>(error: &reqwest::Error) -> Option<&E> {
    causes(error).find_map(|cause| cause.downcast_ref())
}

/// rustls hides inside an `io::Error` (or two), whose `source` is not the error it holds but that one's source.
fn is_tls(cause: &(dyn Error + 'static)) -> bool {
    let held = cause
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref);
    cause.is::<rustls::Error>() || held.is_some_and(|held| is_tls(held))
}
