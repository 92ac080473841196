//! What every request has to pass, and the headers of every response.

use super::{Console, problem};
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};

/// No inline script or style, no frame, no other origin. Strings never become HTML or script.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; font-src 'self'; \
    connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

const HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "same-origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
    (HeaderName::from_static("x-frame-options"), "DENY"),
];

/// Why a request is not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Suspicion {
    /// The Host header names another machine: DNS that a stranger controls points here.
    Host,
    /// A page of another site made the browser send it.
    Site,
}

pub(super) async fn guard(
    State(console): State<Console>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match suspicion(&console, &request) {
        None => next.run(request).await,
        Some(Suspicion::Host) => problem::message(
            StatusCode::MISDIRECTED_REQUEST,
            "Unknown host",
            "The Host header of this request names no address of the console, so it was not served and nothing was changed. \
             Open the console at its own address, or set [console] url to the address that you use.",
        ),
        Some(Suspicion::Site) => problem::message(
            StatusCode::FORBIDDEN,
            "Request of another site",
            "This request did not come from a page of the console, so nothing was changed. Open the page here and try again.",
        ),
    };
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
        .headers_mut()
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    response
}

fn suspicion(console: &Console, request: &Request<Body>) -> Option<Suspicion> {
    let settings = &console.shared.settings;
    let one = |name: HeaderName| {
        let mut values = request.headers().get_all(name).iter();
        let first = values.next();
        // A header that is given twice is read differently by different programs.
        first.filter(|_| values.next().is_none())?.to_str().ok()
    };
    let Some(host) = one(header::HOST).filter(|host| settings.is_host(host)) else {
        return Some(Suspicion::Host);
    };
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        return None;
    }
    let is_ours = match request.headers().contains_key("sec-fetch-site") {
        true => one(HeaderName::from_static("sec-fetch-site")) == Some("same-origin"),
        // Browsers send it to trustworthy addresses only.
        false => one(header::ORIGIN).is_some_and(|origin| settings.is_origin(origin, host)),
    };
    (!is_ours).then_some(Suspicion::Site)
}
