//! Pages that say why a page is not shown: what happened, what was not affected, what to do next.

use super::{address::Address, page::html};
use crate::store::VisitError;
use askama::Template;
use axum::{
    http::{HeaderValue, StatusCode, Uri, header},
    response::{IntoResponse, Redirect, Response},
};
use std::time::Duration;

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
    stylesheet: String,
    icon: String,
}

fn page(status: StatusCode, title: &str, text: &str, hint: &str) -> Response {
    let page = ProblemPage {
        title,
        text,
        hint,
        stylesheet: super::assets::address("console.css"),
        icon: super::assets::address("icon.svg"),
    };
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
        VisitError::Unavailable(error) => {
            tracing::warn!(%error, "the console cannot query the database");
            let mut response = page(
                StatusCode::SERVICE_UNAVAILABLE,
                "The database does not answer",
                "The console cannot read from Postgres now. Every webhook that was answered 200 is stored; senders get 503 \
                 meanwhile, and most of them repeat.",
                "Check that Postgres runs and accepts connections, that the console's DATABASE_URL is right, and what the \
                 log of hookfast says.",
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
