//! HTTP/1 towards the outside, for the ingress and for the admin server: connections, their limits, and problem answers.
//!
//! Imports nothing of ours. Where a peer does not speak HTTP, hyper answers by itself, with an empty body: 400 for
//! what cannot be parsed, 414 for an address past 64 KiB, 431 for too large or too many headers (100). Everything else
//! is a [`Problem`]. Those answers, too, are reported ([`Unserved`]).

mod accept;
mod connection;
mod overload;
mod pace;
mod phase_timer;
mod problem;
mod table;
mod timed_stream;
mod unserved;

pub(crate) use accept::serve;
pub(crate) use connection::ConnectionLimits;
pub(crate) use pace::Pace;
pub(crate) use problem::Problem;
pub(crate) use table::Rivals;
pub(crate) use timed_stream::BodyError;
pub(crate) use unserved::Unserved;

use axum::{
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};

/// A 200 with plain text, which no browser takes for anything else.
pub(crate) fn text(body: &str) -> Response {
    let kind = HeaderValue::from_static("text/plain; charset=utf-8");
    let as_it_is = HeaderValue::from_static("nosniff");
    (
        [
            (header::CONTENT_TYPE, kind),
            (header::X_CONTENT_TYPE_OPTIONS, as_it_is),
        ],
        body.to_owned(),
    )
        .into_response()
}

/// A 200 with a JSON body.
pub(crate) fn json(body: &serde_json::Value) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], body.to_string()).into_response()
}
