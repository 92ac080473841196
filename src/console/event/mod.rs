//! Event: what became of it, handler by handler, its story and its body.

mod body;
mod branches;
mod comparison;
mod headline;
mod last_delivered;
mod path;
mod rows;
mod story;

use super::{
    address::Address,
    conflicts::{self, ConflictFilter, Unacknowledged},
    event_row,
    frame::Frame,
    page::written,
    problem::PageError,
    request::PageRequest,
    row::Timestamp,
    view::{marks::Run, number, path::EventPath, payload::Payload, short, state, time},
};
use crate::store::{
    Visitor, Work,
    catalog::{Function, functions},
};
use askama::Template;
use axum::{
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use body::{Command, Header, Tab, TabLink, Visible};
use branches::Rights;
use comparison::Comparison;
use last_delivered::LastDelivered;
use rows::{Attempt, Delivery, EventDetails, Rows};
use story::Line;
use uuid::Uuid;

#[derive(Template)]
#[template(path = "event.html")]
struct EventPage<'a> {
    frame: Frame,
    rows: &'a Rows,
    kind: &'static str,
    headline: String,
    path: EventPath,
    /// Who does not subscribe, if there are too many for the path.
    unsubscribed: String,
    acts: Vec<Act>,
    story: Vec<Line>,
    omitted: usize,
    tabs: Vec<TabLink>,
    tab: Tab,
    note: &'static str,
    payload: Option<Payload<'a>>,
    visible: &'a Visible,
    comparison: Option<Comparison<'a>>,
    last_delivered: Option<LastDelivered>,
    /// The conflicts of the source that nobody has acknowledged, if the event is one.
    left: Option<Unacknowledged>,
    headers: Vec<Header>,
    commands: Vec<Command>,
    may: May,
}

/// Acts of the page that are no branch's.
struct May {
    reveal: bool,
    acknowledge: bool,
    discard: bool,
    reschedule: bool,
}

/// A link to the preview of an act.
struct Act {
    label: &'static str,
    href: String,
}

impl EventPage<'_> {
    fn event(&self) -> &EventDetails {
        &self.rows.event
    }

    fn conflict_kind(&self) -> &'static str {
        match self.rows.acknowledged() {
            Some(_) => "info",
            None => "critical",
        }
    }

    /// The next conflict of the source, and the act on all that are left.
    fn conflict_links(&self) -> Vec<(String, String)> {
        let source = Some(self.event().source.as_str());
        let links = self.left.as_ref().map(|left| {
            let may = self.may.acknowledge && left.count > 1;
            left.links(source, may)
        });
        links.unwrap_or_default()
    }

    fn key(&self) -> Option<Vec<Run<'static>>> {
        let key = self.rows.event.idempotency_key.as_ref()?;
        Some(event_row::shown(key, 500))
    }

    /// The page that compares the payload with that of another event.
    fn compared_with(&self, other: &str) -> String {
        comparison::address(&self.event().event_id, other)
    }

    fn marked(&self, text: &str) -> Vec<Run<'static>> {
        event_row::shown(text, 500)
    }

    fn size(&self) -> String {
        match self.visible.exact() {
            Some(bytes) => number::bytes(bytes.len() as u64),
            None => String::new(),
        }
    }

    fn is_headers(&self) -> bool {
        self.tab == Tab::Headers
    }

    fn short(&self, id: &str) -> String {
        short::id(id)
    }
}

impl Attempt {
    fn kind(&self) -> &'static str {
        match self.outcome.as_str() {
            "retry" | "lost" => "warning",
            other => state::kind(other),
        }
    }

    fn word(&self) -> &str {
        match self.outcome.as_str() {
            "retry" => "failed",
            other => other,
        }
    }

    fn took(&self) -> String {
        self.duration_ms
            .map_or_else(String::new, |ms| time::duration(ms.saturating_mul(1000)))
    }

    fn status(&self) -> String {
        self.status
            .map_or_else(String::new, |code| code.to_string())
    }

    /// The text of the error, if the visitor may see it.
    fn text(&self) -> Vec<Run<'static>> {
        event_row::shown(self.error.as_deref().unwrap_or_default(), 2_000)
    }

    fn is_hidden(&self) -> bool {
        self.error.is_none() && self.error_kind.is_some()
    }
}

impl Delivery {
    fn left(&self) -> String {
        self.attempts_left.map_or_else(String::new, number::grouped)
    }

    /// When it ended, or when it is due.
    fn at(&self) -> Option<Timestamp> {
        self.ended_at.or(self.next_attempt_at)
    }

    fn key(&self) -> Vec<Run<'static>> {
        event_row::shown(self.ordering_key.as_deref().unwrap_or_default(), 80)
    }
}

