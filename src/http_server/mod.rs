//! The HTTP/1 server of the ingress and the admin server: connections, their limits, and problem
//! responses.
//!
//! It imports no other module of Hookfast except for log throttling. If a peer does not send valid
//! HTTP, hyper responds by itself with an empty body: 400 for bytes that cannot be parsed, 414 for
//! an address longer than 64 KiB, 431 for headers that are too large or too many (more than 100).
//! These responses are reported, too ([`Unserved`]). All other error responses are a [`Problem`].

mod accept;
mod connection;
mod overload;
mod pace;
mod phase_timer;
mod problem;
mod table;
mod timed_stream;
mod unserved;

pub(crate) use accept::{PeerAddress, WithPeer, serve};
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

/// A 200 with plain text. `nosniff` keeps a browser from treating it as another type.
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

pub(crate) fn json(body: &serde_json::Value) -> Response {
    let kind = HeaderValue::from_static("application/json");
    ([(header::CONTENT_TYPE, kind)], body.to_string()).into_response()
}
