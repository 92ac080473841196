//! Handlers: the state of each, and how much it does.

use super::{
    address::Address,
    frame::Frame,
    page::written,
    problem::PageError,
    request::PageRequest,
    row::Span,
    view::{
        marks::{self, Breaks, Run},
        number, state,
    },
};
use crate::store::catalog::{functions, views};
use crate::store::{ViewQuery, VisitError, Work};
use askama::Template;
use axum::response::Response;
use serde::{Deserialize, de::DeserializeOwned};

#[derive(Template)]
#[template(path = "handlers.html")]
struct HandlersPage {
    frame: Frame,
    rows: Vec<HandlerRow>,
    can_pause: bool,
    can_resume: bool,
    can_pause_all: bool,
    can_resume_all: bool,
}

/// A row of `hookfast.handler_health`.
#[derive(Deserialize)]
struct HandlerRow {
    handler: String,
    kind: String,
    state: String,
    #[serde(deserialize_with = "super::row::brief")]
    why: Option<String>,
    delivered_last_hour: i64,
    failed_last_hour: i64,
    dead_letters: i64,
    ready: i64,
    oldest_ready_age: Option<Span>,
    per_minute: f64,
    p95_ms: Option<f64>,
}

impl HandlerRow {
    fn address(&self) -> String {
        Address::handler(&self.handler).href()
    }

    fn why(&self) -> Vec<Run<'_>> {
        marks::runs(self.why.as_deref().unwrap_or_default(), Breaks::Mark)
    }

    fn dead(&self) -> String {
        Address::to("/dead").with("handler", &self.handler).href()
    }

    fn act(&self, function: &str) -> String {
        Address::act(function).with("handler", &self.handler).href()
    }

    fn ready(&self) -> String {
        up_to(self.ready)
    }

    fn dead_count(&self) -> String {
        up_to(self.dead_letters)
    }

    fn rate(&self) -> String {
        rate(self.per_minute)
    }

    fn p95(&self) -> String {
        milliseconds(self.p95_ms)
    }

    fn oldest(&self) -> String {
        self.oldest_ready_age.map(Span::text).unwrap_or_default()
    }
}

impl HandlersPage {
    fn is_any_paused(&self) -> bool {
        self.rows.iter().any(|row| row.state == "paused")
    }

    fn summary(&self) -> String {
        summary(self.rows.iter().map(|row| row.state.as_str()))
    }
}

pub(super) async fn page(request: PageRequest) -> Result<Response, PageError> {
    let mut visit = request.visit(Work::Page).await?;
    let mut rows: Vec<HandlerRow> = visit
        .rows(ViewQuery::of(&views::HANDLER_HEALTH).columns(&[
            "handler",
            "kind",
            "state",
            "why",
            "delivered_last_hour",
            "failed_last_hour",
            "dead_letters",
            "ready",
            "oldest_ready_age",
            "per_minute",
            "p95_ms",
        ]))
        .await?;
    let frame = Frame::of(&request, &mut visit, "/handlers", "Handlers").await?;
    let may = |function| visit.visitor.may(function);
    let (can_pause, can_resume, can_pause_all, can_resume_all) = (
        may(&functions::PAUSE_HANDLER),
        may(&functions::RESUME_HANDLER),
        may(&functions::PAUSE_ALL_HANDLERS),
        may(&functions::RESUME_ALL_HANDLERS),
    );
    visit.finish().await?;
    rows.sort_by_key(|row| rank(&row.state));
    written(&HandlersPage {
        frame,
        rows,
        can_pause,
        can_resume,
        can_pause_all,
        can_resume_all,
    })
}

