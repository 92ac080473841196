//! Measures the speed of Hookfast: `cargo bench --bench speed -- SCENARIO`. See
//! `benches/README.md`.
//!
//! Every server is its own process. This process generates the load, receives deliveries and
//! measures time. No scenario fails because of a time: it prints figures next to their targets.

mod backlog;
mod baseline;
mod client;
mod config;
mod database;
mod embedded;
mod enqueue;
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

/// Measures the speed of Hookfast against a durable Postgres on this machine: a private one, or
/// that of DATABASE_URL, in which it creates its own databases.
#[derive(Parser)]
#[command(name = "speed", max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    scenario: Scenario,
    /// An additional setting of the private Postgres.
    #[arg(long = "pg", value_name = "NAME=VALUE", global = true, value_parser = database::setting)]
    settings: Vec<(String, String)>,
    /// Passed by `cargo bench`, and ignored here.
    #[arg(long, hide = true, global = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Scenario {
    /// How many webhooks per second are acknowledged, compared with a server that makes one INSERT
    /// for each request.
    Ingest(ingest::Ingest),
    /// The time from a webhook to its 200, and to its handler, at a steady rate.
    Latency(latency::Latency),
    /// The cost of a Hookfast process that has nothing to do.
    Idle(idle::Idle),
    /// Whether throughput is sustained while an empty, never analysed database fills.
    Fill(fill::Fill),
    /// Whether throughput is sustained while a snapshot is held open.
    Snapshot(fill::Snapshot),
    /// How much memory an attack can make the server use.
    Flood(flood::Flood),
    /// How many deliveries per second each kind of handler completes if it does nothing.
    Kinds(kinds::Kinds),
    /// How many events per second an application enqueues.
    Enqueue(enqueue::Enqueue),
    /// Whether retention slows down ingest.
    Retention(retention::Retention),
    /// Whether a handler is slowed by the backlog of others.
    Backlog(backlog::Backlog),
    /// All scenarios, one after the other, each with its defaults.
    All,
    #[command(hide = true)]
    ServeBaseline(baseline::Serve),
    #[command(hide = true)]
    ServeEmbedded(embedded::Serve),
}

/// One thread for the load and the clock. It leaves the rest of the machine to the servers, and
/// needs no wake-ups between threads.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let scenario = match arguments.scenario {
        // These have their own runtimes, of the usual size for a server.
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
        Scenario::Enqueue(enqueue) => enqueue.run(postgres).await,
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
            enqueue::Enqueue::default().run(postgres).await?;
            retention::Retention::default().run(postgres).await?;
            backlog::Backlog::default().run(postgres).await
        }
        Scenario::ServeBaseline(_) | Scenario::ServeEmbedded(_) => Ok(()),
    }
}
