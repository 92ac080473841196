//! The page of an act: what it touches, how many, and the form that runs it.

use super::{
    arguments::{Argument, Arguments, Pairs, exact, value},
    rows::{Cell, Row, label},
    run::{self, Failure, Invalid},
    table::{Act, Bulk, Undo},
};
use crate::console::{
    frame::Frame,
    page::written,
    problem::PageError,
    request::PageRequest,
    row::Timestamp,
    view::{
        marks::{self, Breaks, Run},
        number,
    },
};
use crate::store::{
    AsVisitor, FunctionCall, SqlArg, VisitError, Work,
    catalog::{Parameter, functions},
};
use askama::Template;
use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use rand::RngExt as _;
use serde::Deserialize;
use serde_json::value::RawValue;
use url::form_urlencoded;

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

/// What went wrong, above the form.
pub(super) struct Note {
    kind: &'static str,
    title: String,
    text: String,
    status: StatusCode,
    /// A statement to check whether it was done.
    check: String,
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

/// How many match, and five of them.
struct Preview {
    bulk: Bulk,
    matching: i64,
    still_pending: i64,
    held: i64,
    is_bounded: bool,
    labels: Vec<String>,
    samples: Vec<Vec<Cell>>,
}

impl Preview {
    fn count(&self) -> String {
        number::grouped(self.matching)
    }

    fn noun(&self) -> &'static str {
        if self.matching == 1 {
            self.bulk.one
        } else {
            self.bulk.many
        }
    }

    fn has_all(&self) -> bool {
        i64::try_from(self.samples.len()) == Ok(self.matching)
    }

    fn is_nothing(&self) -> bool {
        self.matching == 0 && !self.bulk.acts_on_none
    }

    /// What matches and is left out.
    fn left_out(&self) -> Vec<String> {
        let pending = number::counted(self.still_pending, "event is", "events are");
        let held = number::counted(self.held, "event is", "events are");
        let mut texts = Vec::new();
        if self.still_pending > 0 {
            texts.push(format!(
                "{pending} left out because a delivery still needs the payload."
            ));
        }
        if self.held > 0 {
            texts.push(format!("{held} left out because of a retention hold."));
        }
        texts
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

/// A field for a parameter.
struct Input {
    name: &'static str,
    label: String,
    value: String,
    hint: &'static str,
    error: String,
    is_required: bool,
    options: Vec<Choice>,
}

struct Choice {
    value: String,
    label: String,
}

/// What the visitor has given, and what was wrong with it.
pub(super) struct Given {
    pairs: Pairs,
    note: Option<Note>,
    invalid: Invalid,
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
                    status: StatusCode::BAD_GATEWAY,
                    check,
                });
            }
        }
        given
    }
}

