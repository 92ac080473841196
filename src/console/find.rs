//! Find: whatever a person has in hand. One result is opened, several are listed, and none says
//! what was searched.

use super::{
    address::Address,
    event_row::{COLUMNS, EventRow, complete, plain},
    frame::Frame,
    orders,
    page::written,
    problem::PageError,
    request::PageRequest,
    row::Timestamp,
    view::{number, state},
};
use crate::store::catalog::{functions, views};
use crate::store::{AsVisitor, FunctionCall, SqlArg, ViewQuery, VisitError, Work};
use askama::Template;
use axum::response::{IntoResponse, Redirect, Response};
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
        complete(visit, &mut found.events).await?;
    }
    found.jumps = of_orders(visit, term).await?;
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
    order_id: Option<String>,
    state: String,
    possible_double_purchase: bool,
    acknowledged_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct SimRow {
    source: String,
    iccid: Option<String>,
    request_id: Option<String>,
    description: Option<String>,
    order_id: Option<String>,
}

/// Orders by description, request id or Airalo's number, and the order of an eSIM by its ICCID.
async fn of_orders(visit: &mut AsVisitor, term: &str) -> Result<Vec<Jump>, VisitError> {
    let mut jumps: Vec<Jump> = Vec::new();
    let columns = &[
        "source",
        "request_id",
        "description",
        "order_id",
        "state",
        "possible_double_purchase",
        "acknowledged_at",
    ];
    for column in ["description", "request_id", "order_id"] {
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
            .columns(&["source", "iccid", "request_id", "description", "order_id"])
            .is("iccid", Some(SqlArg::text(term)))
            .order("source, request_id")
            .limit(OTHERS);
        let rows: Vec<SimRow> = visit.rows(by).await?;
        jumps.extend(rows.into_iter().map(sim));
    }
    Ok(jumps)
}

fn order(row: OrderRow) -> Jump {
    let (request_id, description, order_id) = (
        row.request_id.as_deref(),
        row.description.as_deref(),
        row.order_id.as_deref(),
    );
    let is_possibly_double = row.possible_double_purchase && row.acknowledged_at.is_none();
    let name = description.or(request_id).or(order_id).unwrap_or_default();
    Jump {
        what: "order",
        kind: match is_possibly_double {
            true => "critical",
            false => state::kind(&row.state),
        },
        href: orders::address(&row.source, request_id, description, order_id),
        name: plain(name, 60),
        word: match is_possibly_double {
            true => format!("{}, possibly bought twice", row.state),
            false => row.state,
        },
    }
}

fn sim(row: SimRow) -> Jump {
    Jump {
        what: "eSIM",
        kind: "none",
        href: orders::address(
            &row.source,
            row.request_id.as_deref(),
            row.description.as_deref(),
            row.order_id.as_deref(),
        ),
        name: row.iccid.unwrap_or_default(),
        word: row.source,
    }
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
        href: Address::event(&row.event_id).href(),
    };
    let request = |row: QuarantineRow| Jump {
        what: "quarantined request",
        name: format!("{} of {}", row.quarantine_id, row.source),
        kind: "warning",
        word: row.reason.replace('_', " "),
        href: Address::quarantined(row.quarantine_id).href(),
    };
    let jumps = deliveries.into_iter().map(delivery);
    Ok(jumps.chain(quarantined.into_iter().map(request)).collect())
}

/// Handlers and sources of this name.
fn names(frame: &Frame, term: &str) -> Vec<Jump> {
    let handlers = frame.summary.handler_rows.iter();
    let handlers = handlers
        .filter(|row| row.handler == term)
        .map(|row| jump("handler", Address::handler(term), &row.handler, &row.state));
    let sources = frame.summary.source_rows.iter();
    let sources = sources
        .filter(|row| row.source == term)
        .map(|row| jump("source", Address::source(term), &row.source, &row.state));
    handlers.chain(sources).collect()
}

fn jump(what: &'static str, page: Address, name: &str, word: &str) -> Jump {
    Jump {
        what,
        name: name.to_owned(),
        kind: state::kind(word),
        word: state::word(word).to_owned(),
        href: page.href(),
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
        found
            .jumps
            .push(jump("handler", Address::handler("shop"), "shop", "ok"));
        assert_eq!(only(&found), None);
        found.events.clear();
        assert_eq!(only(&found).as_deref(), Some("/handlers/shop"));
        assert_eq!(only(&Found::default()), None);
    }

    #[test]
    fn terms_that_nothing_has_are_not_searched() {
        assert!(invalid("order-4711").is_empty());
        assert!(!invalid("a\0").is_empty());
        assert!(!invalid(&"x".repeat(501)).is_empty());
    }
}
