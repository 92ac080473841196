//! Rows of the page, named after the columns of the views.

use super::super::{
    address::Address,
    handlers::{busy, milliseconds, rate, up_to},
    problem::PageError,
    row::{Span, Timestamp},
    view::{
        marks::{self, Breaks, Run},
        number, short,
    },
};
use super::COUNTED;
use crate::store::catalog::views;
use crate::store::{AsVisitor, SqlArg, ViewQuery};
use serde::Deserialize;

/// What the page shows of a handler besides the list of its deliveries.
pub(in crate::console) struct HandlerRows {
    pub(super) health: HealthRow,
    pub(super) pending: PendingCounts,
    /// Those of the last hour, if there was an attempt.
    pub(super) durations: Option<Durations>,
    pub(super) failures: Vec<Failure>,
    pub(super) workers: Vec<Worker>,
    pub(super) processes: Vec<Process>,
    pub(super) as_of: Timestamp,
    /// The statements that read it.
    pub(super) ran: Vec<String>,
}

impl HandlerRows {
    pub(super) fn is_configured(&self) -> bool {
        self.processes.iter().any(|process| process.alive)
    }
}

pub(super) async fn read(visit: &mut AsVisitor, name: &str) -> Result<HandlerRows, PageError> {
    let ran_before = visit.ran().len();
    let handler = || Some(SqlArg::text(name));
    let health = ViewQuery::of(&views::HANDLER_HEALTH).columns(&HealthRow::COLUMNS);
    let health: Vec<HealthRow> = visit.rows(health.is("handler", handler())).await?;
    let Some(mut health) = health.into_iter().next() else {
        return Err(PageError::Missing(format!(
            "No handler is named “{name}”. The page Handlers lists all of them."
        )));
    };
    health.why = health.why.as_deref().map(short::capital);
    let pending = ViewQuery::of(&views::PENDING_COUNTS).columns(&PendingCounts::COLUMNS);
    let pending: Vec<PendingCounts> = visit.rows(pending.is("handler", handler())).await?;
    let durations = ViewQuery::of(&views::DURATIONS).columns(&Durations::COLUMNS);
    let durations: Vec<Durations> = visit.rows(durations.is("handler", handler())).await?;
    let failures = ViewQuery::of(&views::FAILURES).is("handler", handler());
    let failures = visit.rows(failures.limit(20)).await?;
    let workers = ViewQuery::of(&views::WORKERS).columns(&Worker::COLUMNS);
    let workers = visit
        .rows(workers.contains("handlers", handler()).limit(20))
        .await?;
    let processes = ViewQuery::of(&views::PROCESSES).columns(&Process::COLUMNS);
    let processes = visit
        .rows(processes.contains("handlers", handler()).limit(20))
        .await?;
    Ok(HandlerRows {
        health,
        pending: pending.into_iter().next().unwrap_or_default(),
        durations: durations.into_iter().next(),
        failures,
        workers,
        processes,
        as_of: Timestamp(visit.as_of),
        ran: visit.ran().get(ran_before..).unwrap_or_default().to_vec(),
    })
}

/// A row of `hookfast.pending_counts`, which has none for a retired handler.
#[derive(Default, Deserialize)]
pub(super) struct PendingCounts {
    pub(super) running: i64,
    pub(super) waiting: i64,
    pub(super) later: i64,
    pub(super) due_in_5_minutes: i64,
    pub(super) due_in_30_minutes: i64,
    pub(super) due_in_120_minutes: i64,
    pub(super) slots: Option<i64>,
    pub(super) busy: Option<i64>,
}

impl PendingCounts {
    pub(super) const COLUMNS: [&str; 8] = [
        "running",
        "waiting",
        "slots",
        "busy",
        "later",
        "due_in_5_minutes",
        "due_in_30_minutes",
        "due_in_120_minutes",
    ];

    pub(super) fn running(&self) -> String {
        number::capped(self.running, COUNTED - 1)
    }

    /// `12 of 16`
    pub(super) fn busy(&self) -> String {
        busy(self.busy, self.slots)
    }

    pub(super) fn waiting(&self) -> String {
        up_to(self.waiting)
    }
}

/// A row of `hookfast.handler_health`.
#[derive(Deserialize)]
pub(super) struct HealthRow {
    pub(super) handler: String,
    pub(super) kind: String,
    pub(super) state: String,
    #[serde(deserialize_with = "crate::console::row::brief")]
    pub(super) why: Option<String>,
    pub(super) delivered_last_hour: i64,
    pub(super) failed_last_hour: i64,
    pub(super) dead_last_hour: i64,
    pub(super) dead_letters: i64,
    pub(super) ready: i64,
    pub(super) oldest_ready_age: Option<Span>,
    pub(super) per_minute: f64,
    pub(super) types: Vec<String>,
    pub(super) sources: Option<Vec<String>>,
    pub(super) ordered: bool,
    pub(super) max_attempts: i32,
    pub(super) behind_after: Option<Span>,
    pub(super) median_ms: Option<f64>,
    pub(super) p95_ms: Option<f64>,
    pub(super) retired: i64,
}