/// Rows that a page can do without, in a transaction of their own: `None` if they take too long.
pub(super) async fn if_in_time<T: DeserializeOwned>(
    request: &PageRequest,
    frame: &mut Frame,
    query: ViewQuery,
) -> Result<Option<Vec<T>>, PageError> {
    let mut visit = request.visit(Work::Page).await?;
    let rows = visit.rows(query).await;
    frame.ran.extend_from_slice(visit.ran());
    match rows {
        Ok(rows) => {
            visit.finish().await?;
            Ok(Some(rows))
        }
        Err(VisitError::TooSlow(_)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// `handler_health` counts up to 10,000.
pub(super) fn up_to(count: i64) -> String {
    match count {
        0 => String::new(),
        10_000.. => "10,000+".to_owned(),
        _ => number::grouped(count),
    }
}

/// Durations are counted by upper bounds: 1, 2 or 5 times a power of ten.
pub(super) fn milliseconds(duration: Option<f64>) -> String {
    duration
        .map(|ms| format!("≤ {} ms", number::grouped(ms.round() as i64)))
        .unwrap_or_default()
}

/// `12 of 16`; empty if no live process runs the handler itself.
pub(super) fn busy(busy: Option<i64>, slots: Option<i64>) -> String {
    match (busy, slots) {
        (Some(busy), Some(slots)) => {
            format!("{} of {}", number::grouped(busy), number::grouped(slots))
        }
        _ => String::new(),
    }
}

pub(super) fn rate(per_minute: f64) -> String {
    match per_minute {
        0.0 => String::new(),
        ..10.0 => format!("{per_minute:.1}"),
        _ => number::grouped(per_minute.round() as i64),
    }
}

/// What needs somebody is first.
pub(super) fn rank(state: &str) -> u8 {
    match (state, state::kind(state)) {
        ("retired", _) => 4,
        (_, "critical") => 0,
        (_, "warning") => 1,
        (_, "paused") => 2,
        _ => 3,
    }
}

/// How many live handlers are in trouble, by kind, in the same words on each page. Empty if all of
/// them work.
pub(super) fn trouble<'a>(states: impl Iterator<Item = &'a str>) -> String {
    let (mut total, mut broken, mut paused, mut late) = (0, 0, 0, 0);
    for state in states.filter(|state| *state != "retired") {
        total += 1;
        match state::kind(state) {
            "critical" => broken += 1,
            "paused" => paused += 1,
            "warning" => late += 1,
            _ => {}
        }
    }
    let counts = [
        (broken, "not delivering"),
        (paused, "paused"),
        (late, "slow or behind"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let parts: Vec<_> = counts.map(|(n, what)| format!("{n} {what}")).collect();
    match parts.is_empty() {
        true => String::new(),
        false => format!(
            "Of {}: {}",
            number::counted(total, "handler", "handlers"),
            parts.join(", ")
        ),
    }
}

fn summary<'a>(states: impl Iterator<Item = &'a str> + Clone) -> String {
    let total = states.clone().filter(|state| *state != "retired").count() as i64;
    match (total, trouble(states)) {
        (0, _) => String::new(),
        (total, trouble) if trouble.is_empty() => {
            format!(
                "{}, all of them deliver.",
                number::counted(total, "handler", "handlers")
            )
        }
        (_, trouble) => {
            format!(
                "{trouble}. Events for these handlers are stored. A handler that fails uses up the attempts of its deliveries: pause it if its repair takes long."
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_somebody_is_first() {
        let mut states = ["ok", "retired", "paused", "behind", "failing", "unserved"];
        states.sort_by_key(|state| rank(state));
        assert_eq!(
            states,
            ["failing", "unserved", "behind", "paused", "ok", "retired"]
        );
    }

    #[test]
    fn the_summary_counts_handlers_that_do_not_deliver() {
        let of = |states: &[&str]| summary(states.iter().copied());
        assert_eq!(of(&["retired"]), "");
        assert_eq!(of(&["ok", "ok"]), "2 handlers, all of them deliver.");
        let of_all = of(&[
            "ok", "open", "failing", "paused", "slow", "behind", "retired",
        ]);
        let counts = "Of 6 handlers: 2 not delivering, 1 paused, 2 slow or behind. Events";
        assert!(of_all.starts_with(counts), "{of_all}");
        assert_eq!(trouble(["ok", "retired"].into_iter()), "");
    }

    #[test]
    fn rates_and_durations_are_short() {
        assert_eq!(rate(0.0), "");
        assert_eq!(rate(2.4), "2.4");
        assert_eq!(rate(1234.4), "1,234");
        assert_eq!(milliseconds(Some(1500.0)), "≤ 1,500 ms");
        assert_eq!(milliseconds(None), "");
    }
}
