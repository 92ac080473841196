//! `hookfast handlers`.

use super::{
    retire::Retire,
    session::{self, Confirmation, Output},
};
use crate::cli::{process::complain, words::counted};
use crate::store::catalog::{functions, views};
use crate::store::{FunctionCall, SqlArg, ViewQuery};
use serde_json::{Value, json};
use std::process::ExitCode;

#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct Handlers {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    list: Output,
}

#[derive(clap::Subcommand)]
enum Action {
    /// List all handlers with their state: ok, slow, behind, failing, open (circuit breaker),
    /// unserved, paused or retired.
    List(Output),
    /// Show a handler with its subscription, its backlog and its failures of the last day.
    Show(One),
    /// Stop dispatch to a handler. Webhooks are still stored, and its deliveries wait.
    Pause(Pause),
    /// Resume a paused handler.
    Resume(Resume),
    /// Stop dispatch to all handlers. Webhooks are still stored.
    PauseAll(PauseAll),
    /// Resume all paused handlers.
    ResumeAll(ResumeAll),
    /// Retire a handler that is no longer in any configuration: end its subscription.
    Retire(Retire),
    /// List the failed attempts of the last day, by handler and kind of error.
    Failures(Failures),
}

#[derive(clap::Args)]
struct One {
    /// Name of the handler
    handler: String,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct Pause {
    /// Name of the handler
    handler: String,
    /// Reason, shown with the handler
    #[arg(long)]
    why: String,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct Resume {
    /// Name of the handler
    handler: String,
    /// Reason, recorded in the audit log
    #[arg(long)]
    why: String,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct PauseAll {
    /// Reason, shown with the handlers
    #[arg(long)]
    why: String,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct ResumeAll {
    /// Reason, recorded in the audit log
    #[arg(long)]
    why: String,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct Failures {
    /// Only this handler
    handler: Option<String>,
    #[command(flatten)]
    output: Output,
}

const COLUMNS: [&str; 7] = [
    "handler",
    "state",
    "why",
    "ready",
    "oldest_ready_age",
    "per_minute",
    "dead_letters",
];
const FAILURES: [&str; 6] = [
    "handler",
    "error_kind",
    "types",
    "count",
    "last_at",
    "sample_error",
];

fn health() -> ViewQuery {
    ViewQuery::of(&views::HANDLER_HEALTH)
}

fn failures(handler: Option<String>) -> ViewQuery {
    ViewQuery::of(&views::FAILURES).is("handler", handler.map(SqlArg::text))
}

impl Handlers {
    pub(in crate::cli) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.action.unwrap_or(Action::List(self.list)) {
            Action::List(output) => {
                session::open(output)
                    .await?
                    .all(health(), &COLUMNS, "no handlers")
                    .await
            }
            Action::Show(one) => show(one).await,
            Action::Pause(pause) => {
                let call = FunctionCall::act(&functions::PAUSE_HANDLER, pause.why)
                    .with("handler", Some(SqlArg::text(&pause.handler)));
                session::open(pause.output)
                    .await?
                    .act(call, &format!("handler {} is paused", pause.handler))
                    .await
            }
            Action::Resume(one) => {
                let call = FunctionCall::act(&functions::RESUME_HANDLER, one.why)
                    .with("handler", Some(SqlArg::text(&one.handler)));
                session::open(one.output)
                    .await?
                    .act(call, &format!("handler {} resumed", one.handler))
                    .await
            }
            Action::PauseAll(all) => {
                let call = FunctionCall::act(&functions::PAUSE_ALL_HANDLERS, all.why);
                pause_or_resume_all(call, all.confirmation, all.output, "pause", false).await
            }
            Action::ResumeAll(all) => {
                pause_or_resume_all(
                    FunctionCall::act(&functions::RESUME_ALL_HANDLERS, all.why),
                    all.confirmation,
                    all.output,
                    "resume",
                    true,
                )
                .await
            }
            Action::Retire(wanted) => wanted.run().await,
            Action::Failures(wanted) => {
                let list = failures(wanted.handler);
                session::open(wanted.output)
                    .await?
                    .all(list, &FAILURES, "no failed attempts in the last day")
                    .await
            }
        }
    }
}

async fn show(one: One) -> anyhow::Result<ExitCode> {
    let mut session = session::open(one.output).await?;
    let Some(row) = session
        .console
        .list(health().is("handler", Some(SqlArg::text(&one.handler))))
        .await?
        .pop()
    else {
        complain(&format!(
            "no handler is named '{}'\nhint: `hookfast handlers` lists them",
            one.handler
        ));
        return session.close(ExitCode::FAILURE).await;
    };
    let members = [
        "handler",
        "kind",
        "state",
        "why",
        "types",
        "sources",
        "ordered",
        "max_attempts",
        "ready",
        "oldest_ready_age",
        "per_minute",
        "served_by",
        "delivered_last_hour",
        "failed_last_hour",
        "dead_last_hour",
        "dead_letters",
        "retired",
        "retired_at",
        "retired_why",
    ];
    session.print_record(&row, &members);
    if !session.json() {
        let backlog =
            ViewQuery::of(&views::BACKLOG).is("handler", Some(SqlArg::text(&one.handler)));
        let rows = session.console.list(backlog).await?;
        let columns = [
            "ready",
            "running",
            "waiting",
            "later",
            "due_in_5_minutes",
            "due_in_30_minutes",
            "due_in_120_minutes",
        ];
        session.print_below("backlog", &rows, &columns);
        let rows = session.console.list(failures(Some(one.handler))).await?;
        session.print_below("failures of the last day", &rows, &FAILURES[1..]);
    }
    session.done().await
}

/// Pauses or resumes all handlers, after a preview and a confirmation.
async fn pause_or_resume_all(
    call: FunctionCall,
    confirmation: Confirmation,
    output: Output,
    verb: &str,
    paused: bool,
) -> anyhow::Result<ExitCode> {
    let mut session = session::open(output).await?;
    let rows = session
        .console
        .list(ViewQuery::of(&views::HANDLER_HEALTH).columns(&["handler", "state", "ready"]))
        .await?;
    let affected = |row: &Value| row["state"] != "retired" && (row["state"] == "paused") == paused;
    let sample: Vec<Value> = rows.into_iter().filter(affected).collect();
    if sample.is_empty() {
        complain(&format!(
            "there is no handler to {verb}; nothing was changed"
        ));
        return session.done().await;
    }
    let preview = json!({ "matching": sample.len(), "sample": sample });
    if !session.preview_and_confirm(
        &preview,
        confirmation,
        verb,
        "handlers",
        &["handler", "state", "ready"],
    )? {
        return session.close(ExitCode::FAILURE).await;
    }
    let changed = session.console.call(call).await?.pop().unwrap_or_default();
    let words = format!("{verb}: {}", counted(&changed, "handlers"));
    session.report(json!({ "changed": changed }), &words);
    session.done().await
}
