//! `hookfast dead-letters`.

use super::{
    session::{self, Confirmation, Output, Page, Sample},
    time_args::{Between, When},
};
use crate::cli::process::complain;
use crate::store::catalog::{functions, views};
use crate::store::{FunctionCall, SqlArg, ViewQuery};
use std::process::ExitCode;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct DeadLetters {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: Listed,
}

#[derive(clap::Subcommand)]
enum Action {
    /// List dead letters, newest first.
    List(Listed),
    /// Show a dead letter with its last error and its attempts.
    Show(Show),
    /// Retry a dead letter, or with --all every one that matches.
    Retry(Retry),
    /// Discard a dead letter, or with --all every one that matches.
    Discard(Discard),
}

#[derive(clap::Args)]
struct Listed {
    /// Only this handler
    #[arg(long)]
    handler: Option<String>,
    /// Only this type: airalo.order.completed, or airalo.*
    #[arg(long = "type", value_name = "TYPE")]
    of_type: Option<String>,
    /// Only if the last error matches this pattern, with % as wildcard: 'status 5%' (operators
    /// only)
    #[arg(long, value_name = "PATTERN")]
    error: Option<String>,
    #[command(flatten)]
    between: Between,
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct Show {
    /// ID of the delivery
    #[arg(value_name = "DELIVERY_ID")]
    delivery: i64,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct Which {
    /// ID of the delivery
    #[arg(
        value_name = "DELIVERY_ID",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    delivery: Option<i64>,
    /// All that match the filters below; without filters, all dead letters
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filters: WhichFilters,
}

// Each filter conflicts with the id: clap does not require `--all` beside an argument that excludes it.
#[derive(clap::Args)]
#[group(multiple = true, requires = "all", conflicts_with = "delivery")]
struct WhichFilters {
    /// Only this handler
    #[arg(long)]
    handler: Option<String>,
    /// Only this type: airalo.order.completed, or airalo.*
    #[arg(long = "type", value_name = "TYPE")]
    of_type: Option<String>,
    /// Only those that died of this reason: attempts_exhausted, rejected, lost or event_missing
    #[arg(long)]
    reason: Option<String>,
    /// Only if the last error matches this pattern, with % as wildcard: 'status 5%'
    #[arg(long, value_name = "PATTERN")]
    error: Option<String>,
    /// Only if the payload matches this jsonpath predicate, such as '$.data.price > 10'
    #[arg(long, value_name = "JSONPATH")]
    payload: Option<String>,
    /// Only those that died at or after this time: 2h (ago), 7d, or a time such as 2026-07-01 12:00
    /// (UTC)
    #[arg(long, value_name = "TIME")]
    after: Option<When>,
    /// Only those that died before this time
    #[arg(long, value_name = "TIME")]
    before: Option<When>,
}

#[derive(clap::Args)]
struct Retry {
    #[command(flatten)]
    which: Which,
    /// Number of further attempts. Default: the handler's maximum
    #[arg(long, value_name = "N")]
    max_attempts: Option<i32>,
    /// Reason, recorded in the audit log
    #[arg(long)]
    why: String,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct Discard {
    #[command(flatten)]
    which: Which,
    /// Reason, recorded in the timeline and the audit log
    #[arg(long)]
    why: String,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    output: Output,
}

const ALL: [&str; 10] = [
    "delivery_id",
    "handler",
    "event_id",
    "attempts",
    "reason",
    "last_error",
    "died_at",
    "type",
    "idempotency_key",
    "ordering_key",
];
const COLUMNS: [&str; 6] = [
    "delivery_id",
    "died_at",
    "handler",
    "type",
    "attempts",
    "last_error",
];

/// The dead letters that a preview shows.
fn sample() -> Sample {
    let rows = ViewQuery::of(&views::DEAD_LETTERS).columns(&ALL);
    Sample::new(rows, "delivery_id", &COLUMNS)
}

impl DeadLetters {
    pub(in crate::cli) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.action.unwrap_or(Action::List(self.list)) {
            Action::List(list) => list.run().await,
            Action::Show(show) => show.run().await,
            Action::Retry(retry) => {
                let call = |function| {
                    FunctionCall::act(function, &retry.why)
                        .with("max_attempts", retry.max_attempts.map(SqlArg::small))
                };
                match retry.which.delivery {
                    Some(delivery) => {
                        let call = call(&functions::RETRY)
                            .with("delivery_id", Some(SqlArg::number(delivery)));
                        let done = format!("delivery {delivery} is pending again");
                        session::open(retry.output).await?.act(call, &done).await
                    }
                    None => {
                        let call = retry.which.all(call(&functions::RETRY_ALL));
                        let session = session::open(retry.output).await?;
                        session
                            .bulk(call, retry.confirmation, "retry", "dead letters", sample())
                            .await
                    }
                }
            }
            Action::Discard(discard) => match discard.which.delivery {
                Some(delivery) => {
                    let call = FunctionCall::act(&functions::DISCARD, discard.why)
                        .with("delivery_id", Some(SqlArg::number(delivery)));
                    let done = format!("delivery {delivery} is discarded");
                    session::open(discard.output).await?.act(call, &done).await
                }
                None => {
                    let call = discard
                        .which
                        .all(FunctionCall::act(&functions::DISCARD_ALL, discard.why));
                    let session = session::open(discard.output).await?;
                    session
                        .bulk(
                            call,
                            discard.confirmation,
                            "discard",
                            "dead letters",
                            sample(),
                        )
                        .await
                }
            },
        }
    }
}

impl Which {
    /// Adds the filters of --all.
    fn all(self, call: FunctionCall) -> FunctionCall {
        call.with("handler", self.filters.handler.map(SqlArg::text))
            .with("type", self.filters.of_type.map(SqlArg::text))
            .with("reason", self.filters.reason.map(SqlArg::text))
            .with("error", self.filters.error.map(SqlArg::text))
            .with("payload", self.filters.payload.map(SqlArg::path))
            .with("died_after", self.filters.after.as_ref().map(When::past))
            .with("died_before", self.filters.before.as_ref().map(When::past))
    }
}

impl Listed {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let mut session = session::open(self.output).await?;
        let list = ViewQuery::of(&views::DEAD_LETTERS)
            .columns(&ALL)
            .is("handler", self.handler.map(SqlArg::text))
            .of_type("type", self.of_type.as_deref())
            .like("last_error", self.error.map(SqlArg::text))
            .from("died_at", self.between.after())
            .below("died_at", self.between.before())
            .below("delivery_id", self.page.number()?);
        let none = session
            .none_of_type(
                &views::DEAD_LETTERS,
                "no dead letters",
                self.of_type.as_deref(),
                list.clone(),
            )
            .await?;
        session
            .page(list, &self.page, "delivery_id", &COLUMNS, &none)
            .await
    }
}

impl Show {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let mut session = session::open(self.output).await?;
        let letter = ViewQuery::of(&views::DEAD_LETTERS)
            .columns(&ALL)
            .is("delivery_id", Some(SqlArg::number(self.delivery)));
        let Some(letter) = session.console.list(letter).await?.pop() else {
            complain(&format!(
                "delivery {} is not a dead letter\nhint: `hookfast dead-letters` lists them; `hookfast deliveries --event EVENT_ID` shows the deliveries of an event",
                self.delivery
            ));
            return session.close(ExitCode::FAILURE).await;
        };
        let members = [
            "delivery_id",
            "handler",
            "event_id",
            "type",
            "idempotency_key",
            "ordering_key",
            "died_at",
            "attempts",
            "reason",
            "last_error",
        ];
        session.print_record(&letter, &members);
        if !session.json() {
            let event = letter["event_id"].as_str().map(SqlArg::id);
            let attempts = ViewQuery::of(&views::ATTEMPTS)
                .columns(&[
                    "attempt_number",
                    "outcome",
                    "finished_at",
                    "duration_ms",
                    "status",
                    "error",
                    "error_kind",
                ])
                .is("event_id", event)
                .is("delivery_id", Some(SqlArg::number(self.delivery)));
            let rows = session.console.list(attempts).await?;
            session.print_below(
                "attempts",
                &rows,
                &[
                    "attempt_number",
                    "outcome",
                    "finished_at",
                    "duration_ms",
                    "status",
                    "error_kind",
                    "error",
                ],
            );
        }
        session.done().await
    }
}
