//! `hookfast quarantine`.

use super::{
    reverify::Reverify,
    session::{self, Confirmation, Output, Page, Sample},
    time_args::{Between, When},
};
use crate::cli::process::complain;
use crate::store::catalog::{functions, views};
use crate::store::{FunctionCall, SqlArg, ViewQuery};
use std::process::ExitCode;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct Quarantine {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: Listed,
}

#[derive(clap::Subcommand)]
enum Action {
    /// List quarantined requests, newest first. Identical requests are one row, with a count.
    List(Listed),
    /// Show a request with its headers and its body (the body for operators only).
    Show(One),
    /// Verify requests again with the secrets configured now, and wait some seconds for the result.
    /// A request that passes becomes an event.
    Reverify(Reverify),
    /// Approve a request on your word, without verification: it becomes an event.
    Approve(Approve),
    /// Discard requests forever, which frees space in the quarantine.
    Discard(Discard),
}

#[derive(clap::Args)]
struct Listed {
    /// Only this source
    #[arg(long)]
    source: Option<String>,
    /// Only this reason
    #[arg(long)]
    reason: Option<String>,
    #[command(flatten)]
    between: Between,
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct One {
    /// ID of the request
    #[arg(value_name = "QUARANTINE_ID")]
    request: i64,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct Approve {
    /// ID of the request
    #[arg(value_name = "QUARANTINE_ID")]
    request: i64,
    /// Why the request is genuine
    #[arg(long)]
    why: String,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct Discard {
    /// Only this source
    #[arg(long)]
    source: Option<String>,
    /// Only this reason
    #[arg(long)]
    reason: Option<String>,
    /// Only requests last received before this time: 7d (ago), or a time such as 2026-07-01 12:00
    /// (UTC)
    #[arg(long, value_name = "TIME")]
    before: Option<When>,
    /// Reason, recorded in the audit log
    #[arg(long)]
    why: String,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    output: Output,
}

const COLUMNS: [&str; 9] = [
    "quarantine_id",
    "source",
    "reason",
    "count",
    "first_at",
    "last_at",
    "bytes",
    "requested_action",
    "last_result",
];

/// The requests that a preview shows.
pub(super) fn sample() -> Sample {
    let rows = ViewQuery::of(&views::QUARANTINE).columns(&[
        "quarantine_id",
        "source",
        "reason",
        "count",
        "first_at",
        "bytes",
    ]);
    Sample::new(rows, "quarantine_id", &COLUMNS)
}

impl Quarantine {
    pub(in crate::cli) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.action.unwrap_or(Action::List(self.list)) {
            Action::List(list) => list.run().await,
            Action::Show(one) => one.run().await,
            Action::Reverify(reverify) => reverify.run().await,
            Action::Approve(approve) => {
                let call = FunctionCall::act(&functions::APPROVE_QUARANTINED, approve.why)
                    .with("quarantine_id", Some(SqlArg::number(approve.request)));
                let done = format!(
                    "request {} is approved: the ingress stores it as an event within seconds",
                    approve.request
                );
                session::open(approve.output).await?.act(call, &done).await
            }
            Action::Discard(discard) => {
                let call = FunctionCall::act(&functions::DISCARD_QUARANTINED, discard.why)
                    .with("source", discard.source.map(SqlArg::text))
                    .with("reason", discard.reason.map(SqlArg::text))
                    .with("last_before", discard.before.as_ref().map(When::past));
                let session = session::open(discard.output).await?;
                session
                    .bulk(call, discard.confirmation, "discard", "requests", sample())
                    .await
            }
        }
    }
}

/// The columns that the list reads; `show` adds headers and body.
const MEMBERS: [&str; 11] = [
    "quarantine_id",
    "source",
    "reason",
    "count",
    "first_at",
    "last_at",
    "topic",
    "bytes",
    "requested_action",
    "requested_by",
    "last_result",
];

impl Listed {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let session = session::open(self.output).await?;
        let list = ViewQuery::of(&views::QUARANTINE)
            .columns(&MEMBERS)
            .is("source", self.source.map(SqlArg::text))
            .is("reason", self.reason.map(SqlArg::text))
            .from("last_at", self.between.after())
            .below("last_at", self.between.before())
            .below("quarantine_id", self.page.number()?);
        session
            .page(
                list,
                &self.page,
                "quarantine_id",
                &COLUMNS,
                "no quarantined requests",
            )
            .await
    }
}

impl One {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let mut session = session::open(self.output).await?;
        let list = ViewQuery::of(&views::QUARANTINE)
            .is("quarantine_id", Some(SqlArg::number(self.request)));
        let Some(row) = session.console.list(list).await?.pop() else {
            complain(&format!(
                "no quarantined request has the id {}\nhint: `hookfast quarantine` lists them; approved and verified requests are events now",
                self.request
            ));
            return session.close(ExitCode::FAILURE).await;
        };
        let members = [&MEMBERS[..], &["headers", "body"]].concat();
        session.print_record(&session.with_body(&row), &members);
        session.done().await
    }
}
