//! `hookfast conflicts`.

use super::{
    event_filters::EventFilters,
    session::{self, Confirmation, Output, Page, Sample},
};
use crate::store::catalog::{functions, views};
use crate::store::{FunctionCall, SqlArg, ViewQuery};
use std::process::ExitCode;

/// List events that have the key of an earlier one and other content, newest first. Each is a
/// possible double purchase. `hookfast events show EVENT_ID` shows both payloads.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct Conflicts {
    #[command(subcommand)]
    act: Option<ConflictAct>,
    #[command(flatten)]
    list: ConflictList,
}

#[derive(clap::Subcommand)]
enum ConflictAct {
    /// Acknowledge a conflict or a possible double purchase: the status no longer reports it.
    Acknowledge(Acknowledge),
}

#[derive(clap::Args)]
struct Acknowledge {
    /// ID of any event of the conflict
    #[arg(
        value_name = "EVENT_ID",
        required_unless_present = "all",
        conflicts_with = "all"
    )]
    event: Option<String>,
    /// All conflicts that are not acknowledged and match the filters below
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    filters: EventFilters,
    /// What was done, recorded in the audit log
    #[arg(long)]
    why: String,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    output: Output,
}

const SAMPLE: [&str; 5] = [
    "received_at",
    "event_id",
    "source",
    "type",
    "first_event_id",
];

#[derive(clap::Args)]
struct ConflictList {
    /// Only this source
    #[arg(long)]
    source: Option<String>,
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    output: Output,
}

impl Conflicts {
    pub(in crate::cli) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.act {
            Some(ConflictAct::Acknowledge(acknowledge)) => acknowledge.run().await,
            None => self.list.run().await,
        }
    }
}

impl Acknowledge {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let session = session::open(self.output).await?;
        if let Some(event) = self.event {
            let call = FunctionCall::act(&functions::ACKNOWLEDGE_CONFLICT, self.why)
                .with("event_id", Some(SqlArg::id(&event)));
            let done = format!("conflict of event {event}: acknowledged");
            return session.act(call, &done).await;
        }
        let call = FunctionCall::act(&functions::ACKNOWLEDGE_CONFLICTS, self.why);
        let call = self.filters.add_to(call);
        session
            .bulk(
                call,
                self.confirmation,
                "acknowledge",
                "conflicts",
                sample(),
            )
            .await
    }
}

/// The conflicts that a preview shows.
fn sample() -> Sample {
    let rows = ViewQuery::of(&views::CONFLICTS).columns(&SAMPLE);
    Sample::new(rows, "event_id", &SAMPLE)
}

impl ConflictList {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let list = ViewQuery::of(&views::CONFLICTS)
            .columns(&[
                "event_id",
                "source",
                "type",
                "received_at",
                "idempotency_key",
                "first_event_id",
                "first_received_at",
                "acknowledged_at",
                "acknowledged_by",
            ])
            .is("source", self.source.map(SqlArg::text))
            .below("event_id", self.page.event());
        let columns = [
            "received_at",
            "event_id",
            "source",
            "type",
            "first_event_id",
            "first_received_at",
            "acknowledged_at",
        ];
        session::open(self.output)
            .await?
            .page(list, &self.page, "event_id", &columns, "no conflicts")
            .await
    }
}
