//! `hookfast events`.

use super::{
    deliveries,
    event_filters::EventFilters,
    replays::SAME_WEBHOOK_ID,
    session::{self, Confirmation, Output, Page, Sample, Session},
    time_args::Between,
    timeline,
};
use crate::cli::{
    process::{complain, say},
    table,
};
use crate::store::catalog::{functions, views};
use crate::store::{FunctionCall, SqlArg, ViewQuery};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct Events {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: Listed,
}

#[derive(clap::Subcommand)]
enum Action {
    /// List events, newest first.
    List(Listed),
    /// Show whole events with their deliveries, by id, idempotency key, order number, ICCID or
    /// another search field.
    Show(Found),
    /// Show everything that happened to the events found, in order.
    Timeline(Found),
    /// Explain for each handler whether it receives an event, and why.
    Explain(One),
    /// Erase the payload and headers of an event forever, or with --all of every event that
    /// matches. Key, type and history are kept. Events with pending deliveries are skipped.
    Erase(Erase),
    /// Hold an event: retention keeps it and its history.
    Hold(WithReason),
    /// Remove the hold of an event: retention applies again.
    Unhold(WithReason),
    /// Deliver an event to a handler again, or to a handler that subscribed later.
    Replay(Replay),
}

#[derive(clap::Args)]
struct Found {
    /// Event id, idempotency key, or value of a search field of its source, such as an order number
    /// or ICCID
    text: String,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct One {
    /// ID of the event
    #[arg(value_name = "EVENT_ID")]
    event: String,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct WithReason {
    /// ID of the event
    #[arg(value_name = "EVENT_ID")]
    event: String,
    /// Reason, recorded in the audit log
    #[arg(long)]
    why: String,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct Erase {
    /// ID of the event
    #[arg(
        value_name = "EVENT_ID",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    event: Option<String>,
    /// All that match the filters below; at least one filter is required
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    contents: ContentFilters,
    #[command(flatten)]
    filters: EventFilters,
    /// Reason, recorded in the audit log. It should not repeat the erased data
    #[arg(long)]
    why: String,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    output: Output,
}

// As in `EventFilters`.
#[derive(clap::Args)]
#[group(multiple = true, requires = "all", conflicts_with = "event")]
struct ContentFilters {
    /// Only those that `hookfast events show` finds by this text
    #[arg(long, value_name = "TEXT")]
    term: Option<String>,
    /// Only if the payload matches this jsonpath predicate, such as '$.data.email ==
    /// "a@example.com"'
    #[arg(long, value_name = "JSONPATH")]
    payload: Option<String>,
}

#[derive(clap::Args)]
struct Replay {
    /// ID of the event
    #[arg(value_name = "EVENT_ID")]
    event: String,
    /// Handler to deliver to
    #[arg(long)]
    handler: String,
    /// Reason, recorded in the audit log
    #[arg(long)]
    why: String,
    /// Use a new webhook-id, so that a receiver that did the work before does it again
    #[arg(long)]
    new_webhook_id: bool,
    #[command(flatten)]
    output: Output,
}

const MEMBERS: [&str; 14] = [
    "event_id",
    "received_at",
    "source",
    "type",
    "topic",
    "origin",
    "idempotency_key",
    "conflicts_with",
    "verified_by",
    "erased_at",
    "payload_error",
    "headers",
    "payload",
    "body",
];

const COLUMNS: [&str; 7] = [
    "received_at",
    "event_id",
    "source",
    "type",
    "idempotency_key",
    "conflicts_with",
    "erased_at",
];

fn brief() -> ViewQuery {
    ViewQuery::of(&views::EVENTS).columns(&["event_id", "type", "idempotency_key", "received_at"])
}

/// The events that a preview shows.
pub(super) fn sample() -> Sample {
    Sample::new(brief(), "event_id", &COLUMNS)
}

#[derive(clap::Args)]
struct Listed {
    /// Only this source
    #[arg(long)]
    source: Option<String>,
    /// Only this type: airalo.order.completed, or airalo.*
    #[arg(long = "type", value_name = "TYPE")]
    of_type: Option<String>,
    #[command(flatten)]
    between: Between,
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    output: Output,
}

impl Events {
    pub(in crate::cli) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.action.unwrap_or(Action::List(self.list)) {
            Action::List(list) => list.run().await,
            Action::Show(found) => show(found).await,
            Action::Timeline(found) => {
                let mut session = session::open(found.output).await?;
                let rows = session
                    .console
                    .call(
                        FunctionCall::of(&functions::TIMELINE)
                            .with("term", Some(SqlArg::text(&found.text))),
                    )
                    .await?;
                if rows.is_empty() {
                    return nothing(session, &found.text).await;
                }
                timeline::print(&session, rows);
                session.done().await
            }
            Action::Explain(one) => {
                let mut session = session::open(one.output).await?;
                let rows = session
                    .console
                    .call(
                        FunctionCall::of(&functions::EXPLAIN)
                            .with("event_id", Some(SqlArg::id(&one.event))),
                    )
                    .await?;
                session.print(
                    &rows,
                    &["handler", "verdict", "delivery_id", "message"],
                    "no handlers",
                );
                session.done().await
            }
            Action::Erase(erase) => erase.run().await,
            Action::Hold(hold) => {
                let call = FunctionCall::act(&functions::HOLD_EVENT, hold.why)
                    .with("event_id", Some(SqlArg::id(&hold.event)));
                session::open(hold.output)
                    .await?
                    .act(call, &format!("event {} is held", hold.event))
                    .await
            }
            Action::Unhold(one) => {
                let call = FunctionCall::act(&functions::UNHOLD_EVENT, one.why)
                    .with("event_id", Some(SqlArg::id(&one.event)));
                session::open(one.output)
                    .await?
                    .act(call, &format!("event {}: hold removed", one.event))
                    .await
            }
            Action::Replay(replay) => replay.run().await,
        }
    }
}

/// Reports that no event was found.
async fn nothing(session: Session, text: &str) -> anyhow::Result<ExitCode> {
    complain(&format!(
        "no event found by '{}'\nhint: the search compares whole event ids, idempotency keys and members in `search_fields` of the source, exactly as written. \
         After a field is added, stored events are indexed again: hookfast.reindexes shows the progress. `hookfast events` lists events",
        table::plain(text, false)
    ));
    session.close(ExitCode::FAILURE).await
}

async fn show(found: Found) -> anyhow::Result<ExitCode> {
    let mut session = session::open(found.output).await?;
    let ids = session
        .console
        .call(FunctionCall::of(&functions::FIND).with("term", Some(SqlArg::text(&found.text))))
        .await?;
    let ids: Vec<String> = ids
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    if ids.is_empty() {
        return nothing(session, &found.text).await;
    }
    let events = session
        .console
        .list(
            ViewQuery::of(&views::EVENTS)
                .order("event_id")
                .ids("event_id", &ids),
        )
        .await?;
    for (i, event) in events.iter().enumerate() {
        if i > 0 && !session.json() {
            say("");
        }
        session.print_record(&session.with_body(event), &MEMBERS);
        if !session.json() {
            let of_event =
                deliveries::all().is("event_id", event["event_id"].as_str().map(SqlArg::id));
            let rows = session.console.list(of_event).await?;
            session.print_below(
                "deliveries",
                &rows,
                &[
                    "delivery_id",
                    "handler",
                    "state",
                    "attempts",
                    "attempts_left",
                    "next_attempt_at",
                    "ended_at",
                ],
            );
        }
    }
    session.done().await
}

impl Erase {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let mut session = session::open(self.output).await?;
        if let Some(event) = self.event {
            // Erasing cannot be undone, so a single event needs confirmation too.
            let list = brief().is("event_id", Some(SqlArg::id(&event)));
            let sample = session.console.list(list).await?;
            let preview = json!({ "matching": 1, "sample": sample });
            if !sample.is_empty()
                && !session.preview_and_confirm(
                    &preview,
                    self.confirmation,
                    "erase",
                    "events",
                    &COLUMNS,
                )?
            {
                return session.close(ExitCode::FAILURE).await;
            }
            let call = FunctionCall::act(&functions::ERASE, self.why)
                .with("event_id", Some(SqlArg::id(&event)));
            return session.act(call, &format!("event {event} is erased")).await;
        }
        let call = FunctionCall::act(&functions::ERASE_ALL, self.why)
            .with("term", self.contents.term.map(SqlArg::text))
            .with("payload", self.contents.payload.map(SqlArg::path));
        let call = self.filters.add_to(call);
        session
            .bulk(call, self.confirmation, "erase", "events", sample())
            .await
    }
}

impl Replay {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let mut session = session::open(self.output).await?;
        let call = FunctionCall::act(&functions::REPLAY, self.why)
            .with("event_id", Some(SqlArg::id(&self.event)))
            .with("handler", Some(SqlArg::text(&self.handler)))
            .with("new_webhook_id", Some(SqlArg::flag(self.new_webhook_id)));
        let replay = session.console.call(call).await?.pop().unwrap_or_default();
        let words = format!(
            "event {} is pending for {} again, as replay {replay}",
            self.event, self.handler
        );
        session.report(json!({ "replay_id": replay }), &words);
        if !self.new_webhook_id {
            complain(SAME_WEBHOOK_ID);
        }
        session.done().await
    }
}

impl Listed {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let mut session = session::open(self.output).await?;
        let list = ViewQuery::of(&views::EVENTS)
            .columns(&[
                "event_id",
                "received_at",
                "source",
                "type",
                "topic",
                "origin",
                "idempotency_key",
                "conflicts_with",
                "verified_by",
                "erased_at",
            ])
            .is("source", self.source.map(SqlArg::text))
            .of_type("type", self.of_type.as_deref())
            .ids_from("event_id", self.between.after())
            .ids_below("event_id", self.between.before())
            .below("event_id", self.page.event());
        let none = session
            .none_of_type(
                &views::EVENTS,
                "no events",
                self.of_type.as_deref(),
                list.clone(),
            )
            .await?;
        session
            .page(list, &self.page, "event_id", &COLUMNS, &none)
            .await
    }
}
