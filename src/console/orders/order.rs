//! One order: its path from the shop to Airalo and back, its SIMs, and whether the shop has them.

use super::super::{
    address::Address,
    frame::Frame,
    page::written,
    problem::PageError,
    request::PageRequest,
    row::Timestamp,
    view::{
        marks::{self, Breaks, Run, plain},
        path::{Act, EventPath},
        short, state,
    },
};
use super::{
    row::{COLUMNS, OrderRow},
    shop::{Delivery, Explained, acts, branch, shop_handlers},
    verdict::{Facts, Has, ResultEvent, Verdict},
};
use crate::store::catalog::{functions, views};
use crate::store::{AsVisitor, FunctionCall, SqlArg, ViewQuery, Work};
use askama::Template;
use axum::{
    extract::{Path, rejection::PathRejection},
    response::Response,
};
use serde::Deserialize;

#[derive(Template)]
#[template(path = "order.html")]
struct OrderPage {
    frame: Frame,
    order: OrderRow,
    verdict: Verdict,
    path: EventPath,
    details: Vec<(&'static str, String)>,
    sims: Vec<Sim>,
    may_reveal: bool,
    event: Option<ResultEvent>,
    others: Vec<OrderRow>,
    conflicts: Vec<Conflict>,
    /// The handlers that have the result of this order.
    delivered_to: String,
    ticket: [String; 4],
    acts: Vec<Act>,
}

/// A row of `hookfast.airalo_sims`. Its codes are `***`, since the console masks them.
#[derive(Deserialize)]
struct Sim {
    iccid: String,
    order_id: Option<String>,
    conflict: bool,
    lpa: Option<String>,
    matching_id: Option<String>,
    qrcode: Option<String>,
    qrcode_url: Option<String>,
    direct_apple_installation_url: Option<String>,
    confirmation_code: Option<String>,
    msisdn: Option<String>,
    apn_type: Option<String>,
    apn_value: Option<String>,
    is_roaming: Option<bool>,
    event_id: String,
}

/// An event with another result.
#[derive(Deserialize)]
struct Conflict {
    event_id: String,
    r#type: String,
    received_at: Timestamp,
    /// The SIMs that only this result has, filled in later.
    #[serde(skip)]
    iccids: Vec<String>,
    /// Airalo's number of the order, filled in later.
    #[serde(skip)]
    order_id: Option<String>,
    /// The handlers that have this result, filled in later.
    #[serde(skip)]
    delivered_to: String,
}

/// A row of `hookfast.deliveries`: a handler that has a result.
#[derive(Deserialize)]
struct DeliveredRow {
    event_id: String,
    handler: String,
}

impl OrderPage {
    /// Whether the shop has more than one result.
    fn has_several_results(&self) -> bool {
        let others = self.conflicts.iter().map(|conflict| &conflict.delivered_to);
        let handlers = others.chain([&self.delivered_to]);
        handlers.filter(|handlers| !handlers.is_empty()).count() > 1
    }
}

impl Sim {
    /// The codes that exist. Their values are not on the page.
    fn codes(&self) -> String {
        let codes = [
            ("QR code", &self.qrcode),
            ("address of the QR code", &self.qrcode_url),
            ("matching id", &self.matching_id),
            ("server", &self.lpa),
            ("iOS link", &self.direct_apple_installation_url),
            ("confirmation code", &self.confirmation_code),
            ("phone number", &self.msisdn),
        ]
        .into_iter()
        .filter(|(_, code)| code.as_deref().is_some_and(|code| !code.is_empty()))
        .map(|(name, _)| name);
        codes.collect::<Vec<_>>().join(", ")
    }

    fn reveal(&self) -> String {
        Address::act("reveal")
            .with("event_id", &self.event_id)
            .href()
    }

    fn network(&self) -> String {
        let apn = match (self.apn_type.as_deref(), self.apn_value.as_deref()) {
            (Some("automatic"), _) => "APN automatic".to_owned(),
            (_, Some(value)) if !value.is_empty() => format!("APN {}", plain(value)),
            _ => String::new(),
        };
        match (self.is_roaming, apn.is_empty()) {
            (Some(true), true) => "roaming on".to_owned(),
            (Some(true), false) => format!("{apn}, roaming on"),
            _ => apn,
        }
    }
}

impl OrderPage {
    fn runs<'a>(&self, text: &'a str) -> Vec<Run<'a>> {
        marks::runs(text, Breaks::Mark)
    }

    fn kind_of(&self, act: &Act) -> &'static str {
        if act.is_primary { "primary" } else { "" }
    }

    fn event_address(&self) -> String {
        Address::event(self.order.event_id.as_deref().unwrap_or_default()).href()
    }

    /// The four sentences as one text.
    fn ticket_text(&self) -> String {
        self.ticket.join("\n")
    }
}

