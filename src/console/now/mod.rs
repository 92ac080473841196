//! Now: is intake safe, is work moving, what needs attention.

mod headline;

use self::headline::Headline;
use super::{
    address::Address,
    event_row,
    frame::{Frame, minute_address},
    handlers::{busy, milliseconds, rank, trouble, up_to},
    page::written,
    problem::PageError,
    request::PageRequest,
    row::Timestamp,
    summary::{HandlerRow, SourceRow},
    view::{number, short, state, strip::Strip},
};
use crate::store::catalog::{functions, views};
use crate::store::{AsVisitor, FunctionCall, SqlArg, ViewQuery, Work};
use askama::Template;
use axum::response::Response;
use serde::Deserialize;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "now.html")]
struct NowPage {
    frame: Frame,
    headline: Headline,
    /// What is not affected.
    lede: String,
    strip: Strip,
    areas: [Area; 3],
    handlers: Vec<HandlerRow>,
    sources: Vec<SourceRow>,
    rows: Arc<NowRows>,
    steps: Vec<SetupStep>,
}

/// One of the three verdicts.
struct Area {
    name: &'static str,
    kind: &'static str,
    sentence: String,
    detail: String,
    /// The page that has it; empty if there is nothing more to see.
    href: String,
}

/// A row of `hookfast.status()`.
#[derive(Deserialize)]
struct StatusRow {
    area: String,
    subject: String,
    state: String,
    message: String,
}

impl StatusRow {
    fn brief(&self) -> String {
        short::brief(&self.message)
    }

    /// The page that shows it.
    fn href(&self) -> String {
        match self.area.as_str() {
            "source" => Address::source(&self.subject).href(),
            "handler" => Address::handler(&self.subject).href(),
            "order" => Address::to("/orders").href(),
            "conflict" => conflicts(&self.subject).with("window", "7d").href(),
            "routing" => Address::to("/events").with("source", &self.subject).href(),
            _ => String::new(),
        }
    }
}

/// The conflicts of a source.
fn conflicts(source: &str) -> Address {
    Address::to("/events")
        .with("source", source)
        .with("conflicts", "only")
}

/// A row of `hookfast.pending_counts`.
#[derive(Deserialize)]
struct Pending {
    handler: String,
    waiting: i64,
    later: i64,
    slots: Option<i64>,
    busy: Option<i64>,
}

impl Pending {
    /// Those that are not ready: they wait for their key or for their time.
    fn not_ready(&self) -> i64 {
        self.waiting + self.later
    }
}

/// A row of `hookfast.failures`.
#[derive(Deserialize)]
struct Failure {
    handler: String,
    error_kind: Option<String>,
    count: i64,
    first_at: Timestamp,
    last_at: Timestamp,
    sample_event_id: String,
    sample_error: Option<String>,
    /// Those of the newest failed attempts.
    types: Vec<String>,
}

/// A row of `hookfast.unrouted`.
#[derive(Deserialize)]
struct Unrouted {
    source: String,
    r#type: String,
    events: i64,
}

/// A row of `hookfast.audit_log`.
#[derive(Deserialize)]
struct Change {
    at: Timestamp,
    actor: String,
    on_behalf_of: Option<String>,
    action: String,
    target: String,
}

/// A step of a fresh installation, which ticks itself.
struct SetupStep {
    text: &'static str,
    is_done: bool,
}

impl NowPage {
    /// How many of its slots are busy: `12 of 16`.
    fn busy(&self, handler: &HandlerRow) -> String {
        let found = pending_of(&self.rows.pending, handler);
        found.map_or_else(String::new, |row| busy(row.busy, row.slots))
    }

    /// How many of its deliveries wait for their key or for their time.
    fn later(&self, handler: &HandlerRow) -> String {
        up_to(pending_of(&self.rows.pending, handler).map_or(0, Pending::not_ready))
    }
}

fn pending_of<'a>(pending: &'a [Pending], handler: &HandlerRow) -> Option<&'a Pending> {
    pending.iter().find(|row| row.handler == handler.handler)
}

impl HandlerRow {
    fn oldest(&self) -> String {
        self.oldest_ready_age
            .map(|age| age.text())
            .unwrap_or_default()
    }

    fn rate(&self) -> String {
        format!("{:.0}", self.per_minute)
    }

    fn median(&self) -> String {
        milliseconds(self.median_ms)
    }