impl HealthRow {
    pub(super) const COLUMNS: [&str; 19] = [
        "handler",
        "kind",
        "state",
        "why",
        "delivered_last_hour",
        "failed_last_hour",
        "dead_last_hour",
        "dead_letters",
        "ready",
        "oldest_ready_age",
        "per_minute",
        "types",
        "sources",
        "ordered",
        "max_attempts",
        "behind_after",
        "median_ms",
        "p95_ms",
        "retired",
    ];

    pub(super) fn why(&self) -> Vec<Run<'_>> {
        marks::runs(self.why.as_deref().unwrap_or_default(), Breaks::Mark)
    }

    pub(super) fn ready(&self) -> String {
        up_to(self.ready)
    }

    pub(super) fn dead(&self) -> String {
        up_to(self.dead_letters)
    }

    pub(super) fn kept(&self) -> String {
        up_to(self.retired)
    }

    pub(super) fn rate(&self) -> String {
        rate(self.per_minute)
    }

    pub(super) fn median(&self) -> String {
        milliseconds(self.median_ms)
    }

    pub(super) fn p95(&self) -> String {
        milliseconds(self.p95_ms)
    }

    pub(super) fn oldest(&self) -> String {
        self.oldest_ready_age
            .map_or_else(|| "none".to_owned(), Span::text)
    }
}

/// A row of `hookfast.failures`.
#[derive(Deserialize)]
pub(super) struct Failure {
    pub(super) error_kind: Option<String>,
    pub(super) count: i64,
    pub(super) first_at: Timestamp,
    pub(super) last_at: Timestamp,
    pub(super) sample_event_id: String,
    pub(super) sample_error: Option<String>,
    /// Those of the newest failed attempts.
    types: Vec<String>,
}

impl Failure {
    pub(super) fn kind(&self) -> &str {
        self.error_kind.as_deref().unwrap_or_default()
    }

    pub(super) fn error(&self) -> Vec<Run<'_>> {
        marks::runs(
            self.sample_error.as_deref().unwrap_or_default(),
            Breaks::Mark,
        )
    }

    pub(super) fn event(&self) -> String {
        Address::event(&self.sample_event_id).href()
    }

    pub(super) fn types(&self) -> String {
        short::listed(&self.types, 2, "type")
    }
}

/// A row of `hookfast.durations`.
#[derive(Deserialize)]
pub(super) struct Durations {
    pub(super) attempts_last_hour: i64,
    median_ms_last_hour: Option<f64>,
    p95_ms_last_hour: Option<f64>,
}

impl Durations {
    pub(super) const COLUMNS: [&str; 3] = [
        "attempts_last_hour",
        "median_ms_last_hour",
        "p95_ms_last_hour",
    ];

    pub(super) fn median(&self) -> String {
        milliseconds(self.median_ms_last_hour)
    }

    pub(super) fn p95(&self) -> String {
        milliseconds(self.p95_ms_last_hour)
    }
}

/// A row of `hookfast.workers`.
#[derive(Deserialize)]
pub(super) struct Worker {
    pub(super) owner: String,
    pub(super) kind: String,
    pub(super) registered_at: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) alive: bool,
    pub(super) running: i64,
}

impl Worker {
    pub(super) const COLUMNS: [&str; 6] = [
        "owner",
        "kind",
        "registered_at",
        "expires_at",
        "alive",
        "running",
    ];
}

/// A row of `hookfast.processes`.
#[derive(Deserialize)]
pub(super) struct Process {
    pub(super) owner: String,
    pub(super) version: String,
    pub(super) started_at: Timestamp,
    pub(super) seen_at: Timestamp,
    pub(super) alive: bool,
    pub(super) not_ready: Option<String>,
}

impl Process {
    pub(super) const COLUMNS: [&str; 6] = [
        "owner",
        "version",
        "started_at",
        "seen_at",
        "alive",
        "not_ready",
    ];

    pub(super) fn state(&self) -> (&'static str, &str) {
        match (self.alive, &self.not_ready) {
            (true, None) => ("ok", "ready"),
            (true, Some(why)) => ("warning", why),
            (false, _) => ("critical", "not seen"),
        }
    }
}
