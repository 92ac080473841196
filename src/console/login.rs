//! Logging in with a ticket, and logging out.

use super::{
    assets,
    page::written,
    problem::{PageError, message},
    request::{PageRequest, hash},
};
use crate::store::Credential;
use askama::Template;
use axum::{
    body::{Body, to_bytes},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngExt as _;
use std::{
    sync::atomic::{AtomicU32, AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
};
use url::form_urlencoded;

/// The largest form.
const FORM_BYTES: usize = 64 * 1024;

#[derive(Template)]
#[template(path = "login.html")]
struct LoginPage {
    ticket: String,
    next: String,
    error: &'static str,
    theme: Option<&'static str>,
    stylesheet: String,
    icon: String,
}

/// The form. A ticket in the address is only shown: a preview of the link does not redeem it.
pub(super) async fn form(request: PageRequest) -> Result<Response, PageError> {
    let (ticket, next) = (request.parameter("ticket"), request.parameter("next"));
    page(
        &request,
        ticket.unwrap_or_default(),
        &next.unwrap_or_default(),
        "",
    )
}

fn page(
    request: &PageRequest,
    ticket: String,
    next: &str,
    error: &'static str,
) -> Result<Response, PageError> {
    let page = LoginPage {
        ticket,
        next: local(next).to_owned(),
        error,
        theme: request.theme,
        stylesheet: assets::address("console.css"),
        icon: assets::address("icon.svg"),
    };
    written(&page)
}

/// An address of this console; the page Now for any other.
fn local(next: &str) -> &str {
    let is_path =
        next.starts_with('/') && !next.starts_with("//") && !next.contains(['\\', '\r', '\n']);
    if is_path { next } else { "/" }
}

pub(super) async fn redeem(request: PageRequest, body: Body) -> Result<Response, PageError> {
    let form = to_bytes(body, FORM_BYTES).await.unwrap_or_default();
    let value = |name: &str| {
        let mut pairs = form_urlencoded::parse(&form);
        pairs
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.into_owned())
            .unwrap_or_default()
    };
    let next = value("next");
    let attempts = &request.console.shared.login_attempts;
    if !attempts.take() {
        let mut response = message(
            StatusCode::TOO_MANY_REQUESTS,
            "Too many attempts",
            "Too many tickets that do not exist were sent in the last minute, so this one was not tried; it is still good. \
             Sessions go on. Try again in a minute.",
        );
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from_static("60"));
        return Ok(response);
    }
    let key = URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 32]>());
    let ticket = value("ticket");
    let redeemed = request
        .console
        .shared
        .visitors
        .redeem(hash(ticket.trim()), hash(&key))
        .await;
    let Some(person) = redeemed? else {
        let mut response = page(&request, String::new(), &next, UNKNOWN)?;
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        return Ok(response);
    };
    attempts.give_back();
    tracing::info!(person, "logged in to the console");
    let mut response = Redirect::to(local(&next)).into_response();
    set_cookie(&mut response, &request, Some(&key));
    Ok(response)
}

const UNKNOWN: &str =
    "This ticket is not known, was used, or is older than ten minutes. Nobody was logged in.";

pub(super) async fn log_out(request: PageRequest) -> Result<Response, PageError> {
    if let Some(Credential::Session(session)) = request.credential() {
        request.console.shared.visitors.log_out(*session).await?;
    }
    let mut response = Redirect::to("/login").into_response();
    set_cookie(&mut response, &request, None);
    Ok(response)
}

fn set_cookie(response: &mut Response, request: &PageRequest, key: Option<&str>) {
    if let Ok(cookie) = HeaderValue::from_str(&request.set_cookie(key)) {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
}

/// Bounds how many tickets are tried in a minute. A ticket has 244 random bits, so this only keeps
/// guesses from costing the database anything.
#[derive(Default)]
pub(super) struct LoginAttempts {
    minute: AtomicU64,
    made: AtomicU32,
}

impl LoginAttempts {
    const EVERY_MINUTE: u32 = 60;

    fn take(&self) -> bool {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default()
            .as_secs()
            / 60;
        if self.minute.swap(now, Ordering::Relaxed) != now {
            self.made.store(0, Ordering::Relaxed);
        }
        self.made.fetch_add(1, Ordering::Relaxed) < Self::EVERY_MINUTE
    }

    fn give_back(&self) {
        let _ = self
            .made
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |made| {
                made.checked_sub(1)
            });
    }
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn a_login_leads_to_this_console_only() {
        assert_eq!(local("/dead?handler=shop"), "/dead?handler=shop");
        for elsewhere in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "evil",
            "/a\r\nb",
        ] {
            assert_eq!(local(elsewhere), "/", "{elsewhere}");
        }
    }
}