    fn p95(&self) -> String {
        milliseconds(self.p95_ms)
    }
}

impl SourceRow {
    fn last(&self, now: Timestamp) -> String {
        match self.last_event_at {
            Some(at) => format!("last event {}", at.age_of_minute(now)),
            None => "no event yet".to_owned(),
        }
    }
}

impl Failure {
    /// The newest error if the visitor may see it, else its kind.
    fn error(&self) -> &str {
        self.sample_error
            .as_deref()
            .or(self.error_kind.as_deref())
            .unwrap_or_default()
    }

    fn address(&self) -> String {
        Address::event(&self.sample_event_id).href()
    }

    fn types(&self) -> String {
        short::listed(&self.types, 2, "type")
    }

    /// Whether its handler still has trouble that it may be the cause of.
    fn is_unrepaired(&self, handlers: &[HandlerRow]) -> bool {
        let handler = handlers.iter().find(|row| row.handler == self.handler);
        handler.is_some_and(|row| {
            row.dead_letters > 0 || ["failing", "open"].contains(&row.state.as_str())
        })
    }

    /// `The commonest failure of shop in 24 hours, with orders.paid: status 422.`
    fn sentence(&self) -> String {
        let error = event_row::plain(self.error(), 120);
        let error = error.trim_end_matches('.');
        let of_types = match self.types.is_empty() {
            true => String::new(),
            false => format!(", with {}", self.types()),
        };
        format!(
            "The commonest failure of {} in 24 hours{of_types}: {error}.",
            self.handler
        )
    }
}

impl SetupStep {
    fn kind(&self) -> &'static str {
        if self.is_done { "ok" } else { "none" }
    }

    fn word(&self) -> &'static str {
        if self.is_done { "done" } else { "not yet" }
    }
}

impl Change {
    fn by(&self) -> String {
        match &self.on_behalf_of {
            Some(person) => format!("{person} ({})", self.actor),
            None => self.actor.clone(),
        }
    }
}

/// What the page shows besides the summary.
pub(super) struct NowRows {
    status: Vec<StatusRow>,
    pending: Vec<Pending>,
    failures: Vec<Failure>,
    unrouted: Vec<Unrouted>,
    changes: Vec<Change>,
    has_events: bool,
    as_of: Timestamp,
    /// The statements that read it.
    ran: Vec<String>,
}

async fn read(visit: &mut AsVisitor) -> Result<NowRows, PageError> {
    let ran_before = visit.ran().len();
    let pending = ViewQuery::of(&views::PENDING_COUNTS)
        .columns(&["handler", "waiting", "later", "slots", "busy"]);
    Ok(NowRows {
        status: visit.call(FunctionCall::of(&functions::STATUS)).await?,
        pending: visit.rows(pending).await?,
        failures: visit.rows(failures()).await?,
        unrouted: visit.rows(ViewQuery::of(&views::UNROUTED)).await?,
        changes: visit.rows(changes()).await?,
        has_events: has_events(visit).await?,
        as_of: Timestamp(visit.as_of),
        ran: visit.ran().get(ran_before..).unwrap_or_default().to_vec(),
    })
}

pub(super) async fn now(request: PageRequest) -> Result<Response, PageError> {
    let mut visit = request.visit(Work::Page).await?;
    let rows = request.console.shared.now.of(&mut visit, "", read).await?;
    let mut frame = Frame::of(&request, &mut visit, "/", "Now")
        .await?
        .refreshed(5);
    visit.finish().await?;
    frame.ran.clone_from(&rows.ran);
    let summary = frame.summary.clone();
    frame.as_of = frame.as_of.min(rows.as_of).min(summary.as_of);
    let headline = headline::headline(&rows.status, &summary.handler_rows, &summary.source_rows);
    let mut handlers = summary.handler_rows.clone();
    handlers.sort_by_key(|row| rank(&row.state));
    written(&NowPage {
        headline,
        lede: lede(&summary.handler_rows, &rows.pending, &rows.failures),
        strip: Strip::full(&summary.minutes, minute_address),
        areas: areas(&rows.status, &summary.handler_rows, &summary.source_rows),
        handlers,
        sources: summary
            .source_rows
            .iter()
            .filter(|source| source.kind != "hookfast")
            .cloned()
            .collect(),
        steps: if rows.has_events {
            Vec::new()
        } else {
            steps(&summary.source_rows)
        },
        rows,
        frame,
    })
}

