//! The commands that only list, one view each.

use super::{
    session::{self, Output, Page},
    time_args::Between,
};
use crate::store::catalog::{Function, functions, views};
use crate::store::{FunctionCall, SqlArg, ViewQuery};
use std::process::ExitCode;

/// List sources: ok, silent or rejecting, with the webhooks of the last hour and the usual number.
#[derive(clap::Args)]
pub(in crate::cli) struct Sources {
    #[command(flatten)]
    output: Output,
}

impl Sources {
    pub(in crate::cli) async fn run(self) -> anyhow::Result<ExitCode> {
        let columns = [
            "source",
            "kind",
            "state",
            "last_event_at",
            "last_hour",
            "usual_hour",
            "duplicates_last_hour",
            "conflicts_last_hour",
            "rejected_last_hour",
            "quarantined",
        ];
        session::open(self.output)
            .await?
            .all(ViewQuery::of(&views::SOURCE_HEALTH), &columns, "no sources")
            .await
    }
}

/// Show the backlog of each handler: ready, running, waiting and due later, and the age of the
/// oldest ready delivery.
#[derive(clap::Args)]
pub(in crate::cli) struct Backlog {
    /// Only this handler
    #[arg(long)]
    handler: Option<String>,
    #[command(flatten)]
    output: Output,
}

impl Backlog {
    pub(in crate::cli) async fn run(self) -> anyhow::Result<ExitCode> {
        let columns = [
            "handler",
            "ready",
            "oldest_ready_age",
            "running",
            "waiting",
            "later",
            "due_in_5_minutes",
            "due_in_30_minutes",
            "due_in_120_minutes",
            "per_minute",
            "served_by",
            "paused",
            "retired",
        ];
        let list = ViewQuery::of(&views::BACKLOG).is("handler", self.handler.map(SqlArg::text));
        session::open(self.output)
            .await?
            .all(list, &columns, "no handlers")
            .await
    }
}

/// List the processes of the last day, and the workers and clients that may hold deliveries. With
/// --json, only the workers and clients.
#[derive(clap::Args)]
pub(in crate::cli) struct Workers {
    #[command(flatten)]
    output: Output,
}

impl Workers {
    pub(in crate::cli) async fn run(self) -> anyhow::Result<ExitCode> {
        let mut session = session::open(self.output).await?;
        let workers = session.console.list(ViewQuery::of(&views::WORKERS)).await?;
        let columns = [
            "owner",
            "kind",
            "alive",
            "running",
            "handlers",
            "registered_at",
            "expires_at",
        ];
        session.print(&workers, &columns, "no workers");
        if !session.json() {
            let processes = session
                .console
                .list(ViewQuery::of(&views::PROCESSES))
                .await?;
            let columns = [
                "owner",
                "roles",
                "version",
                "alive",
                "started_at",
                "seen_at",
                "not_ready",
            ];
            session.print_below("processes", &processes, &columns);
        }
        session.done().await
    }
}

/// Show the size of each table, with all its daily partitions together.
#[derive(clap::Args)]
pub(in crate::cli) struct Storage {
    #[command(flatten)]
    output: Output,
}

impl Storage {
    pub(in crate::cli) async fn run(self) -> anyhow::Result<ExitCode> {
        let columns = [
            "table",
            "size",
            "estimated_rows",
            "dead_rows",
            "days",
            "oldest_day",
            "newest_day",
            "bytes_a_day",
            "oldest_snapshot_age",
        ];
        session::open(self.output)
            .await?
            .all(ViewQuery::of(&views::STORAGE), &columns, "no tables")
            .await
    }
}

/// Show how long each class of data is kept. With --preview, show what would be purged now.
#[derive(clap::Args)]
pub(in crate::cli) struct Retention {
    /// Show what would be purged now, by class and day, and how much is kept. Nothing is changed
    #[arg(long)]
    preview: bool,
    #[command(flatten)]
    output: Output,
}

