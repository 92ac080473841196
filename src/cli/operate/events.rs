//! `hookfast events`.

use super::{
    shell::{self, Output, Page},
    when::When,
};
use crate::store::{Bind, List};
use std::process::ExitCode;

/// What came: lists events, finds one by anything that is known of it, and tells what became of it.
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(in crate::cli) struct Events {
    #[command(subcommand)]
    what: Option<What>,
    #[command(flatten)]
    list: Listed,
}

#[derive(clap::Subcommand)]
enum What {
    /// Events, the newest first.
    List(Listed),
}

#[derive(clap::Args)]
struct Listed {
    /// Only of this source.
    #[arg(long)]
    source: Option<String>,
    /// Only of this type: airalo.order.completed, or airalo.*
    #[arg(long = "type", value_name = "TYPE")]
    of_type: Option<String>,
    /// Only since then: 2h, 7d, or a time as 2026-07-01 12:00 (UTC).
    #[arg(long, value_name = "TIME")]
    after: Option<When>,
    /// Only before then.
    #[arg(long, value_name = "TIME")]
    before: Option<When>,
    #[command(flatten)]
    page: Page,
    #[command(flatten)]
    output: Output,
}

impl Events {
    pub(in crate::cli) async fn run(self) -> anyhow::Result<ExitCode> {
        match self.what.unwrap_or(What::List(self.list)) {
            What::List(list) => list.run().await,
        }
    }
}

impl Listed {
    async fn run(self) -> anyhow::Result<ExitCode> {
        let shell = shell::open(self.output).await?;
        let list = List::of(
            "events",
            "event_id, received_at, source, type, topic, origin, idempotency_key, conflicts_with, verified_by, erased_at",
            "event_id DESC",
        )
        .is("source", self.source.map(Bind::text))
        .of_type("type", self.of_type.as_deref())
        .ids_from("event_id", self.after.as_ref().map(When::past))
        .ids_below("event_id", self.before.as_ref().map(When::past))
        .below("event_id", self.page.event());
        let columns = ["received_at", "event_id", "source", "type", "idempotency_key", "conflicts_with", "erased_at"];
        shell.page(list, &self.page, "event_id", &columns, "no events").await
    }
}