fn failures() -> ViewQuery {
    ViewQuery::of(&views::FAILURES).limit(10)
}

fn changes() -> ViewQuery {
    ViewQuery::of(&views::AUDIT_LOG)
        .columns(&["at", "actor", "on_behalf_of", "action", "target"])
        // By id, which has an index. A clock that was set back hides a change for at most six hours.
        .among(1_000)
        .from("at", Some(SqlArg::ago("6 hours")))
        .limit(20)
}

async fn has_events(visit: &mut AsVisitor) -> Result<bool, PageError> {
    #[derive(Deserialize)]
    struct Any {}
    let any: Vec<Any> = visit
        .rows(
            ViewQuery::of(&views::EVENTS)
                .columns(&["event_id"])
                .limit(1),
        )
        .await?;
    Ok(!any.is_empty())
}

fn steps(sources: &[SourceRow]) -> Vec<SetupStep> {
    let is_rejected = sources
        .iter()
        .any(|source| source.rejected_last_hour > 0 || source.quarantined > 0);
    [
        (
            "A source is configured",
            sources.iter().any(|source| source.kind != "hookfast"),
        ),
        ("A request reaches it", is_rejected),
        ("A signature is verified", false),
        ("An event is stored", false),
        ("A handler has it", false),
    ]
    .map(|(text, is_done)| SetupStep { text, is_done })
    .into()
}

fn worst<'a>(rows: impl Iterator<Item = &'a StatusRow> + Clone) -> &'static str {
    let has = |state: &str| rows.clone().any(|row| row.state == state);
    match (has("critical"), has("warning")) {
        (true, _) => "critical",
        (false, true) => "warning",
        (false, false) => "ok",
    }
}

/// The pending deliveries, and the commonest failure of a handler that still has trouble.
fn lede(handlers: &[HandlerRow], pending: &[Pending], failures: &[Failure]) -> String {
    match failures
        .iter()
        .find(|failure| failure.is_unrepaired(handlers))
    {
        Some(failure) => format!("{} {}", waiting(handlers, pending), failure.sentence()),
        None => waiting(handlers, pending),
    }
}

/// The deliveries that wait for handlers with trouble.
fn waiting(handlers: &[HandlerRow], pending: &[Pending]) -> String {
    let count =
        |row: &HandlerRow| row.ready + pending_of(pending, row).map_or(0, Pending::not_ready);
    let waiting: Vec<_> = handlers
        .iter()
        .filter(|row| count(row) > 0 && !["ok", "retired"].contains(&row.state.as_str()))
        .collect();
    let safe = "Nothing that was answered 200 is lost.";
    // Each count ends at 10,000.
    let least = match waiting.iter().any(|row| count(row) >= 10_000) {
        true => "At least ",
        false => "",
    };
    match waiting.as_slice() {
        [] => safe.to_owned(),
        [one] => {
            let oldest = one
                .oldest_ready_age
                .map(|age| format!(", the oldest for {}", age.text()))
                .unwrap_or_default();
            format!(
                "{safe} {least}{} for {}{oldest}.",
                number::counted(count(one), "delivery waits", "deliveries wait"),
                one.handler
            )
        }
        some => {
            let waiting = some.iter().map(|row| count(row)).sum();
            format!(
                "{safe} {least}{} for {} handlers.",
                number::counted(waiting, "delivery waits", "deliveries wait"),
                some.len()
            )
        }
    }
}

