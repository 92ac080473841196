//! Find: whatever a person has in hand. One result is opened, several are listed, and none says
//! what was searched.

use super::{
    event_row::{COLUMNS, EventRow, plain},
    frame::Frame,
    link::Link,
    page::written,
    problem::PageError,
    request::PageRequest,
    view::{number, state},
};
use crate::store::catalog::{functions, views};
use crate::store::{AsVisitor, FunctionCall, SqlArg, ViewQuery, VisitError, Work};
use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

/// Events of a page. Few terms have more.
const EVENTS: usize = 50;
/// Rows of each other kind.
const OTHERS: u32 = 20;
/// Longer terms are no values that anything is found by.
const LONGEST: usize = 500;

#[derive(Template)]
#[template(path = "find.html")]
struct FindPage {
    frame: Frame,
    term: String,
    /// Why the term was not searched.
    error: String,
    jumps: Vec<Jump>,
    events: Vec<EventRow>,
    count: String,
    sources: Vec<String>,
}

/// Something besides events that the term names.
struct Jump {
    /// `order`, `delivery`, `handler`
    what: &'static str,
    name: String,
    kind: &'static str,
    word: String,
    href: String,
}

#[derive(Default)]
struct Found {
    jumps: Vec<Jump>,
    events: Vec<EventRow>,
    /// Of events, also of those that are not listed.
    count: usize,
}

pub(super) async fn page(request: PageRequest) -> Result<Response, PageError> {
    let term = request.parameter("q").unwrap_or_default().trim().to_owned();
    let mut visit = request.visit(Work::Page).await?;
    let error = invalid(&term);
    let mut found = Found::default();
    if error.is_empty() && !term.is_empty() {
        found = find(&mut visit, &term).await?;
    }
    let mut frame = Frame::of(&request, &mut visit, "/find", "Find").await?;
    visit.finish().await?;
    found.jumps.extend(names(&frame, &term));
    if let Some(address) = only(&found) {
        return Ok(Redirect::to(&address).into_response());
    }
    frame.term.clone_from(&term);
    let sources = &frame.summary.source_rows;
    written(&FindPage {
        sources: sources.iter().map(|row| row.source.clone()).collect(),
        count: number::counted(found.count as i64, "event", "events"),
        term: plain(&term, 80),
        error,
        jumps: found.jumps,
        events: found.events,
        frame,
    })
}

fn invalid(term: &str) -> String {
    match (term.contains('\0'), term.len() > LONGEST) {
        (true, _) => {
            "The term contains the character NUL, which no text of the database has.".to_owned()
        }
        (_, true) => {
            format!("The term is longer than {LONGEST} bytes. Search for an id or a number.")
        }
        _ => String::new(),
    }
}

/// The address of the only result.
fn only(found: &Found) -> Option<String> {
    match (found.jumps.as_slice(), found.events.as_slice()) {
        ([], [event]) if found.count == 1 => Some(event.address()),
        ([jump], []) => Some(jump.href.clone()),
        _ => None,
    }
}

async fn find(visit: &mut AsVisitor, term: &str) -> Result<Found, VisitError> {
    let call = FunctionCall::of(&functions::FIND).with("term", Some(SqlArg::text(term)));
    // A function with one column returns values and not rows.
    let mut ids: Vec<String> = visit.call(call).await?;
    ids.sort_unstable_by(|a, b| b.cmp(a));
    let mut found = Found {
        count: ids.len(),
        ..Found::default()
    };
    ids.truncate(EVENTS);
    if !ids.is_empty() {
        let listed = ViewQuery::of(&views::EVENTS)
            .columns(&COLUMNS)
            .ids("event_id", &ids);
        found.events = visit.rows(listed).await?;
    }
    found.jumps = orders(visit, term).await?;
    if let Ok(number) = term.parse::<i64>() {
        found.jumps.extend(numbered(visit, number).await?);
    }
    Ok(found)
}

#[derive(Deserialize)]
struct OrderRow {
    source: String,
    request_id: Option<String>,
    description: Option<String>,
    state: String,
}

#[derive(Deserialize)]
struct SimRow {
    source: String,
    iccid: Option<String>,
    request_id: Option<String>,
}

/// Orders by description or request id, and the order of an eSIM by its ICCID.
async fn orders(visit: &mut AsVisitor, term: &str) -> Result<Vec<Jump>, VisitError> {
    let mut jumps: Vec<Jump> = Vec::new();
    let columns = &["source", "request_id", "description", "state"];
    for column in ["description", "request_id"] {
        let by = ViewQuery::of(&views::AIRALO_ORDERS)
            .columns(columns)
            .is(column, Some(SqlArg::text(term)))
            .order("source, request_id")
            .limit(OTHERS);
        let rows: Vec<OrderRow> = visit.rows(by).await?;
        jumps.extend(rows.into_iter().map(order));
    }
    // Every request of this product names an eSIM by 18 to 22 digits.
    if term.len() >= 15 && term.bytes().all(|byte| byte.is_ascii_digit()) {
        let by = ViewQuery::of(&views::AIRALO_SIMS)
            .columns(&["source", "iccid", "request_id"])
            .is("iccid", Some(SqlArg::text(term)))
            .order("source, request_id")
            .limit(OTHERS);
        let rows: Vec<SimRow> = visit.rows(by).await?;
        jumps.extend(rows.into_iter().map(sim));
    }
    Ok(jumps)
}

