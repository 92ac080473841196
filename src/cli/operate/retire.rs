//! `hookfast handlers retire`.

use super::{
    deliveries,
    session::{self, Confirmation, Output, Sample},
};
use crate::cli::words::counted;
use crate::store::catalog::functions;
use crate::store::{FunctionCall, SqlArg};
use std::process::ExitCode;

#[derive(clap::Args)]
pub(super) struct Retire {
    /// Name of the handler
    handler: String,
    /// Reason, shown with the handler and its discarded deliveries
    #[arg(long)]
    why: String,
    /// Keep its pending deliveries until their events expire, instead of discarding them. They are
    /// not run
    #[arg(long)]
    keep: bool,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    output: Output,
}

impl Retire {
    /// Shows the pending deliveries and asks for confirmation. Events may arrive while it waits for
    /// the answer, so somewhat more deliveries are allowed than were shown.
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let mut session = session::open(self.output).await?;
        let call = FunctionCall::act(&functions::RETIRE_HANDLER, &self.why)
            .with("handler", Some(SqlArg::text(&self.handler)))
            .with(
                "pending",
                Some(SqlArg::text(if self.keep { "keep" } else { "discard" })),
            );
        let columns = &["delivery_id", "event_id", "attempts"];
        let rows = deliveries::pending(Some(&self.handler)).columns(columns);
        let sample = Sample::new(rows, "delivery_id", columns);
        let preview = session.preview(call.clone(), &sample).await?;
        let verb = if self.keep {
            format!(
                "retire handler {} and keep (without running them)",
                self.handler
            )
        } else {
            format!("retire handler {} and discard", self.handler)
        };
        if !session.preview_and_confirm(
            &preview,
            self.confirmation,
            &verb,
            "pending deliveries",
            columns,
        )? {
            return session.close(ExitCode::FAILURE).await;
        }
        let matching = preview["matching"].as_i64().unwrap_or(0);
        let at_most = SqlArg::number(matching + (matching / 10).max(1000));
        let call = call.with("at_most", Some(at_most));
        let done = session.call_with_sample(call, &preview).await?;
        let count = |member: &str| done[member].as_i64().unwrap_or(0);
        let (matching, changed) = (count("matching"), count("changed"));
        let mut words = format!("handler {} is retired", self.handler);
        if self.keep {
            words += &format!("; {} kept", counted(matching, "pending deliveries"));
        } else {
            words += &format!("; {} discarded", counted(changed, "pending deliveries"));
            if matching > changed {
                words += &format!(", and workers discard the other {}", matching - changed);
            }
        }
        session.report(done, &words);
        session.done().await
    }
}
