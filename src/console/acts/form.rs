//! The page of an act: what it touches, how many, and the form that runs it.

use super::{
    arguments::{Argument, Arguments, exact, value},
    fields::{Input, inputs},
    note::{Given, Note},
    preview::{Found, Preview, find},
    rows::{Cell, label},
    run::{self, Invalid},
    table::{Act, Undo},
};
use crate::console::{
    address::Address,
    frame::Frame,
    page::written,
    problem::PageError,
    request::PageRequest,
    row::Timestamp,
    view::marks::{self, Breaks, Run},
};
use crate::store::{VisitError, Work};
use askama::Template;
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngExt as _;

#[derive(Template)]
#[template(path = "act.html")]
struct ActPage {
    frame: Frame,
    act: &'static Act,
    note: Option<Note>,
    filters: Vec<Filter>,
    subject: Vec<Cell>,
    /// The name of the view, if it has no row with this id.
    missing_in: &'static str,
    preview: Option<Preview>,
    statement: String,
    hidden: Vec<Hidden>,
    why: String,
    invalid: Invalid,
    typed: String,
    blocked: Option<Blocked>,
    inputs: Vec<Input>,
    is_complete: bool,
    back: String,
}

/// A filter, or an argument of a single act.
struct Filter {
    label: String,
    text: String,
    /// The address of the page without it; empty if it is required.
    without: String,
}

impl Filter {
    fn runs(&self) -> Vec<Run<'_>> {
        marks::runs(&self.text, Breaks::Mark)
    }
}

struct Hidden {
    name: &'static str,
    value: String,
}

/// Why the button cannot be pressed.
struct Blocked {
    reason: String,
    /// Where a fresh ticket leads back to.
    login: String,
}

/// The page. It reads everything anew, also if a form failed.
pub(super) async fn page(
    request: &PageRequest,
    act: &'static Act,
    given: Given,
) -> Result<Response, PageError> {
    let Given {
        pairs,
        mut note,
        invalid,
    } = given;
    let mut visit = request.visit(Work::Preview).await?;
    let now = visit.as_of;
    let arguments = Arguments::read(act, &pairs, now);
    let until = exact(now);
    let may = visit.visitor.may(act.function);
    let is_complete = arguments.is_complete();
    let found = match is_complete {
        true => find(&mut visit, act, &arguments, &until, may).await,
        false => Ok(Found::default()),
    };
    let mut was_rejected = false;
    let found = match found {
        Ok(found) => found,
        Err(error @ VisitError::Rejected { .. }) => {
            was_rejected = true;
            note = note.or_else(|| Some(Note::of(&error)));
            // The transaction has failed, and the frame needs one.
            visit = request.visit(Work::Page).await?;
            Found::default()
        }
        Err(error) => return Err(error.into()),
    };
    let frame = Frame::of(request, &mut visit, act.page, act.title).await?;
    let role = visit.visitor.role.clone();
    visit.finish().await?;

    let matching = found.preview.as_ref().map(|preview| preview.matching);
    let why = value(&pairs, "why").unwrap_or_default().to_owned();
    let shown_why = if why.is_empty() { "…" } else { &why };
    let is_shown = is_complete && !was_rejected && (act.bulk().is_none() || matching.is_some());
    let statement = match is_shown {
        true => run::call(act, &arguments, shown_why, Some(&until), matching).shown(),
        false => String::new(),
    };
    let typed = act.typed(matching.unwrap_or_default(), |name| {
        arguments.get(name).map(str::to_owned)
    });
    let page = ActPage {
        // The row shows what it is read by.
        filters: arguments
            .iter()
            .filter(|argument| {
                found.subject.is_empty() || act.key() != Some(argument.parameter.name)
            })
            .map(|argument| filter(act, &arguments, argument))
            .collect(),
        inputs: inputs(act, &arguments, &pairs, &frame, is_complete),
        blocked: (!may).then(|| blocked(act, &arguments, &frame, &role)),
        back: arguments.back(),
        frame,
        act,
        subject: found.subject,
        missing_in: found.missing_in,
        preview: found.preview,
        statement,
        hidden: hidden(&arguments, &until, matching),
        why,
        invalid,
        typed: typed.unwrap_or_default(),
        is_complete: is_complete && !was_rejected,
        note,
    };
    let status = page
        .note
        .as_ref()
        .map_or(StatusCode::OK, |note| note.status);
    Ok((status, written(&page)?).into_response())
}

/// What the form sends besides what is typed: what the preview was about, and a number of its own.
fn hidden(arguments: &Arguments, until: &str, matching: Option<i64>) -> Vec<Hidden> {
    let mut hidden: Vec<_> = arguments
        .iter()
        .map(|argument| Hidden {
            name: argument.parameter.name,
            value: argument.text.clone(),
        })
        .collect();
    if arguments.bound(Some(until)).is_some() {
        hidden.push(Hidden {
            name: "until",
            value: until.to_owned(),
        });
    }
    if let Some(matching) = matching {
        hidden.push(Hidden {
            name: "at_most",
            value: matching.to_string(),
        });
    }
    hidden.push(Hidden {
        name: "form",
        value: URL_SAFE_NO_PAD.encode(rand::rng().random::<[u8; 16]>()),
    });
    hidden
}

fn filter(act: &Act, arguments: &Arguments, argument: &Argument) -> Filter {
    let page = Address::act(act.function.name);
    Filter {
        label: label(argument.parameter.name),
        text: argument.text.clone(),
        without: match argument.parameter.is_required {
            true => String::new(),
            false => arguments
                .address(page, Some(argument.parameter.name))
                .href(),
        },
    }
}

fn blocked(act: &Act, arguments: &Arguments, frame: &Frame, role: &str) -> Blocked {
    if frame.is_lapsed {
        let here = arguments.address(Address::act(act.function.name), None);
        return Blocked {
            reason: "The session only reads now, because its ticket is older than 12 hours or it was idle for 2 hours. Log in \
                     with a fresh ticket to act."
                .to_owned(),
            login: Address::to("/login").with("next", here).href(),
        };
    }
    Blocked {
        reason: format!(
            "Your role {role} may not call hookfast.{}.",
            act.function.name
        ),
        login: String::new(),
    }
}

impl ActPage {
    fn as_of(&self) -> Timestamp {
        self.frame.as_of
    }

    /// The text of the button, with the number.
    fn button(&self) -> String {
        match &self.preview {
            Some(preview) if preview.matching > 0 => {
                format!("{} {}", self.act.button, preview.count())
            }
            _ => self.act.button.to_owned(),
        }
    }

    fn kind(&self) -> &'static str {
        if self.act.is_danger {
            "danger"
        } else {
            "primary"
        }
    }

    fn undo(&self) -> &'static str {
        match self.act.undo {
            Undo::By(sentence) => sentence,
            Undo::Harmless => "",
            Undo::Never => "This cannot be undone.",
        }
    }

    /// Whether the form is there.
    fn can_run(&self) -> bool {
        let is_something = self
            .preview
            .as_ref()
            .is_none_or(|preview| !preview.is_nothing());
        self.is_complete && self.blocked.is_none() && is_something
    }
}
