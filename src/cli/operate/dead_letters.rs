//! `hookfast dead-letters`.

use super::{
    session::{self, Output, Page, Sure},
    time_args::{Between, When},
};
use crate::cli::process::complain;
use crate::store::{Bind, Call, List};
use std::process::ExitCode;

/// List, retry and discard dead letters.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct DeadLetters {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    list: Listed,
}

#[derive(clap::Subcommand)]
enum What {
    /// Dead letters, the newest first.
    List(Listed),
    /// One, with its last error and its attempts.
    Show(Show),
    /// Tries one again, or with --all those that match.
    Retry(Retry),
    /// Ends one for good, or with --all those that match.
    Discard(Discard),
}

#[derive(clap::Args)]
struct Listed {
    /// Only of this handler.
    #[arg(long)]
    handler: Option<String>,
    /// Only of this type: airalo.order.completed, or airalo.*
    #[arg(long = "type", value_name = "TYPE")]
    of_type: Option<String>,
    /// Only where the last error is like this, with % for anything: 'status 5%' (operators only).
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
    /// The delivery.
    #[arg(value_name = "DELIVERY_ID")]
    delivery: i64,
    #[command(flatten)]
    output: Output,
}

/// One, or all that match.
#[derive(clap::Args)]
struct Which {
    /// The delivery.
    #[arg(
        value_name = "DELIVERY_ID",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    delivery: Option<i64>,
    /// All that match what follows, or all there are.
    #[arg(long)]
    all: bool,
    /// Only of this handler.
    #[arg(long, requires = "all")]
    handler: Option<String>,
    /// Only of this type: airalo.order.completed, or airalo.*
    #[arg(long = "type", value_name = "TYPE", requires = "all")]
    of_type: Option<String>,
    /// Only where the last error is like this, with % for anything: 'status 5%'.
    #[arg(long, value_name = "PATTERN", requires = "all")]
    error: Option<String>,
    /// Only where the payload fits: a jsonpath predicate, as '$.data.price > 10'.
    #[arg(long, value_name = "JSONPATH", requires = "all")]
    payload: Option<String>,
    /// Only those that died since then: 2h, 7d, or a time as 2026-07-01 12:00 (UTC).
    #[arg(long, value_name = "TIME", requires = "all")]
    after: Option<When>,
    /// Only those that died before then.
    #[arg(long, value_name = "TIME", requires = "all")]
    before: Option<When>,
}

#[derive(clap::Args)]
struct Retry {
    #[command(flatten)]
    which: Which,
    /// The number of further attempts. Default: what the handler has.
    #[arg(long, value_name = "N")]
    max_attempts: Option<i32>,
    /// Why, for the log of operators.
    #[arg(long)]
    why: String,
    #[command(flatten)]
    sure: Sure,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct Discard {
    #[command(flatten)]
    which: Which,
    /// Why, for its history and the log of operators.
    #[arg(long)]
    why: String,
    #[command(flatten)]
    sure: Sure,
    #[command(flatten)]
    output: Output,
}

const ALL: &str = "delivery_id, handler, event_id, attempts, reason, last_error, died_at, type, idempotency_key, ordering_key";
const COLUMNS: [&str; 6] = [
    "delivery_id",
    "died_at",
    "handler",
    "type",
    "attempts",
    "last_error",
];

impl DeadLetters {
    pub(in crate::cli) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.what.unwrap_or(What::List(self.list)) {
            What::List(list) => list.run().await,
            What::Show(show) => show.run().await,
            What::Retry(retry) => {
                let call = |function| {
                    Call::act(function, &retry.why)
                        .with("max_attempts", retry.max_attempts.map(Bind::small))
                };
                match retry.which.delivery {
                    Some(delivery) => {
                        let call = call("retry")
                            .with("delivery_id", Some(Bind::number(delivery)));
                        let done = format!("delivery {delivery} is tried again");
                        session::open(retry.output).await?.act(call, &done).await
                    }
                    None => {
                        let call = retry.which.all(call("retry_all"));
                        let shell = session::open(retry.output).await?;
                        shell
                            .bulk(call, retry.sure, "retry", "dead letters", &COLUMNS)
                            .await
                    }
                }
            }
            What::Discard(discard) => {
                match discard.which.delivery {
                    Some(delivery) => {
                        let call = Call::act("discard", discard.why)
                            .with("delivery_id", Some(Bind::number(delivery)));
                        let done = format!("delivery {delivery} is discarded");
                        session::open(discard.output).await?.act(call, &done).await
                    }
                    None => {
                        let call = discard.which.all(Call::act("discard_all", discard.why));
                        let shell = session::open(discard.output).await?;
                        shell
                            .bulk(call, discard.sure, "discard", "dead letters", &COLUMNS)
                            .await
                    }
                }
            }
        }
    }
}

impl Which {
    /// The filter of those that take all.
    fn all(self, call: Call) -> Call {
        call.with("handler", self.handler.map(Bind::text))
            .with("type", self.of_type.map(Bind::text))
            .with("error", self.error.map(Bind::text))
            .with("payload", self.payload.map(Bind::path))
            .with("died_after", self.after.as_ref().map(When::past))
            .with("died_before", self.before.as_ref().map(When::past))
    }
}

impl Listed {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let mut shell = session::open(self.output).await?;
        let list = List::of("dead_letters", ALL, "delivery_id DESC")
            .is("handler", self.handler.map(Bind::text))
            .of_type("type", self.of_type.as_deref())
            .like("last_error", self.error.map(Bind::text))
            .from("died_at", self.between.after())
            .below("died_at", self.between.before())
            .below("delivery_id", self.page.number()?);
        let none = shell
            .none_of_type(
                "dead_letters",
                "no dead letters",
                self.of_type.as_deref(),
                list.clone(),
            )
            .await?;
        shell
            .page(list, &self.page, "delivery_id", &COLUMNS, &none)
            .await
    }
}

impl Show {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let mut shell = session::open(self.output).await?;
        let letter = List::of("dead_letters", ALL, "delivery_id")
            .is("delivery_id", Some(Bind::number(self.delivery)));
        let Some(letter) = shell.console.list(letter).await?.pop() else {
            complain(&format!(
                "delivery {} is no dead letter\nhint: `hookfast dead-letters` lists them, `hookfast deliveries --event EVENT_ID` what became of an event",
                self.delivery
            ));
            return shell.close(ExitCode::FAILURE).await;
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
        shell.print_record(&letter, &members);
        if !shell.json() {
            let event = letter["event_id"].as_str().map(Bind::id);
            let attempts = List::of(
                "attempts",
                "attempt_number, outcome, finished_at, duration_ms, status, error, error_kind",
                "attempt_number",
            )
            .is("event_id", event)
            .is("delivery_id", Some(Bind::number(self.delivery)));
            let rows = shell.console.list(attempts).await?;
            shell.print_below(
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
        shell.done().await
    }
}
