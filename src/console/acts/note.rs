//! What went wrong with a form, or with its preview.

use super::{
    arguments::Pairs,
    run::{Failure, Invalid},
};
use crate::console::view::marks::{self, Breaks, Run};
use crate::store::VisitError;
use axum::http::StatusCode;

/// What went wrong, above the form.
pub(super) struct Note {
    pub(super) kind: &'static str,
    pub(super) title: String,
    pub(super) text: String,
    pub(super) status: StatusCode,
    /// A statement to check whether it was done.
    pub(super) check: String,
}

/// What the visitor has given, and what was wrong with it.
pub(super) struct Given {
    pub(super) pairs: Pairs,
    pub(super) note: Option<Note>,
    pub(super) invalid: Invalid,
}

impl Given {
    pub(super) fn new(pairs: Pairs) -> Self {
        Self {
            pairs,
            note: None,
            invalid: Invalid::default(),
        }
    }

    /// The form that failed.
    pub(super) fn again(pairs: Pairs, failure: Failure) -> Self {
        let mut given = Self::new(pairs);
        match failure {
            Failure::Invalid(invalid) => {
                let text = match invalid.other.as_str() {
                    "" => "Nothing was changed. What is missing is marked below.".to_owned(),
                    other => format!("{other} Nothing was changed."),
                };
                given.note = Some(Note {
                    kind: "critical",
                    title: "This was not done".to_owned(),
                    text,
                    status: StatusCode::UNPROCESSABLE_ENTITY,
                    check: String::new(),
                });
                given.invalid = invalid;
            }
            Failure::Failed(error) => given.note = Some(Note::of(&error)),
            Failure::Unknown(check) => {
                given.note = Some(Note {
                    kind: "critical",
                    title: "It is not known whether this was done".to_owned(),
                    text: "The database did not answer the commit. Before you try again, look whether the audit log has a line \
                           of it:"
                        .to_owned(),
                    // Not 502: some proxies have a page of their own for it.
                    status: StatusCode::INTERNAL_SERVER_ERROR,
                    check,
                });
            }
        }
        given
    }
}

impl Note {
    /// A statement that the server rejected.
    pub(super) fn of(error: &VisitError) -> Self {
        let (status, title, text) = match error {
            VisitError::Rejected {
                code,
                message,
                hint,
            } => {
                let hint = hint.as_deref().unwrap_or_default();
                let hint = match code.as_str() {
                    "HF005" => "The numbers on this page are new.",
                    "40001" | "40P01" | "55P03" => {
                        "Another transaction was in the way. Nothing was changed; try again."
                    }
                    _ => hint,
                };
                let (status, title) = match code.as_str() {
                    "HF004" => (StatusCode::NOT_FOUND, "This was not found"),
                    "HF005" => (StatusCode::CONFLICT, "More match than the preview showed"),
                    "HF006" | "40001" | "40P01" | "55P03" => {
                        (StatusCode::CONFLICT, "This is not possible now")
                    }
                    "HF007" => (StatusCode::GONE, "The payload was erased"),
                    _ => (
                        StatusCode::UNPROCESSABLE_ENTITY,
                        "The database rejected this",
                    ),
                };
                (status, title, format!("{}. {hint}", sentence(message)))
            }
            other => (
                StatusCode::UNPROCESSABLE_ENTITY,
                "This was not done",
                sentence(&other.to_string()),
            ),
        };
        Self {
            kind: "critical",
            title: title.to_owned(),
            text: text.trim().to_owned(),
            status,
            check: String::new(),
        }
    }

    pub(super) fn runs(&self) -> Vec<Run<'_>> {
        marks::runs(&self.text, Breaks::Mark)
    }
}

/// With a capital letter.
fn sentence(text: &str) -> String {
    let mut characters = text.chars();
    match characters.next() {
        Some(first) => first.to_uppercase().chain(characters).collect(),
        None => String::new(),
    }
}
