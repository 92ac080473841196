//! Acts: the pages by which people change something.
//!
//! ```text
//! GET  /act/FUNCTION?…   what it touches, how many, five of them, the statement
//! POST /act/FUNCTION     runs it, or shows the page again with what was wrong
//! GET  /done/FUNCTION?…  what became of it, live
//! ```
//!
//! One table has every act. The database decides who may do what: a visitor without the right gets
//! its refusal, and the page only says so beforehand.

mod arguments;
mod done;
mod fields;
mod form;
mod note;
mod once;
mod preview;
mod reveal;
mod rows;
mod run;
mod table;
mod track;

pub(super) use done::done;
pub(super) use once::Once;

use super::{
    address::Address,
    problem::{PageError, message},
    request::PageRequest,
};
use crate::store::VisitError;
use arguments::{Pairs, address_of_form, pairs, value};
use axum::{
    body::{Body, to_bytes},
    extract::Path,
    http::StatusCode,
    response::{IntoResponse, Redirect, Response},
};
use note::Given;
use run::{Failure, Form};
use table::{Act, Answer};

/// The largest form.
const FORM_BYTES: usize = 64 * 1024;

fn find(function: &str) -> Result<&'static Act, PageError> {
    table::of(function).ok_or_else(|| {
        PageError::Missing(
            "The console has no act with this name, and nothing was changed.".to_owned(),
        )
    })
}

/// The page of an act.
pub(super) async fn show(
    request: PageRequest,
    Path(function): Path<String>,
) -> Result<Response, PageError> {
    let act = find(&function)?;
    let query = pairs(request.uri.query().unwrap_or_default().as_bytes());
    form::page(&request, act, Given::new(query)).await
}

/// Runs an act.
pub(super) async fn act(
    request: PageRequest,
    Path(function): Path<String>,
    body: Body,
) -> Result<Response, PageError> {
    let act = find(&function)?;
    let Ok(body) = to_bytes(body, FORM_BYTES).await else {
        return Ok(message(
            StatusCode::PAYLOAD_TOO_LARGE,
            "The form is too large",
            "Forms have up to 64 KiB, so nothing was changed. Go back and choose a shorter reason or filter.",
        ));
    };
    let sent = pairs(&body);
    let Some(credential) = request.credential().cloned() else {
        return Err(PageError::Login(address_of_form(act, &sent)));
    };
    if act.answer == Answer::Revealed {
        let revealed = reveal::reveal(&request, act, &sent).await;
        return match revealed {
            Ok(response) => Ok(response),
            Err(failure) => again(&request, act, sent, failure).await,
        };
    }
    let visitors = request.console.shared.visitors.clone();
    let form = Form {
        act,
        sent: sent.clone(),
    };
    let key = value(&sent, "form").map(|form| (credential.clone(), form.to_owned()));
    let run = async move { form.run(&visitors, &credential).await };
    let done = request.console.shared.once.run(key, run).await;
    // The next page shows what the act changed, also if it is not known whether it did.
    request.console.shared.forget();
    match done {
        Ok(location) => Ok(Redirect::to(&location).into_response()),
        Err(failure) => again(&request, act, sent, failure).await,
    }
}

/// The page again, with what was wrong and with what was typed.
async fn again(
    request: &PageRequest,
    act: &'static Act,
    sent: Pairs,
    failure: Failure,
) -> Result<Response, PageError> {
    match failure {
        Failure::Failed(VisitError::NoSession) => {
            Err(PageError::Login(address_of_form(act, &sent)))
        }
        Failure::Failed(
            error @ (VisitError::Forbidden(_)
            | VisitError::RoleNotGranted(_)
            | VisitError::TooSlow(_)
            | VisitError::Unavailable { .. }),
        ) => Err(PageError::Failed(error)),
        failure => {
            let shown = form::page(request, act, Given::again(sent, failure)).await;
            // The session may have ended since.
            shown.map_err(|error| match error {
                PageError::Login(_) => PageError::Login(Address::act(act.function.name).href()),
                other => other,
            })
        }
    }
}
