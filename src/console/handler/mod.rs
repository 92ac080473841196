//! Handler: why one is in its state, what waits for it, what fails, who serves it.

mod advice;
pub(super) mod deliveries;
mod rows;

use super::{
    address::Address,
    frame::Frame,
    handlers::if_in_time,
    page::written,
    problem::PageError,
    request::PageRequest,
    view::{
        marks::{self, Breaks},
        number, short, state,
    },
};
use crate::store::catalog::{Function, functions, views};
use crate::store::{AsVisitor, SqlArg, ViewQuery, Work};
use askama::Template;
use axum::{extract::Path, response::Response};
use deliveries::Deliveries;
use rows::{BacklogRow, Failure, HealthRow, Process, Worker};

#[derive(Template)]
#[template(path = "handler.html")]
struct HandlerPage {
    frame: Frame,
    health: HealthRow,
    /// What to do about its state.
    advice: &'static str,
    /// `None` if the backlog is too large to be counted for a page.
    backlog: Option<BacklogRow>,
    failures: Vec<Failure>,
    deliveries: Deliveries,
    workers: Vec<Worker>,
    processes: Vec<Process>,
    may: May,
}

/// What the visitor may do.
struct May {
    pause: bool,
    resume: bool,
    reschedule: bool,
    retry: bool,
    discard: bool,
    retire: bool,
    retry_one: bool,
    discard_one: bool,
    reschedule_one: bool,
    sees_errors: bool,
}

impl May {
    fn of(visit: &AsVisitor) -> Self {
        let may = |function: &'static Function| visit.visitor.may(function);
        Self {
            pause: may(&functions::PAUSE_HANDLER),
            resume: may(&functions::RESUME_HANDLER),
            reschedule: may(&functions::RESCHEDULE_ALL),
            retry: may(&functions::RETRY_ALL),
            discard: may(&functions::DISCARD_ALL),
            retire: may(&functions::RETIRE_HANDLER),
            retry_one: may(&functions::RETRY),
            discard_one: may(&functions::DISCARD),
            reschedule_one: may(&functions::RESCHEDULE),
            // The rights to see errors and to act are the operator's.
            sees_errors: may(&functions::RETRY_ALL),
        }
    }
}

/// A part of the retry wave.
struct Wave {
    label: &'static str,
    count: i64,
    bar: u64,
}

impl HandlerPage {
    fn act(&self, function: &str) -> String {
        Address::act(function)
            .with("handler", &self.health.handler)
            .href()
    }

    fn dead(&self) -> String {
        Address::to("/dead")
            .with("handler", &self.health.handler)
            .href()
    }

    fn wave(&self) -> Option<[Wave; 4]> {
        self.backlog.as_ref().map(wave)
    }

    fn is_configured(&self) -> bool {
        self.processes.iter().any(|process| process.alive)
    }

    fn running(&self) -> String {
        match &self.backlog {
            Some(backlog) => number::grouped(backlog.running),
            None => "not counted".to_owned(),
        }
    }
}

fn wave(backlog: &BacklogRow) -> [Wave; 4] {
    let later = |count: i64| u64::try_from(count).unwrap_or_default();
    [
        ("within 5 minutes", backlog.due_in_5_minutes),
        (
            "5 to 30 minutes",
            backlog.due_in_30_minutes - backlog.due_in_5_minutes,
        ),
        (
            "30 minutes to 2 hours",
            backlog.due_in_120_minutes - backlog.due_in_30_minutes,
        ),
        (
            "more than 2 hours",
            backlog.later - backlog.due_in_120_minutes,
        ),
    ]
    .map(|(label, count)| Wave {
        label,
        count,
        bar: number::bar(later(count), later(backlog.later)),
    })
}

pub(super) async fn page(
    Path(name): Path<String>,
    request: PageRequest,
) -> Result<Response, PageError> {
    let mut visit = request.visit(Work::Page).await?;
    let handler = || Some(SqlArg::text(&name));
    let health: Vec<HealthRow> = visit
        .rows(
            ViewQuery::of(&views::HANDLER_HEALTH)
                .columns(&HealthRow::COLUMNS)
                .is("handler", handler()),
        )
        .await?;
    let Some(mut health) = health.into_iter().next() else {
        return Err(PageError::Missing(format!(
            "No handler is named “{name}”. The page Handlers lists all of them."
        )));
    };
    health.why = health.why.as_deref().map(short::capital);
    let failures = visit
        .rows(
            ViewQuery::of(&views::FAILURES)
                .is("handler", handler())
                .limit(20),
        )
        .await?;
    let workers = visit
        .rows(
            ViewQuery::of(&views::WORKERS)
                .columns(&Worker::COLUMNS)
                .contains("handlers", handler())
                .limit(20),
        )
        .await?;
    let processes: Vec<Process> = visit
        .rows(
            ViewQuery::of(&views::PROCESSES)
                .columns(&Process::COLUMNS)
                .contains("handlers", handler())
                .limit(20),
        )
        .await?;
    let may = May::of(&visit);
    let mut frame = Frame::of(&request, &mut visit, "/handlers", &name)
        .await?
        .refreshed(5);
    visit.finish().await?;
    let backlog = ViewQuery::of(&views::BACKLOG)
        .columns(&BacklogRow::COLUMNS)
        .is("handler", handler());
    let backlog: Option<Vec<BacklogRow>> = if_in_time(&request, &mut frame, backlog).await?;
    let deliveries = deliveries::read(&request, &mut frame, &name, backlog.is_some()).await?;
    let is_configured = processes.iter().any(|process| process.alive);
    written(&HandlerPage {
        advice: advice::of(
            &health.state,
            &health.kind,
            is_configured,
            health.dead_letters > 0,
        ),
        frame,
        health,
        backlog: backlog.and_then(|rows| rows.into_iter().next()),
        failures,
        deliveries,
        workers,
        processes,
        may,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wave_has_each_delivery_once() {
        let parts = wave(&BacklogRow {
            running: 1,
            waiting: 2,
            later: 10,
            due_in_5_minutes: 3,
            due_in_30_minutes: 5,
            due_in_120_minutes: 9,
        });
        assert_eq!(parts.each_ref().map(|part| part.count), [3, 2, 4, 1]);
        assert_eq!(parts[2].bar, 25);
    }
}
