//! `hookfast replays`.

use super::{
    events,
    session::{self, Confirmation, Output, Page},
    time_args::Between,
};
use crate::cli::process::{complain, say};
use crate::store::catalog::{Function, functions, views};
use crate::store::{FunctionCall, SqlArg, ViewQuery};
use serde_json::Value;
use std::{process::ExitCode, time::Duration};

/// A receiver that deduplicates as specified ignores a replay unless it has a new webhook-id.
pub(super) const SAME_WEBHOOK_ID: &str = "receivers see the same webhook-id as before and may ignore it as a duplicate; --new-webhook-id gives it a new one";

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct Replays {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: Listed,
}

#[derive(clap::Subcommand)]
enum Action {
    /// List replays, newest first, with their progress.
    List(Listed),
    /// Show a replay, with what it replays and why.
    Show(One),
    /// Start a replay: deliver all events that match to a handler again, oldest first, at a limited
    /// rate.
    Start(Start),
    /// Pause a replay. The deliveries it has created stay pending.
    Pause(Change),
    /// Resume a paused replay.
    Resume(Change),
    /// Cancel a replay. The deliveries it has created stay pending.
    Cancel(Change),
    /// Follow a replay until it is done. Exits with 1 if it was cancelled.
    Watch(One),
}

#[derive(clap::Args)]
struct Listed {
    /// Only this handler
    #[arg(long)]
    handler: Option<String>,
    /// Only this state
    #[arg(long, value_parser = ["running", "paused", "done", "cancelled"])]
    state: Option<String>,
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct One {
    /// ID of the replay
    #[arg(value_name = "REPLAY_ID")]
    replay: i64,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct Change {
    /// ID of the replay
    #[arg(value_name = "REPLAY_ID")]
    replay: i64,
    /// Reason, recorded in the audit log
    #[arg(long)]
    why: String,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct Start {
    /// Handler to deliver to
    #[arg(long)]
    handler: String,
    /// Only this source
    #[arg(long)]
    source: Option<String>,
    /// Only this type: airalo.order.completed, or airalo.*
    #[arg(long = "type", value_name = "TYPE")]
    of_type: Option<String>,
    #[command(flatten)]
    between: Between,
    /// Only if the payload matches this jsonpath predicate, such as '$.data.price > 10'
    #[arg(long, value_name = "JSONPATH")]
    payload: Option<String>,
    /// Events per second. Default: half of what the handler does now, 10 to 200
    #[arg(long, value_name = "N")]
    per_second: Option<i32>,
    /// Use new webhook-ids, so that a receiver that did the work before does it again
    #[arg(long)]
    new_webhook_id: bool,
    /// Reason, recorded in the audit log
    #[arg(long)]
    why: String,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    output: Output,
}

const COLUMNS: [&str; 9] = [
    "replay_id",
    "handler",
    "state",
    "replayed",
    "matching",
    "percent",
    "min_remaining",
    "requested_at",
    "why",
];

fn one(replay: i64) -> ViewQuery {
    ViewQuery::of(&views::REPLAYS).is("replay_id", Some(SqlArg::number(replay)))
}

impl Replays {
    pub(in crate::cli) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.action.unwrap_or(Action::List(self.list)) {
            Action::List(list) => {
                let all = ViewQuery::of(&views::REPLAYS)
                    .is("handler", list.handler.map(SqlArg::text))
                    .is("state", list.state.map(SqlArg::text))
                    .below("replay_id", list.page.number()?);
                session::open(list.output)
                    .await?
                    .page(all, &list.page, "replay_id", &COLUMNS, "no replays")
                    .await
            }
            Action::Show(wanted) => wanted.show().await,
            Action::Start(start) => start.run().await,
            Action::Pause(wanted) => wanted.run(&functions::PAUSE_REPLAY, "is paused").await,
            Action::Resume(wanted) => wanted.run(&functions::RESUME_REPLAY, "resumed").await,
            Action::Cancel(wanted) => wanted.run(&functions::CANCEL_REPLAY, "is cancelled").await,
            Action::Watch(wanted) => wanted.watch().await,
        }
    }
}

impl Start {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let call = FunctionCall::act(&functions::REPLAY_ALL, self.why)
            .with("handler", Some(SqlArg::text(self.handler)))
            .with("source", self.source.map(SqlArg::text))
            .with("type", self.of_type.map(SqlArg::text))
            .with("received_after", self.between.after())
            .with("received_before", self.between.before())
            .with("payload", self.payload.map(SqlArg::path))
            .with("per_second", self.per_second.map(SqlArg::small))
            .with("new_webhook_id", Some(SqlArg::flag(self.new_webhook_id)));
        if !self.new_webhook_id {
            // Before it starts, since it may create many deliveries.
            complain(SAME_WEBHOOK_ID);
        }
        session::open(self.output)
            .await?
            .bulk(
                call,
                self.confirmation,
                "replay",
                "events",
                events::sample(),
            )
            .await
    }
}

impl Change {
    async fn run(self, function: &'static Function, done: &str) -> anyhow::Result<ExitCode> {
        let call = FunctionCall::act(function, self.why)
            .with("replay_id", Some(SqlArg::number(self.replay)));
        session::open(self.output)
            .await?
            .act(call, &format!("replay {} {done}", self.replay))
            .await
    }
}

impl One {
    async fn show(self) -> anyhow::Result<ExitCode> {
        let mut session = session::open(self.output).await?;
        let Some(row) = session.console.list(one(self.replay)).await?.pop() else {
            complain(&self.missing());
            return session.close(ExitCode::FAILURE).await;
        };
        let members = [
            "replay_id",
            "handler",
            "state",
            "replayed",
            "matching",
            "percent",
            "min_remaining",
            "per_second",
            "source",
            "type",
            "payload",
            "new_webhook_id",
            "requested_by",
            "why",
            "requested_at",
            "last_progress_at",
            "ended_at",
        ];
        session.print_record(&row, &members);
        session.done().await
    }

    /// Prints a line whenever the replay has changed.
    async fn watch(self) -> anyhow::Result<ExitCode> {
        let mut session = session::open(self.output).await?;
        let mut last = String::new();
        loop {
            let Some(row) = session.console.list(one(self.replay)).await?.pop() else {
                complain(&self.missing());
                return session.close(ExitCode::FAILURE).await;
            };
            let state = row["state"].as_str().unwrap_or_default();
            let line = progress(&row);
            if line != last {
                say(&if session.json() {
                    row.to_string()
                } else {
                    line.clone()
                });
                last = line;
            }
            match state {
                "done" => return session.done().await,
                "cancelled" => return session.close(ExitCode::FAILURE).await,
                _ => tokio::time::sleep(Duration::from_secs(1)).await,
            }
        }
    }

    fn missing(&self) -> String {
        format!(
            "there is no replay {}\nhint: `hookfast replays` lists them",
            self.replay
        )
    }
}

fn progress(row: &Value) -> String {
    let left = row["min_remaining"]
        .as_str()
        .map(|left| format!(", at least another {left}"))
        .unwrap_or_default();
    format!(
        "replay {} to {}: {}, {} of {} ({} %){left}",
        row["replay_id"],
        row["handler"].as_str().unwrap_or_default(),
        row["state"].as_str().unwrap_or_default(),
        row["replayed"],
        row["matching"],
        row["percent"]
    )
}