/// The page of an order with a request id.
pub(in super::super) async fn by_request(
    path: Result<Path<(String, String)>, PathRejection>,
    request: PageRequest,
) -> Result<Response, PageError> {
    let Ok(Path((source, request_id))) = path else {
        return Err(unreadable());
    };
    page(request, &source, "request_id", request_id).await
}

/// The page of an order of which no request id is known.
pub(in super::super) async fn by_parameter(
    path: Result<Path<String>, PathRejection>,
    request: PageRequest,
) -> Result<Response, PageError> {
    let Ok(Path(source)) = path else {
        return Err(unreadable());
    };
    for column in ["request_id", "description", "order_id"] {
        if let Some(value) = request.parameter(column) {
            return page(request, &source, column, value).await;
        }
    }
    Err(PageError::Missing(
        "The address names no order. It has the parameter description, request_id or order_id; the list of orders has \
         such links."
            .to_owned(),
    ))
}

fn unreadable() -> PageError {
    PageError::Missing(
        "The address of the order is not text. Search for the order instead.".to_owned(),
    )
}

async fn page(
    request: PageRequest,
    source: &str,
    column: &'static str,
    value: String,
) -> Result<Response, PageError> {
    let mut visit = request.visit(Work::Page).await?;
    let (order, mut others) = find(&mut visit, source, column, &value).await?;
    if let Some(description) = order
        .description
        .as_deref()
        .filter(|_| column != "description")
    {
        others = orders(&mut visit, source, "description", description).await?;
        others.retain(|other| other.address() != order.address());
    }
    let sims = sims(&mut visit, &order).await?;
    let (mut conflicts, delivered) = conflicts(&mut visit, &order, &sims).await?;
    let (event, explained, deliveries) = result(&mut visit, &order).await?;
    let frame = Frame::of(
        &request,
        &mut visit,
        "/orders",
        format!("Order {}", order.plain_name()),
    )
    .await?;
    let visitor = visit.visitor.clone();
    visit.finish().await?;

    let now = frame.as_of;
    let is_projection = |handler: &str| {
        let rows = &frame.summary.handler_rows;
        rows.iter()
            .any(|row| row.handler == handler && row.kind == "airalo")
    };
    let shop: Vec<_> = explained
        .iter()
        .filter(|row| row.verdict != "not subscribed" && !is_projection(&row.handler))
        .collect();
    let handlers = shop_handlers(&shop, &deliveries);
    let branches = shop
        .iter()
        .map(|row| branch(row, &deliveries, &order, &visitor, now))
        .collect();
    let facts = Facts {
        order: &order,
        source: frame
            .summary
            .source_rows
            .iter()
            .find(|row| row.source == order.source),
        event: event.as_ref(),
        shop: &handlers,
        now,
    };
    for conflict in &mut conflicts {
        let of = delivered
            .iter()
            .filter(|row| row.event_id == conflict.event_id);
        let names = of
            .map(|row| row.handler.as_str())
            .filter(|name| !is_projection(name));
        conflict.delivered_to = names.collect::<Vec<_>>().join(", ");
    }
    let have = handlers.iter().filter(|handler| handler.has == Has::Yes);
    let have: Vec<_> = have.map(|handler| handler.name.as_str()).collect();
    let delivered_to = have.join(", ");
    let is_unfinished = order.is_unfinished()
        || handlers
            .iter()
            .any(|handler| matches!(handler.has, Has::NotYet | Has::Retrying));
    let (verdict, ticket) = (facts.verdict(), facts.ticket());
    let is_undecided = order.is_possibly_double();
    let path = EventPath::new(facts.steps(), branches, is_undecided);
    written(&OrderPage {
        frame: if is_unfinished {
            frame.refreshed(5)
        } else {
            frame
        },
        details: details(&order),
        may_reveal: visitor.may(&functions::REVEAL),
        acts: acts(&order, &visitor),
        verdict,
        ticket,
        path,
        sims,
        event,
        others,
        conflicts,
        delivered_to,
        order,
    })
}

async fn orders(
    visit: &mut AsVisitor,
    source: &str,
    column: &'static str,
    value: &str,
) -> Result<Vec<OrderRow>, PageError> {
    let query = ViewQuery::of(&views::AIRALO_ORDERS)
        .columns(COLUMNS)
        .is("source", Some(SqlArg::text(source)))
        .is(column, Some(SqlArg::text(value)))
        .limit(20);
    Ok(visit.rows(query).await?)
}

