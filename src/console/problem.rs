//! Pages that say why a page is not shown: what happened, what was not affected, what to do next.

use super::{address::Address, page::html, row::Timestamp};
use crate::store::VisitError;
use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};
use std::time::{Duration, SystemTime};

/// Why a page could not be shown.
pub(super) enum PageError {
    /// The visitor has to log in first, and is then sent back to this address.
    Login(String),
    /// There is no such thing as the address names.
    Missing(String),
    /// The database rejected what the page wanted, or the visitor may not.
    Failed(VisitError),
    /// The page could not be written.
    Template(askama::Error),
}

impl PageError {
    pub(super) fn login(uri: &Uri) -> Self {
        Self::Login(
            uri.path_and_query()
                .map_or("/", |path| path.as_str())
                .to_owned(),
        )
    }

    pub(super) fn of(error: VisitError, uri: &Uri) -> Self {
        match error {
            VisitError::NoSession => Self::login(uri),
            other => Self::Failed(other),
        }
    }
}

impl From<VisitError> for PageError {
    fn from(error: VisitError) -> Self {
        match error {
            VisitError::NoSession => Self::Login("/".to_owned()),
            other => Self::Failed(other),
        }
    }
}

impl From<askama::Error> for PageError {
    fn from(error: askama::Error) -> Self {
        Self::Template(error)
    }
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    title: &'a str,
    text: &'a str,
    hint: &'a str,
    /// What to do, in this order.
    steps: &'a [&'a str],
    /// Whether the same address may work later.
    may_retry: bool,
    stylesheet: String,
    icon: String,
}

impl<'a> ProblemPage<'a> {
    fn of(title: &'a str, text: &'a str, hint: &'a str) -> Self {
        Self {
            title,
            text,
            hint,
            steps: &[],
            may_retry: false,
            stylesheet: super::assets::address("console.css"),
            icon: super::assets::address("icon.svg"),
        }
    }
}

/// What to do while Postgres does not answer.
const UNAVAILABLE: [&str; 3] = [
    "Check that Postgres runs and accepts connections: try psql from the console's machine.",
    "If it does, read the log of the console, which names the error, and compare DATABASE_URL.",
    "Then try again: ingress and workers continue by themselves. Have senders that never repeat, such as GitHub, send again what got 503.",
];

/// Since when there was no answer.
fn since(last_answer: Option<SystemTime>, now: SystemTime) -> String {
    let Some(at) = last_answer else {
        return "The console has had no answer from Postgres since it was started.".to_owned();
    };
    let (at, now) = (Timestamp::of(at), Timestamp::of(now));
    format!(
        "The last answer from Postgres was at {}, {}.",
        at.clock(),
        at.age(now)
    )
}

fn page(status: StatusCode, title: &str, text: &str, hint: &str) -> Response {
    respond(status, ProblemPage::of(title, text, hint))
}

fn respond(status: StatusCode, page: ProblemPage<'_>) -> Response {
    match html(&page) {
        Ok(page) => (status, page).into_response(),
        Err(_) => (status, "The page could not be written.").into_response(),
    }
}

pub(super) fn message(status: StatusCode, title: &str, text: &str) -> Response {
    page(status, title, text, "")
}

pub(super) async fn unknown_page() -> Response {
    message(
        StatusCode::NOT_FOUND,
        "Page not found",
        "The console has no page at this address, and nothing was changed. Go to Now, or search for what you need.",
    )
}

impl IntoResponse for PageError {
    fn into_response(self) -> Response {
        match self {
            Self::Login(next) => {
                Redirect::to(&Address::to("/login").with("next", next).href()).into_response()
            }
            Self::Missing(what) => page(StatusCode::NOT_FOUND, "Not found", &what, ""),
            Self::Failed(error) => failed(&error),
            Self::Template(error) => {
                tracing::error!(%error, "a page of the console could not be written");
                message(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "The page could not be written",
                    "This is an error in Hookfast; its log has the cause. Intake and deliveries are not affected.",
                )
            }
        }
    }
}

fn failed(error: &VisitError) -> Response {
    match error {
        VisitError::NoSession => message(
            StatusCode::UNAUTHORIZED,
            "No session",
            "Log in with a ticket.",
        ),
        VisitError::RoleNotGranted(role) => page(
            StatusCode::FORBIDDEN,
            "The console may not take your role",
            &format!(
                "The console's login is no member of the role {role}, so the page was not read and nothing was changed."
            ),
            &format!(
                "Have it granted: GRANT {role} TO the console's login; `hookfast check` prints the statement."
            ),
        ),
        VisitError::RoleNotAllowed(role) => page(
            StatusCode::FORBIDDEN,
            "Your group's role cannot be used here",
            &format!(
                "The console may not take the role {role} for your group, so the page was not read and nothing was changed. \
                 The role does not exist or was not granted to the console's login, or it is the owner's, a superuser's or \
                 the console's own."
            ),
            "Have `hookfast check` run: it prints the grants that are missing. Otherwise [console.proxy] groups needs \
             another role.",
        ),
        VisitError::Forbidden(reason) => page(
            StatusCode::FORBIDDEN,
            "You may not do this",
            &format!("The database answered: {reason}. Nothing was changed."),
            "Your role decides what you may do. Have a role with this right granted, and log in with a new ticket.",
        ),
        VisitError::TooSlow(limit) => page(
            StatusCode::GATEWAY_TIMEOUT,
            "This took too long",
            &format!(
                "The database had {} to answer, and did not. Nothing was changed. Intake and deliveries are not affected.",
                seconds(*limit)
            ),
            "Choose a shorter time or another filter. psql has no such limit: the statement is on the page before.",
        ),
        VisitError::Rejected { message, hint, .. } => page(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The database rejected this",
            message,
            hint.as_deref().unwrap_or_default(),
        ),
        VisitError::Unavailable { cause, last_answer } => {
            tracing::warn!(error = %cause, "the console cannot query the database");
            let text = format!(
                "{} Every webhook that was answered 200 is stored. Senders get 503 meanwhile: many repeat, and some, such as GitHub, never do.",
                since(*last_answer, SystemTime::now())
            );
            let mut response = respond(
                StatusCode::SERVICE_UNAVAILABLE,
                ProblemPage {
                    steps: &UNAVAILABLE,
                    may_retry: true,
                    ..ProblemPage::of("The database does not answer", &text, "")
                },
            );
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
            response
        }
    }
}

fn seconds(limit: Duration) -> String {
    format!("{} s", limit.as_secs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_has_the_time_of_the_last_answer() {
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_867_384);
        assert_eq!(
            since(Some(at), at + Duration::from_secs(240)),
            "The last answer from Postgres was at 12:03:04 UTC, 4 min ago."
        );
        assert!(since(None, at).contains("since it was started"));
    }
}
