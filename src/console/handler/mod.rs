//! Handler: why one is in its state, what waits for it, what fails, who serves it.

mod advice;
pub(super) mod deliveries;
mod rows;

use super::{
    address::Address,
    frame::Frame,
    page::written,
    problem::PageError,
    request::PageRequest,
    view::{
        marks::{self, Breaks},
        number, short, state,
    },
};
use crate::store::catalog::{Function, functions};
use crate::store::{AsVisitor, Work};
use askama::Template;
use axum::{extract::Path, response::Response};
use deliveries::Deliveries;
pub(super) use rows::HandlerRows;
use std::sync::Arc;

#[derive(Template)]
#[template(path = "handler.html")]
struct HandlerPage {
    frame: Frame,
    rows: Arc<HandlerRows>,
    /// What to do about its state.
    advice: &'static str,
    deliveries: Deliveries,
    may: May,
}

/// `pending_counts` counts no further.
const COUNTED: i64 = 10_000;

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
    count: String,
    bar: u64,
}

impl HandlerPage {
    fn act(&self, function: &str) -> String {
        Address::act(function)
            .with("handler", &self.rows.health.handler)
            .href()
    }

    fn dead(&self) -> String {
        Address::to("/dead")
            .with("handler", &self.rows.health.handler)
            .href()
    }

    fn wave(&self) -> [Wave; 4] {
        wave(&[
            self.rows.pending.due_in_5_minutes,
            self.rows.pending.due_in_30_minutes,
            self.rows.pending.due_in_120_minutes,
            self.rows.pending.later,
        ])
    }
}

/// The parts between growing counts, none of which counts further than [`COUNTED`].
fn wave(due: &[i64; 4]) -> [Wave; 4] {
    let labels = [
        "within 5 minutes",
        "5 to 30 minutes",
        "30 minutes to 2 hours",
        "more than 2 hours",
    ];
    std::array::from_fn(|n| {
        let before = if n == 0 { 0 } else { due[n - 1] };
        let part = u64::try_from(due[n] - before).unwrap_or_default();
        Wave {
            label: labels[n],
            count: match (before >= COUNTED, due[n] >= COUNTED) {
                (true, _) => "not counted".to_owned(),
                (false, true) => format!("{}+", number::grouped(due[n] - before)),
                (false, false) => number::grouped(due[n] - before),
            },
            bar: number::bar(part, u64::try_from(due[3]).unwrap_or_default()),
        }
    })
}

pub(super) async fn page(
    Path(name): Path<String>,
    request: PageRequest,
) -> Result<Response, PageError> {
    let mut visit = request.visit(Work::Page).await?;
    let rows = (request.console.shared.handlers)
        .of(&mut visit, &name, async |visit| {
            rows::read(visit, &name).await
        })
        .await?;
    let may = May::of(&visit);
    let mut frame = Frame::of(&request, &mut visit, "/handlers", &name)
        .await?
        .refreshed(15);
    visit.finish().await?;
    frame.ran.clone_from(&rows.ran);
    frame.as_of = frame.as_of.min(rows.as_of);
    let health = &rows.health;
    // The tab that has something, unless one is chosen.
    let first_tab = match (health.ready, health.dead_letters) {
        (0, 1..) => "dead",
        _ => "ready",
    };
    let deliveries = deliveries::read(&request, &mut frame, &name, first_tab).await?;
    written(&HandlerPage {
        advice: advice::of(
            &health.state,
            &health.kind,
            rows.is_configured(),
            health.dead_letters > 0,
        ),
        frame,
        rows,
        deliveries,
        may,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wave_has_each_delivery_once() {
        let of = |due| wave(&due).map(|part| part.count);
        assert_eq!(of([3, 5, 9, 10]), ["3", "2", "4", "1"]);
        assert_eq!(wave(&[3, 5, 9, 10])[2].bar, 25);
        let capped = of([40, COUNTED, COUNTED, COUNTED]);
        assert_eq!(capped, ["40", "9,960+", "not counted", "not counted"]);
    }
}