fn order(row: OrderRow) -> Jump {
    let name = row
        .description
        .or(row.request_id.clone())
        .unwrap_or_default();
    Jump {
        what: "order",
        kind: state::kind(&row.state),
        href: order_address(&row.source, row.request_id.as_deref(), &name),
        name: plain(&name, 60),
        word: row.state,
    }
}

fn sim(row: SimRow) -> Jump {
    let name = row.iccid.unwrap_or_default();
    Jump {
        what: "eSIM",
        kind: "none",
        word: row.source.clone(),
        href: order_address(&row.source, row.request_id.as_deref(), &name),
        name,
    }
}

/// An order whose request id is not known is listed by what it is known by.
fn order_address(source: &str, request_id: Option<&str>, name: &str) -> String {
    match request_id {
        Some(request_id) => format!("/orders/{}/{}", part(source), part(request_id)),
        None => Link::to("/orders").with("q", name).href(),
    }
}

fn part(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[derive(Deserialize)]
struct DeliveryRow {
    delivery_id: i64,
    handler: String,
    event_id: String,
    state: String,
}

#[derive(Deserialize)]
struct QuarantineRow {
    quarantine_id: i64,
    source: String,
    reason: String,
}

/// What is known by a number.
async fn numbered(visit: &mut AsVisitor, number: i64) -> Result<Vec<Jump>, VisitError> {
    let by = ViewQuery::of(&views::DELIVERIES)
        .columns(&["delivery_id", "handler", "event_id", "state"])
        .is("delivery_id", Some(SqlArg::number(number)))
        .one_of(
            "state",
            Some(SqlArg::text(
                "ready,running,retrying,scheduled,waiting,paused,retired,dead",
            )),
        )
        .limit(OTHERS);
    let deliveries: Vec<DeliveryRow> = visit.rows(by).await?;
    let by = ViewQuery::of(&views::QUARANTINE)
        .columns(&["quarantine_id", "source", "reason"])
        .is("quarantine_id", Some(SqlArg::number(number)))
        .limit(1);
    let quarantined: Vec<QuarantineRow> = visit.rows(by).await?;
    let delivery = |row: DeliveryRow| Jump {
        what: "delivery",
        name: format!("{} to {}", row.delivery_id, row.handler),
        kind: state::kind(&row.state),
        word: row.state,
        href: format!("/events/{}", row.event_id),
    };
    let request = |row: QuarantineRow| Jump {
        what: "quarantined request",
        name: format!("{} of {}", row.quarantine_id, row.source),
        kind: "warning",
        word: row.reason.replace('_', " "),
        href: format!(
            "/sources/{}?quarantine_id={}",
            part(&row.source),
            row.quarantine_id
        ),
    };
    let jumps = deliveries.into_iter().map(delivery);
    Ok(jumps.chain(quarantined.into_iter().map(request)).collect())
}

/// Handlers and sources of this name.
fn names(frame: &Frame, term: &str) -> Vec<Jump> {
    let handlers = frame.summary.handler_rows.iter();
    let handlers = handlers
        .filter(|row| row.handler == term)
        .map(|row| jump("handler", &row.handler, &row.state));
    let sources = frame.summary.source_rows.iter();
    let sources = sources
        .filter(|row| row.source == term)
        .map(|row| jump("source", &row.source, &row.state));
    handlers.chain(sources).collect()
}

fn jump(what: &'static str, name: &str, word: &str) -> Jump {
    Jump {
        what,
        name: name.to_owned(),
        kind: state::kind(word),
        word: word.to_owned(),
        href: format!("/{what}s/{}", part(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(id: &str) -> EventRow {
        let row = serde_json::json!({
            "event_id": id, "received_at": "1970-01-01T00:00:00+00:00", "source": "s", "type": "t",
            "idempotency_key": "k", "origin": "webhook", "conflicts_with": null,
        });
        serde_json::from_value(row).expect("a row")
    }

    #[test]
    fn one_result_is_opened() {
        let mut found = Found {
            events: vec![event("a")],
            count: 1,
            ..Found::default()
        };
        assert_eq!(only(&found).as_deref(), Some("/events/a"));
        found.jumps.push(jump("handler", "shop", "ok"));
        assert_eq!(only(&found), None);
        found.events.clear();
        assert_eq!(only(&found).as_deref(), Some("/handlers/shop"));
        assert_eq!(only(&Found::default()), None);
    }

    #[test]
    fn orders_have_an_address_with_any_id() {
        assert_eq!(
            order_address("airalo", Some("a/b?"), "x"),
            "/orders/airalo/a%2Fb%3F"
        );
        assert_eq!(order_address("airalo", None, "a&b"), "/orders?q=a%26b");
    }

    #[test]
    fn terms_that_nothing_has_are_not_searched() {
        assert!(invalid("order-4711").is_empty());
        assert!(!invalid("a\0").is_empty());
        assert!(!invalid(&"x".repeat(501)).is_empty());
    }
}
