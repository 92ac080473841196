//! The speed of Hookfast, measured: `cargo bench --bench speed -- SCENARIO`. See `benches/README.md`.
//!
//! Every server is a process of its own; this one is the load, the receiver and the clock. Nothing here judges by
//! time: it prints figures, and beside them what was aimed at.

mod backlog;
mod baseline;
mod client;
mod config;
mod database;
mod embedded;
mod figures;
mod fill;
mod flood;
mod idle;
mod ingest;
mod kinds;
mod latency;
mod load;
mod orders;
mod receiver;
mod retention;
mod server;
mod usage;

use clap::{Parser, Subcommand};

/// Measures the speed of Hookfast against a durable Postgres on this machine: a private one, or that of DATABASE_URL,
/// in which it makes databases of its own.
#[derive(Parser)]
#[command(name = "speed", max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
    /// A further setting of the private Postgres.
    #[arg(long = "pg", value_name = "NAME=VALUE", global = true, value_parser = database::setting)]
    settings: Vec<(String, String)>,
    /// Given by `cargo bench`; means nothing here.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Scenario {
    /// How many webhooks a second are acknowledged, beside a server that does one INSERT a request.
    Ingest(ingest::Ingest),
    /// How long a webhook takes to its 200, and to its handler, at a steady rate.
    Latency(latency::Latency),
    /// What a Hookfast that has nothing to do costs.
    Idle(idle::Idle),
    /// Whether throughput holds as an empty, never analysed database fills.
    Fill(fill::Fill),
    /// Whether throughput holds while a snapshot is held open.
    Snapshot(fill::Snapshot),
    /// How much memory an attack can make it use.
    Flood(flood::Flood),
    /// How many deliveries a second a handler of each kind takes that does nothing.
    Kinds(kinds::Kinds),
    /// Whether ingest feels that old days go.
    Retention(retention::Retention),
    /// Whether a handler feels the backlog of others.
    Backlog(backlog::Backlog),
    /// Everything, one after the other, each with its defaults.
    All,
    #[command(hide = true)]
    ServeBaseline(baseline::Serve),
    #[command(hide = true)]
    ServeEmbedded(embedded::Serve),
}

/// One thread for the load and the clock: it leaves the machine to the servers, and has no wake-ups between threads.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let scenario = match arguments.scenario {
        // These have runtimes of their own, as large as a server's usually is.
        Scenario::ServeBaseline(serve) => {
            return tokio::task::spawn_blocking(|| serve.run()).await?;
        }
        Scenario::ServeEmbedded(serve) => {
            return tokio::task::spawn_blocking(|| serve.run()).await?;
        }
        scenario => scenario,
    };
    let postgres = database::Postgres::start(arguments.settings).await?;
    let ran = run(scenario, &postgres).await;
    postgres.stop().await?;
    ran
}

async fn run(scenario: Scenario, postgres: &database::Postgres) -> anyhow::Result<()> {
    match scenario {
        Scenario::Ingest(ingest) => ingest.run(postgres).await,
        Scenario::Latency(latency) => latency.run(postgres).await,
        Scenario::Idle(idle) => idle.run(postgres).await,
        Scenario::Fill(fill) => fill.run(postgres).await,
        Scenario::Snapshot(snapshot) => snapshot.run(postgres).await,
        Scenario::Flood(flood) => flood.run(postgres).await,
        Scenario::Kinds(kinds) => kinds.run(postgres).await,
        Scenario::Retention(retention) => retention.run(postgres).await,
        Scenario::Backlog(backlog) => backlog.run(postgres).await,
        Scenario::All => {
            ingest::Ingest::default().run(postgres).await?;
            latency::Latency::default().run(postgres).await?;
            idle::Idle::default().run(postgres).await?;
            fill::Fill::default().run(postgres).await?;
            fill::Snapshot::default().run(postgres).await?;
            flood::Flood::default().run(postgres).await?;
            kinds::Kinds::default().run(postgres).await?;
            retention::Retention::default().run(postgres).await?;
            backlog::Backlog::default().run(postgres).await
        }
        Scenario::ServeBaseline(_) | Scenario::ServeEmbedded(_) => Ok(()),
    }
}