/// The order of an address, and the others that it names too.
async fn find(
    visit: &mut AsVisitor,
    source: &str,
    column: &'static str,
    value: &str,
) -> Result<(OrderRow, Vec<OrderRow>), PageError> {
    let mut found = orders(visit, source, column, value).await?;
    // The address of an order with a request id names that, so the one without is meant.
    let at = found.iter().position(|order| order.request_id.is_none());
    if found.is_empty() {
        return Err(PageError::Missing(format!(
            "Hookfast knows no order of the source {} with the {} {}. It knows orders whose result arrived, and orders that \
             were recorded with hookfast.airalo_expect_order.",
            plain(source),
            column.replace('_', " "),
            plain(&short::middle(value, 80)),
        )));
    }
    Ok((found.remove(at.unwrap_or(0)), found))
}

async fn sims(visit: &mut AsVisitor, order: &OrderRow) -> Result<Vec<Sim>, PageError> {
    let by = [
        ("request_id", &order.request_id),
        ("order_id", &order.order_id),
    ];
    let Some((column, value)) = by.into_iter().find(|(_, value)| value.is_some()) else {
        return Ok(Vec::new());
    };
    let query = ViewQuery::of(&views::AIRALO_SIMS)
        .is("source", Some(SqlArg::text(&order.source)))
        .is(column, value.as_ref().map(SqlArg::text))
        .order("conflict, iccid")
        .limit(50);
    Ok(visit.rows(query).await?)
}

async fn conflicts(
    visit: &mut AsVisitor,
    order: &OrderRow,
    sims: &[Sim],
) -> Result<(Vec<Conflict>, Vec<DeliveredRow>), PageError> {
    if order.conflict_event_ids.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let query = ViewQuery::of(&views::EVENTS)
        .columns(&["event_id", "type", "received_at"])
        .ids("event_id", &order.conflict_event_ids)
        .limit(20);
    let mut conflicts: Vec<Conflict> = visit.rows(query).await?;
    for conflict in &mut conflicts {
        for sim in sims.iter().filter(|sim| sim.event_id == conflict.event_id) {
            conflict.iccids.push(sim.iccid.clone());
            conflict.order_id = sim.order_id.clone();
        }
    }
    let query = ViewQuery::of(&views::DELIVERIES)
        .columns(&["event_id", "handler"])
        .ids("event_id", &order.conflict_event_ids)
        .is("state", Some(SqlArg::text("delivered")))
        .limit(100);
    Ok((conflicts, visit.rows(query).await?))
}

/// The event of the result, and what happened to it. `explain` fails if the event was purged, so
/// that is read first.
async fn result(
    visit: &mut AsVisitor,
    order: &OrderRow,
) -> Result<(Option<ResultEvent>, Vec<Explained>, Vec<Delivery>), PageError> {
    let Some(event_id) = &order.event_id else {
        return Ok((None, Vec::new(), Vec::new()));
    };
    let query = ViewQuery::of(&views::EVENTS)
        .columns(&["origin", "received_at", "verified_by", "erased_at"])
        .is("event_id", Some(SqlArg::id(event_id)));
    let event: Option<ResultEvent> = visit.rows(query).await?.pop();
    if event.is_none() {
        return Ok((None, Vec::new(), Vec::new()));
    }
    let explain =
        FunctionCall::of(&functions::EXPLAIN).with("event_id", Some(SqlArg::id(event_id)));
    let explained = visit.call(explain).await?;
    let query = ViewQuery::of(&views::DELIVERIES)
        .columns(&[
            "delivery_id",
            "state",
            "attempts",
            "next_attempt_at",
            "ended_at",
            "last_error",
        ])
        .is("event_id", Some(SqlArg::id(event_id)))
        .limit(100);
    let deliveries = visit.rows(query).await?;
    Ok((event, explained, deliveries))
}

fn details(order: &OrderRow) -> Vec<(&'static str, String)> {
    let text = |text: &Option<String>| text.as_deref().map(plain).unwrap_or_default();
    let number = |number: &Option<Box<serde_json::value::RawValue>>| {
        number
            .as_deref()
            .map_or_else(String::new, |number| number.get().to_owned())
    };
    [
        ("Package", text(&order.package)),
        ("Data", text(&order.data)),
        ("Quantity", number(&order.quantity)),
        ("Valid for days", number(&order.validity_days)),
        ("Airalo's order", text(&order.order_id)),
        ("Airalo's code", text(&order.code)),
        ("Reason", text(&order.reason)),
        ("Last check", text(&order.last_check_result)),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .collect()
}
