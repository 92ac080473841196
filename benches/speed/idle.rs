//! Measures the cost of a Hookfast process that has nothing to do.

use crate::config;
use crate::database::Postgres;
use crate::figures::{Table, fine, say};
use crate::receiver;
use crate::server::Server;
use clap::Parser;
use std::time::Duration;

/// The time after the start until the process is quiet.
const SETTLE: Duration = Duration::from_secs(5);

#[derive(Parser)]
pub(crate) struct Idle {
    /// Seconds without work.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
}

impl Default for Idle {
    fn default() -> Self {
        Self::parse_from(["idle"])
    }
}

impl Idle {
    pub(crate) async fn run(&self, postgres: &Postgres) -> anyhow::Result<()> {
        say(&format!(
            "\nidle: ingress and worker with one http handler, {} s with nothing to do",
            self.seconds
        ));
        let database = postgres.fresh().await?;
        let config = config::one_handler(receiver::start(None)?, 32)?;
        let server = Server::hookfast(&database.url, "ingress,worker", Some(config.path())).await?;
        tokio::time::sleep(SETTLE).await;
        let (before, transactions) = (server.usage()?, database.transactions().await?);
        let length = Duration::from_secs(self.seconds);
        tokio::time::sleep(length).await;
        let (after, transactions_then) = (server.usage()?, database.transactions().await?);
        let busy = (after.processor - before.processor).as_secs_f64() / length.as_secs_f64();
        let transactions = (transactions_then - transactions) as f64 / length.as_secs_f64();

        let mut table = Table::of(&["", "figure", "aimed at"]);
        table.row([
            "memory now, MiB".to_owned(),
            fine(after.resident),
            "< 40".to_owned(),
        ]);
        table.row([
            "memory at most, MiB".to_owned(),
            fine(after.highest),
            String::new(),
        ]);
        table.row([
            "processor, % of one".to_owned(),
            fine(busy * 100.0),
            "next to none".to_owned(),
        ]);
        table.row([
            "transactions/s".to_owned(),
            fine(transactions),
            String::new(),
        ]);
        table.print();
        server.stop().await?;
        postgres.discard(database).await
    }
}