impl Note {
    /// A statement that the server rejected.
    fn of(error: &VisitError) -> Self {
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

    fn runs(&self) -> Vec<Run<'_>> {
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

/// What the views and the preview say.
#[derive(Default)]
struct Found {
    subject: Vec<Cell>,
    missing_in: &'static str,
    preview: Option<Preview>,
}

#[derive(Deserialize)]
struct PreviewRow {
    matching: i64,
    still_pending: Option<i64>,
    held: Option<i64>,
    sample_ids: Option<Vec<Box<RawValue>>>,
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
    let mut hidden: Vec<_> = arguments
        .iter()
        .map(|argument| Hidden {
            name: argument.parameter.name,
            value: argument.text.clone(),
        })
        .collect();
    if arguments.bound(Some(&until)).is_some() {
        hidden.push(Hidden {
            name: "until",
            value: until.clone(),
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
    let is_shown = is_complete && !was_rejected && (act.bulk().is_none() || matching.is_some());
    let statement = match is_shown {
        true => run::call(act, &arguments, shown_why, Some(&until), matching).shown(),
        false => String::new(),
    };
    let typed = act.typed(matching.unwrap_or_default(), |name| {
        arguments.get(name).map(str::to_owned)
    });
    let page = ActPage {
        filters: arguments
            .iter()
            .map(|argument| filter(act, &arguments, argument))
            .collect(),
        inputs: inputs(act, &arguments, &frame, is_complete),
        blocked: (!may).then(|| blocked(act, &arguments, &frame, &role)),
        back: arguments.back(),
        frame,
        act,
        subject: found.subject,
        missing_in: found.missing_in,
        preview: found.preview,
        statement,
        hidden,
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

async fn find(
    visit: &mut AsVisitor,
    act: &'static Act,
    arguments: &Arguments,
    until: &str,
    may: bool,
) -> Result<Found, VisitError> {
    let mut found = Found::default();
    // Columns that are null for everybody else are those of operators.
    let sees_all = visit.visitor.may(&functions::DISCARD);
    if act.bulk().is_some() {
        if may {
            found.preview = Some(preview(visit, act, arguments, until, sees_all).await?);
        }
    } else if let (Some(subject), Some(key)) = (act.subject, act.key())
        && let Some(key) = arguments.get(key)
    {
        let mut query = subject.row(key);
        if let (Some(source), "airalo_orders") = (arguments.get("source"), subject.view.name) {
            query = query.is("source", Some(SqlArg::text(source)));
        }
        match visit.rows::<Row>(query).await?.first() {
            Some(row) => found.subject = row.cells(&subject, sees_all),
            None => found.missing_in = subject.view.name,
        }
    }
    Ok(found)
}

async fn preview(
    visit: &mut AsVisitor,
    act: &'static Act,
    arguments: &Arguments,
    until: &str,
    sees_all: bool,
) -> Result<Preview, VisitError> {
    let mut call = FunctionCall::preview(act.function);
    if act.function.parameters.iter().any(is_required_reason) {
        call = call.with("why", Some(SqlArg::text("preview")));
    }
    let call = arguments.add_to(call, Some(until));
    let row = visit.call::<PreviewRow>(call).await?.pop();
    let (Some(row), Some(bulk)) = (row, act.bulk()) else {
        return Err(VisitError::NoSession);
    };
    let ids: Vec<_> = row
        .sample_ids
        .unwrap_or_default()
        .iter()
        .map(|id| id.get().trim_matches('"').to_owned())
        .collect();
    let mut preview = Preview {
        bulk,
        matching: row.matching,
        still_pending: row.still_pending.unwrap_or_default(),
        held: row.held.unwrap_or_default(),
        is_bounded: arguments.bound(Some(until)).is_some(),
        labels: Vec::new(),
        samples: Vec::new(),
    };
    if let Some(subject) = act.subject.filter(|_| !ids.is_empty()) {
        let mut query = subject.with_keys(&ids);
        if let (Some(handler), "deliveries") = (arguments.get("handler"), subject.view.name) {
            query = query.is("handler", Some(SqlArg::text(handler)));
        }
        let rows: Vec<Row> = visit.rows(query.limit(5)).await?;
        preview.labels = subject.labels();
        preview.samples = rows
            .iter()
            .map(|row| row.all_cells(&subject, sees_all))
            .collect();
    }
    Ok(preview)
}

fn is_required_reason(parameter: &Parameter) -> bool {
    parameter.name == "why" && parameter.is_required
}

fn filter(act: &Act, arguments: &Arguments, argument: &Argument) -> Filter {
    let page = format!("/act/{}", act.function.name);
    Filter {
        label: label(argument.parameter.name),
        text: argument.text.clone(),
        without: match argument.parameter.is_required {
            true => String::new(),
            false => arguments.address(&page, Some(argument.parameter.name)),
        },
    }
}

fn blocked(act: &Act, arguments: &Arguments, frame: &Frame, role: &str) -> Blocked {
    if frame.is_lapsed {
        let here = arguments.address(&format!("/act/{}", act.function.name), None);
        let next: String = form_urlencoded::byte_serialize(here.as_bytes()).collect();
        return Blocked {
            reason: "The session only reads now, because its ticket is older than 12 hours or it was idle for 2 hours. Log in \
                     with a fresh ticket to act."
                .to_owned(),
            login: format!("/login?next={next}"),
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

/// The fields for the parameters. An act with one parameter, which is there, has none.
fn inputs(
    act: &'static Act,
    arguments: &Arguments,
    frame: &Frame,
    is_complete: bool,
) -> Vec<Input> {
    if is_complete && act.parameters().count() <= 1 {
        return Vec::new();
    }
    let input = |parameter: &'static Parameter| {
        let given = arguments
            .iter()
            .find(|argument| argument.parameter.name == parameter.name);
        let error = match given {
            Some(argument) => argument.error,
            None if parameter.is_required && !arguments.is_empty() => "This is missing.",
            None => "",
        };
        Input {
            name: parameter.name,
            label: label(parameter.name),
            value: given
                .map(|argument| argument.text.clone())
                .unwrap_or_default(),
            hint: hint(parameter.name),
            error: error.to_owned(),
            is_required: parameter.is_required,
            options: options(parameter, frame),
        }
    };
    act.parameters().map(input).collect()
}

/// What one can choose from; empty if one writes.
fn options(parameter: &Parameter, frame: &Frame) -> Vec<Choice> {
    let summary = &frame.summary;
    let values: Vec<String> = match parameter.name {
        "handler" => summary
            .handler_rows
            .iter()
            .map(|row| row.handler.clone())
            .collect(),
        "source" => summary
            .source_rows
            .iter()
            .map(|row| row.source.clone())
            .collect(),
        "pending" => vec!["discard".to_owned(), "keep".to_owned()],
        "new_webhook_id" => vec!["false".to_owned(), "true".to_owned()],
        _ => Vec::new(),
    };
    if values.is_empty() {
        return Vec::new();
    }
    let any = match parameter.is_required {
        true => "choose one",
        false if ["pending", "new_webhook_id"].contains(&parameter.name) => "default",
        false => "any",
    };
    let none = Choice {
        value: String::new(),
        label: any.to_owned(),
    };
    let named = values.into_iter().map(|value| Choice {
        label: value.clone(),
        value,
    });
    [none].into_iter().chain(named).collect()
}

fn hint(parameter: &str) -> &'static str {
    match parameter {
        "type" => "A type such as airalo.order.completed, or airalo.*",
        "error" => "A pattern for the last error. % stands for any text: status 5%",
        "payload" => "A jsonpath predicate: $.data.quantity == 1",
        "died_after" | "received_after" | "last_after" => {
            "2h (before now), 7d, or a time in UTC: 2026-11-28 14:00"
        }
        "died_before" | "received_before" | "last_before" => {
            "A time, or empty for everything up to this preview."
        }
        "due_at" => "now, +2h, or a time in UTC: 2026-11-28 14:00",
        "max_attempts" => "How many further attempts. Empty: the handler's maximum.",
        "per_second" => "Empty: half of what the handler does now, 10 to 200.",
        "new_webhook_id" => "true makes receivers do the work again, even if they did it before.",
        "pending" => "What becomes of its pending deliveries. By default they are discarded.",
        "term" => "An id, a key, or the value of a search field, such as an ICCID.",
        "reason" => "Why it was rejected, such as wrong_signature.",
        _ => "",
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