fn areas(status: &[StatusRow], handlers: &[HandlerRow], sources: &[SourceRow]) -> [Area; 3] {
    let of = |area: &'static str| status.iter().filter(move |row| row.area == area);
    let intake = Area {
        name: "Intake",
        kind: worst(
            status
                .iter()
                .filter(|row| ["intake", "source"].contains(&row.area.as_str())),
        ),
        sentence: of("intake")
            .find(|row| row.subject == "ingress")
            .map_or_else(String::new, |row| row.message.clone()),
        detail: of("source").find(|row| row.state != "ok").map_or_else(
            || number::counted(of("source").count() as i64, "source", "sources"),
            |row| format!("{}: {}", row.subject, row.message),
        ),
        href: of("source")
            .find(|row| row.state != "ok")
            .map(StatusRow::href)
            .unwrap_or_default(),
    };
    let live = handlers.iter().filter(|row| row.state != "retired");
    let total = live.clone().count() as i64;
    let trouble = trouble(live.clone().map(|row| row.state.as_str()));
    let per_minute: f64 = live.clone().map(|row| row.per_minute).sum();
    let ready = live.clone().map(|row| row.ready).sum();
    let dead = live.map(|row| row.dead_letters).sum();
    let work = Area {
        name: "Work",
        kind: worst(of("handler")),
        sentence: match (trouble, dead, total) {
            (trouble, ..) if !trouble.is_empty() => trouble,
            (_, 0, 1) => "1 handler, working".to_owned(),
            (_, 0, _) => format!("{total} handlers, all working"),
            (_, some, _) => number::counted(some, "dead letter", "dead letters"),
        },
        detail: format!(
            "{per_minute:.0} deliveries a minute, {} ready",
            number::grouped(ready)
        ),
        href: of("handler")
            .find(|row| row.state != "ok")
            .map(StatusRow::href)
            .unwrap_or_default(),
    };
    let rest = status.iter().filter(|row| {
        !["intake", "source", "handler", "replay", "search"].contains(&row.area.as_str())
    });
    let odd = rest.clone().filter(|row| row.state != "ok");
    let quarantined = sources.iter().find(|source| source.quarantined > 0);
    let attention = match (odd.clone().next(), quarantined) {
        (Some(row), _) => Area {
            name: "Attention",
            kind: worst(rest),
            sentence: format!("{}: {}", row.subject, row.brief()),
            detail: match odd.count() {
                1 => String::new(),
                more => format!("and {} more", more - 1),
            },
            href: row.href(),
        },
        (None, Some(source)) => Area {
            name: "Attention",
            kind: "none",
            sentence: format!(
                "{}: {} in quarantine",
                source.source,
                number::grouped(source.quarantined)
            ),
            detail: "They failed verification and are no events.".to_owned(),
            href: Address::source(&source.source).at("quarantine").href(),
        },
        (None, None) => Area {
            name: "Attention",
            kind: "ok",
            sentence: "orders, conflicts and storage are fine".to_owned(),
            detail: String::new(),
            href: String::new(),
        },
    };
    [intake, work, attention]
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    fn handler(state: &str, dead_letters: i64) -> HandlerRow {
        from_value(json!({
            "handler": "shop", "kind": "http", "state": state, "why": null, "ready": 0, "oldest_ready_age": null,
            "per_minute": 0.0, "dead_letters": dead_letters, "median_ms": null, "p95_ms": null,
        }))
        .expect("a row")
    }

    #[test]
    fn the_lede_names_the_failure_of_a_handler_that_still_has_trouble() {
        let at = "2026-11-29T10:00:00+00:00";
        let failure = |types: &[&str]| -> Failure {
            from_value(json!({
                "handler": "shop", "error_kind": "status 422", "count": 68, "first_at": at, "last_at": at,
                "sample_event_id": "", "sample_error": null, "types": types,
            }))
            .expect("a row")
        };
        let safe = "Nothing that was answered 200 is lost.";
        let lede_of = |row, types: &[&str]| lede(&[row], &[], &[failure(types)]);
        assert_eq!(lede_of(handler("ok", 0), &["orders.paid"]), safe);
        let known = format!(
            "{safe} The commonest failure of shop in 24 hours, with orders.paid: status 422."
        );
        assert_eq!(lede_of(handler("ok", 17), &["orders.paid"]), known);
        assert_eq!(lede_of(handler("failing", 0), &["orders.paid"]), known);
        let unknown = format!("{safe} The commonest failure of shop in 24 hours: status 422.");
        assert_eq!(lede_of(handler("open", 0), &[]), unknown);
        let pending: [Pending; 1] = from_value(json!([{
            "handler": "shop", "waiting": 3, "later": 4, "slots": null, "busy": null,
        }]))
        .expect("rows");
        assert_eq!(
            lede(&[handler("open", 0)], &pending, &[]),
            format!("{safe} 7 deliveries wait for shop.")
        );
        assert_eq!(lede(&[handler("ok", 0)], &pending, &[]), safe);
        let mut many = handler("open", 0);
        many.ready = 10_000;
        assert_eq!(
            lede(&[many], &pending, &[]),
            format!("{safe} At least 10,007 deliveries wait for shop.")
        );
    }
}