pub(super) async fn page(
    Path(id): Path<String>,
    request: PageRequest,
) -> Result<Response, PageError> {
    let id = parse(&id)?;
    let mut visit = request.visit(Work::Page).await?;
    let Some(rows) = rows::read(&mut visit, id).await? else {
        return Err(missing(id));
    };
    let other =
        comparison::read(&request, &mut visit, rows.event.conflicts_with.as_deref()).await?;
    let last_delivered = last_delivered::read(&mut visit, &rows).await?;
    let left = match rows.event.conflicts_with {
        Some(_) => Some(conflicts::unacknowledged(&mut visit, others(&rows.event)).await?),
        None => None,
    };
    let mut frame = Frame::of(&request, &mut visit, "/events", rows.event.r#type.clone()).await?;
    let visitor = visit.visitor.clone();
    visit.finish().await?;
    if rows.deliveries.iter().any(Delivery::is_pending) {
        frame = frame.refreshed(5);
    }
    let now = frame.as_of;
    let outcomes = branches::outcomes(&rows, &frame.summary.handler_rows);
    let (kind, headline) = headline::headline(&rows, &outcomes, now);
    let visible = body::visible(&rows.event);
    let (path, unsubscribed) =
        path::path(&rows, &outcomes, &visible, &Rights::of(&visitor), &frame);
    let (story, omitted) = story::story(&rows.timeline, &rows.event.event_id, now);
    let tab = body::tab(request.parameter("body").as_deref());
    let (payload, note) = match tab {
        Tab::Body(shape) => (visible.payload(shape), visible.note(shape)),
        Tab::Headers => (None, ""),
    };
    let may = |function: &Function| visitor.may(function);
    drop(outcomes);
    written(&EventPage {
        rows: &rows,
        kind,
        headline,
        path,
        unsubscribed,
        acts: acts(&rows, &visitor),
        story,
        omitted,
        tabs: body::tabs(&Address::event(&rows.event.event_id), tab),
        tab,
        note,
        payload,
        visible: &visible,
        comparison: (other.as_ref()).map(|other| comparison::compare(&rows.event, &visible, other)),
        last_delivered,
        left,
        headers: body::headers(&rows.event),
        commands: body::commands(&rows.event, &visible),
        may: May {
            reveal: may(&functions::REVEAL),
            acknowledge: may(&functions::ACKNOWLEDGE_CONFLICT),
            discard: may(&functions::DISCARD),
            reschedule: may(&functions::RESCHEDULE),
        },
        frame,
    })
}

/// The other conflicts of the same source.
fn others(event: &EventDetails) -> ConflictFilter {
    ConflictFilter {
        source: Some(event.source.clone()),
        except: Some(event.event_id.clone()),
        ..ConflictFilter::default()
    }
}

/// The exact body as a file. A browser shows none of it.
pub(super) async fn body(
    Path(id): Path<String>,
    request: PageRequest,
) -> Result<Response, PageError> {
    let id = parse(&id)?;
    let mut visit = request.visit(Work::Page).await?;
    let event = rows::event(&mut visit, id).await?;
    visit.finish().await?;
    let event = event.ok_or_else(|| missing(id))?;
    let Visible::Exact(bytes) = body::visible(&event) else {
        return Err(PageError::Missing(format!(
            "The body of event {id} was erased, or is hidden from you because it may contain secrets. Reveal it on the \
             event's page, if your role may."
        )));
    };
    let disposition = format!("attachment; filename=\"{id}.body\"");
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/octet-stream"),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
    ];
    let mut response = (headers, bytes).into_response();
    if let Ok(disposition) = HeaderValue::try_from(disposition) {
        let name = header::CONTENT_DISPOSITION;
        response.headers_mut().insert(name, disposition);
    }
    Ok(response)
}

fn parse(id: &str) -> Result<Uuid, PageError> {
    id.parse().map_err(|_| {
        PageError::Missing(
            "The address has no valid id of an event. Find searches by order, ICCID, key and id."
                .to_owned(),
        )
    })
}

fn missing(id: Uuid) -> PageError {
    PageError::Missing(format!(
        "No event has the id {id}. It may have been purged: retention decides how long events are kept."
    ))
}

fn acts(rows: &Rows, visitor: &Visitor) -> Vec<Act> {
    let id = &rows.event.event_id;
    let is_erased = rows.event.erased_at.is_some();
    let act = |label, function: &Function| Act {
        label,
        href: Address::act(function.name).with("event_id", id).href(),
    };
    let hold = match rows.hold {
        Some(_) => ("Remove the hold", &functions::UNHOLD_EVENT),
        None => ("Hold beyond retention", &functions::HOLD_EVENT),
    };
    let mut acts = Vec::new();
    if visitor.may(hold.1) {
        acts.push(act(hold.0, hold.1));
    }
    if !is_erased && rows.hold.is_none() && visitor.may(&functions::ERASE) {
        acts.push(act("Erase the payload", &functions::ERASE));
    }
    acts
}
