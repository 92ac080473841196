//! `hookfast quarantine reverify`.

use super::{
    quarantine,
    session::{self, Bulk, Confirmation, Output, Session},
    time_args::When,
};
use crate::cli::{process::complain, words::counted};
use crate::store::catalog::{functions, views};
use crate::store::{FunctionCall, SqlArg, ViewQuery};
use serde_json::Value;
use std::{
    collections::BTreeSet,
    process::ExitCode,
    time::{Duration, Instant},
};

/// How long to wait for the ingress, which usually answers within a second.
const PATIENCE: Duration = Duration::from_secs(5);

const POLL: Duration = Duration::from_millis(200);

#[derive(clap::Args)]
pub(super) struct Reverify {
    /// Only this source
    #[arg(long)]
    source: Option<String>,
    /// Only requests received at or after this time: 2h (ago), 7d, or a time such as 2026-07-01
    /// 12:00 (UTC)
    #[arg(long, value_name = "TIME")]
    after: Option<When>,
    /// Reason, recorded in the audit log
    #[arg(long)]
    why: String,
    #[command(flatten)]
    confirmation: Confirmation,
    #[command(flatten)]
    output: Output,
}

/// The results so far.
struct Outcome {
    accepted: usize,
    rejected: usize,
    pending: usize,
}

impl Reverify {
    pub(super) async fn run(self) -> anyhow::Result<ExitCode> {
        let mut session = session::open(self.output).await?;
        let call = FunctionCall::act(&functions::REVERIFY_QUARANTINED, &self.why)
            .with("source", self.source.clone().map(SqlArg::text))
            .with("last_after", self.after.as_ref().map(When::past));
        let rows = self.waiting(&mut session).await?;
        let before: BTreeSet<i64> = rows
            .iter()
            .filter(|row| row["requested_action"].is_null())
            .filter_map(id)
            .collect();
        let mut done = match session
            .try_bulk(
                call,
                self.confirmation,
                "reverify",
                "requests",
                quarantine::sample(),
            )
            .await?
        {
            Bulk::Nothing => return session.done().await,
            Bulk::Declined => return session.close(ExitCode::FAILURE).await,
            Bulk::Done(done) => done,
        };
        let outcome = self.wait(&mut session, &before).await?;
        for (name, count) in [
            ("accepted", outcome.accepted),
            ("rejected", outcome.rejected),
            ("pending", outcome.pending),
        ] {
            done[name] = count.into();
        }
        let words = format!(
            "reverified: {} accepted, {} rejected",
            counted(outcome.accepted, "requests"),
            outcome.rejected
        );
        session.report(done, &words);
        hints(&outcome);
        session.done().await
    }

    /// The requests that this command selects.
    async fn waiting(&self, session: &mut Session) -> anyhow::Result<Vec<Value>> {
        let list = ViewQuery::of(&views::QUARANTINE)
            .columns(&["quarantine_id", "requested_action"])
            // Excerpts cannot be verified again.
            .is("is_excerpt", Some(SqlArg::flag(false)))
            .is("source", self.source.clone().map(SqlArg::text))
            .from("last_at", self.after.as_ref().map(When::past));
        Ok(session.console.list(list).await?)
    }

    /// Waits for the results. An accepted request is no longer in the quarantine; a rejected one no
    /// longer has a requested action.
    async fn wait(&self, session: &mut Session, before: &BTreeSet<i64>) -> anyhow::Result<Outcome> {
        let begun = Instant::now();
        loop {
            let rows = self.waiting(session).await?;
            let ours: Vec<&Value> = rows
                .iter()
                .filter(|row| id(row).is_some_and(|id| before.contains(&id)))
                .collect();
            let pending = ours
                .iter()
                .filter(|row| !row["requested_action"].is_null())
                .count();
            if pending == 0 || begun.elapsed() > PATIENCE {
                let accepted = before.len() - ours.len();
                return Ok(Outcome {
                    accepted,
                    rejected: ours.len() - pending,
                    pending,
                });
            }
            tokio::time::sleep(POLL).await;
        }
    }
}

fn id(row: &Value) -> Option<i64> {
    row["quarantine_id"].as_i64()
}

fn hints(outcome: &Outcome) {
    if outcome.pending > 0 {
        complain(&format!(
            "{} not verified yet: no process with the role ingress answered within {} s\nhint: they stay marked and are verified when one runs; `hookfast quarantine` shows them",
            counted(outcome.pending, "requests"),
            PATIENCE.as_secs()
        ));
    }
    if outcome.rejected > 0 {
        complain(
            "hint: `hookfast quarantine` shows the reason. After a change of the secret, the ingress has to read it first: SIGHUP for file:…, a restart for env:…",
        );
    }
}