impl Retention {
    pub(in crate::cli) async fn run(self) -> anyhow::Result<ExitCode> {
        let mut session = session::open(self.output).await?;
        if self.preview {
            let rows = session
                .console
                .call(FunctionCall::of(&functions::RETENTION_PREVIEW))
                .await?;
            session.print(
                &rows,
                &["class", "day", "rows", "stays", "bytes", "purge_at"],
                "nothing would be purged",
            );
            return session.done().await;
        }
        let mut rows = session
            .console
            .list(ViewQuery::of(&views::RETENTION))
            .await?;
        if !session.json() {
            // Null means forever. JSON readers and SQL get the null.
            rows.iter_mut()
                .filter(|row| row["keep"].is_null())
                .for_each(|row| row["keep"] = "forever".into());
        }
        session.print(
            &rows,
            &["class", "keep", "announced_at"],
            "no retention settings",
        );
        session.done().await
    }
}

/// List alerts, newest first: dead letters, paused handlers, silent sources and more.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct Alerts {
    #[command(subcommand)]
    act: Option<AlertAct>,
    #[command(flatten)]
    list: AlertList,
}

#[derive(clap::Subcommand)]
enum AlertAct {
    /// Mute an open alert until its condition changes.
    Mute(MuteAlert),
    /// End the muting of an alert.
    Unmute(MuteAlert),
}

#[derive(clap::Args)]
struct MuteAlert {
    /// ID of the alert
    #[arg(value_name = "EVENT_ID")]
    event: String,
    /// The reason, recorded in the audit log
    #[arg(long)]
    why: String,
    #[command(flatten)]
    output: Output,
}

#[derive(clap::Args)]
struct AlertList {
    /// Only this type: hookfast.delivery.dead, or hookfast.handler.*
    #[arg(long = "type", value_name = "TYPE")]
    of_type: Option<String>,
    #[command(flatten)]
    between: Between,
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    output: Output,
}

impl Alerts {
    pub(in crate::cli) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.act {
            Some(AlertAct::Mute(act)) => act.run(&functions::MUTE_ALERT, "muted").await,
            Some(AlertAct::Unmute(act)) => {
                act.run(&functions::UNMUTE_ALERT, "no longer muted").await
            }
            None => self.list.run().await,
        }
    }
}

impl MuteAlert {
    async fn run(self, function: &'static Function, done: &str) -> anyhow::Result<ExitCode> {
        let call =
            FunctionCall::act(function, self.why).with("event_id", Some(SqlArg::id(&self.event)));
        session::open(self.output)
            .await?
            .act(call, &format!("alert {}: {done}", self.event))
            .await
    }
}

impl AlertList {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let mut session = session::open(self.output).await?;
        let list = ViewQuery::of(&views::ALERTS)
            .of_type("type", self.of_type.as_deref())
            .ids_from("event_id", self.between.after())
            .ids_below("event_id", self.between.before())
            .below("event_id", self.page.event());
        let columns = ["received_at", "type", "payload", "message"];
        let none = session
            .none_of_type(
                &views::ALERTS,
                "no alerts",
                self.of_type.as_deref(),
                list.clone(),
            )
            .await?;
        session
            .page(list, &self.page, "event_id", &columns, &none)
            .await
    }
}

/// List changes by operators and processes, newest first.
#[derive(clap::Args)]
pub(in crate::cli) struct Audit {
    /// Only this database role
    #[arg(long)]
    actor: Option<String>,
    /// Only this action: handler.paused, event.erased, deliveries.retried and others
    #[arg(long)]
    action: Option<String>,
    /// Only this target: a handler name or an id
    #[arg(long)]
    target: Option<String>,
    #[command(flatten)]
    between: Between,
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    output: Output,
}

impl Audit {
    pub(in crate::cli) async fn run(self) -> anyhow::Result<ExitCode> {
        let list = ViewQuery::of(&views::AUDIT_LOG)
            .is("actor", self.actor.map(SqlArg::text))
            .is("action", self.action.map(SqlArg::text))
            .is("target", self.target.map(SqlArg::text))
            .from("at", self.between.after())
            .below("at", self.between.before())
            .below("log_id", self.page.number()?);
        let columns = ["log_id", "at", "actor", "action", "target", "details"];
        session::open(self.output)
            .await?
            .page(
                list,
                &self.page,
                "log_id",
                &columns,
                "the audit log is empty",
            )
            .await
    }
}
