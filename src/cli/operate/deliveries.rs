//! `hookfast deliveries`.

use super::{
    session::{self, Confirmation, Output, Page, Sample},
    time_args::When,
};
use crate::store::catalog::{functions, views};
use crate::store::{FunctionCall, SqlArg, ViewQuery};
use std::process::ExitCode;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct Deliveries {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: Listed,
}

#[derive(clap::Subcommand)]
enum Action {
    /// List deliveries, newest first: pending and dead ones, unless --state or --event selects
    /// others.
    List(Listed),
    /// Reschedule ready or retrying deliveries to another time, or to now.
    Reschedule(Reschedule),
    /// Discard a delivery that is dead, or pending and not running. It is not attempted again.
    Discard(Discard),
}

#[derive(clap::Args)]
struct Listed {
    /// Only this handler
    #[arg(long)]
    handler: Option<String>,
    /// Only these states: ready, running, retrying, scheduled, waiting, paused, retired, dead,
    /// delivered, filtered, discarded; or open for all except the last three; or all
    #[arg(long, value_delimiter = ',', value_parser = STATES)]
    state: Vec<String>,
    /// Only this event
    #[arg(long, value_name = "EVENT_ID")]
    event: Option<String>,
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    output: Output,
}

const STATES: [&str; 13] = [
    "open",
    "all",
    "ready",
    "running",
    "retrying",
    "scheduled",
    "waiting",
    "paused",
    "retired",
    "dead",
    "delivered",
    "filtered",
    "discarded",
];

/// The default. Deliveries in other states are finished; they are listed by event or by state.
const OPEN: &str = "ready,running,retrying,scheduled,waiting,paused,retired,dead";

#[derive(clap::Args)]
struct Reschedule {
    /// ID of the delivery
    #[arg(
        value_name = "DELIVERY_ID",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    delivery: Option<i64>,
    /// All ready or retrying deliveries of a handler
    #[arg(long, requires = "handler")]
    all: bool,
    #[command(flatten)]
    filters: RescheduleFilters,
    /// New due time: 2h (from now), a time such as 2026-07-01 12:00 (UTC), or now
    #[arg(long, value_name = "TIME")]
    due_at: When,
    /// Reason, recorded in the audit log
    #[arg(long)]
    why: String,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    output: Output,
}

// Each filter conflicts with the id: clap does not require `--all` beside an argument that excludes it.
#[derive(clap::Args)]
#[group(multiple = true, requires = "all", conflicts_with = "delivery")]
struct RescheduleFilters {
    /// Handler, with --all
    #[arg(long)]
    handler: Option<String>,
    /// Only events of this type, with --all: airalo.order.completed, or airalo.*
    #[arg(long = "type", value_name = "TYPE")]
    of_type: Option<String>,
}

#[derive(clap::Args)]
struct Discard {
    /// ID of the delivery
    #[arg(value_name = "DELIVERY_ID")]
    delivery: i64,
    /// Reason, recorded in the timeline and the audit log
    #[arg(long)]
    why: String,
    #[command(flatten)]
    output: Output,
}

pub(super) const COLUMNS: [&str; 9] = [
    "delivery_id",
    "handler",
    "event_id",
    "state",
    "attempts",
    "attempts_left",
    "next_attempt_at",
    "ended_at",
    "ordering_key",
];

/// Lists deliveries without `last_error`, which needs a lookup for each row.
pub(super) fn all() -> ViewQuery {
    ViewQuery::of(&views::DELIVERIES).columns(&[
        "delivery_id",
        "handler",
        "event_id",
        "state",
        "attempts",
        "attempts_left",
        "next_attempt_at",
        "ended_at",
        "ordering_key",
    ])
}

/// The pending deliveries of a handler that a preview shows. The view finds them by these filters
/// without reading the history.
pub(super) fn pending(handler: Option<&str>) -> ViewQuery {
    ViewQuery::of(&views::DELIVERIES)
        .columns(&[
            "delivery_id",
            "event_id",
            "state",
            "attempts",
            "next_attempt_at",
        ])
        .is("handler", handler.map(SqlArg::text))
        .one_of(
            "state",
            Some(SqlArg::text(
                "ready,running,retrying,scheduled,waiting,paused,retired",
            )),
        )
}

impl Deliveries {
    pub(in crate::cli) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.action.unwrap_or(Action::List(self.list)) {
            Action::List(list) => list.run().await,
            Action::Reschedule(reschedule) => reschedule.run().await,
            Action::Discard(discard) => {
                let session = session::open(discard.output).await?;
                let call = FunctionCall::act(&functions::DISCARD, discard.why)
                    .with("delivery_id", Some(SqlArg::number(discard.delivery)));
                session
                    .act(call, &format!("delivery {} is discarded", discard.delivery))
                    .await
            }
        }
    }
}

impl Listed {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let session = session::open(self.output).await?;
        let wants = |state: &str| self.state.iter().any(|wanted| wanted == state);
        let states = if wants("all") || self.state.is_empty() && self.event.is_some() {
            None
        } else if self.state.is_empty() {
            Some(OPEN.to_owned())
        } else {
            Some(self.state.join(",").replace("open", OPEN))
        };
        let list = all()
            .is("handler", self.handler.map(SqlArg::text))
            .is("event_id", self.event.map(SqlArg::id))
            .one_of("state", states.map(SqlArg::text))
            .below("delivery_id", self.page.number()?);
        session
            .page(list, &self.page, "delivery_id", &COLUMNS, "no deliveries")
            .await
    }
}

impl Reschedule {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let session = session::open(self.output).await?;
        let call = if self.all {
            FunctionCall::act(&functions::RESCHEDULE_ALL, self.why)
        } else {
            FunctionCall::act(&functions::RESCHEDULE, self.why)
        }
        .with("due_at", Some(self.due_at.coming()));
        if let Some(delivery) = self.delivery {
            let call = call.with("delivery_id", Some(SqlArg::number(delivery)));
            return session
                .act(call, &format!("delivery {delivery} is rescheduled"))
                .await;
        }
        let call = call
            .with("handler", self.filters.handler.as_ref().map(SqlArg::text))
            .with("type", self.filters.of_type.map(SqlArg::text));
        let sample = Sample::new(
            pending(self.filters.handler.as_deref()),
            "delivery_id",
            &COLUMNS,
        );
        session
            .bulk(call, self.confirmation, "reschedule", "deliveries", sample)
            .await
    }
}
