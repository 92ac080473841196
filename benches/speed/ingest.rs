//! Measures how many webhooks per second are acknowledged, with Hookfast and with one INSERT for
//! each request, in alternation.

use crate::config;
use crate::database::{Database, Postgres};
use crate::figures::{Table, fine, median, say, whole};
use crate::load;
use crate::orders::Orders;
use crate::receiver;
use crate::server::Server;
use crate::usage::{Cost, Meter};
use clap::Parser;
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

#[derive(Parser)]
pub(crate) struct Ingest {
    /// Keep-alive connections, each with one request at a time.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Seconds of each run.
    #[arg(long, default_value_t = 6)]
    seconds: u64,
    /// Runs of each server.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Connections to the database of the server with one INSERT for each request.
    #[arg(long, default_value_t = 20)]
    pool: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Contestant {
    /// Each event has a pending delivery for one handler, as in the comparison.
    Hookfast,
    /// No handler has subscribed.
    WithoutHandler,
    /// One INSERT for each request.
    Baseline,
}

#[derive(Clone, Copy)]
struct Run {
    rate: f64,
    p50: f64,
    p99: f64,
    cost: Cost,
}

impl Default for Ingest {
    fn default() -> Self {
        Self::parse_from(["ingest"])
    }
}

impl Contestant {
    const ALL: [Self; 3] = [Self::Hookfast, Self::WithoutHandler, Self::Baseline];

    fn name(self) -> &'static str {
        match self {
            Self::Hookfast => "hookfast",
            Self::WithoutHandler => "hookfast, no handler",
            Self::Baseline => "one INSERT a request",
        }
    }
}

impl Run {
    fn cells(self, name: &str, round: String) -> [String; 7] {
        let Self {
            rate,
            p50,
            p99,
            cost: Cost { server, postgres },
        } = self;
        [
            name.to_owned(),
            round,
            whole(rate),
            fine(p50),
            fine(p99),
            whole(server),
            whole(postgres),
        ]
    }
}

impl Ingest {
    pub(crate) async fn run(&self, postgres: &Postgres) -> anyhow::Result<()> {
        say(&format!(
            "\ningest: {} connections, {} s a run after 1 s of warming up, by turns",
            self.connections, self.seconds
        ));
        let mut runs: [Vec<Run>; 3] = Default::default();
        let mut table = Table::of(&[
            "",
            "round",
            "requests/s",
            "p50 ms",
            "p99 ms",
            "server µs",
            "Postgres µs",
        ]);
        for round in 1..=self.rounds {
            for (contestant, runs) in Contestant::ALL.into_iter().zip(&mut runs) {
                let run = self.once(contestant, postgres).await?;
                table.row(run.cells(contestant.name(), round.to_string()));
                runs.push(run);
            }
        }
        for (contestant, runs) in Contestant::ALL.into_iter().zip(&runs) {
            let of = |figure: fn(&Run) -> f64| median(&runs.iter().map(figure).collect::<Vec<_>>());
            let (rate, p50, p99) = (of(|run| run.rate), of(|run| run.p50), of(|run| run.p99));
            let cost = Cost {
                server: of(|run| run.cost.server),
                postgres: of(|run| run.cost.postgres),
            };
            let run = Run {
                rate,
                p50,
                p99,
                cost,
            };
            table.row(run.cells(contestant.name(), "median".to_owned()));
        }
        table.print();
        let [hookfast, without, baseline] = &runs;
        compare("hookfast", hookfast, baseline);
        compare("without a handler", without, baseline);
        say("  aimed at: 2.5 times the requests of one INSERT a request, with a lower p99");
        Ok(())
    }

    async fn once(&self, contestant: Contestant, postgres: &Postgres) -> anyhow::Result<Run> {
        let database = postgres.fresh().await?;
        let server = match contestant {
            Contestant::Baseline => {
                Server::ourselves(
                    &database.url,
                    ["serve-baseline", "--pool", &self.pool.to_string()],
                )
                .await?
            }
            Contestant::Hookfast => {
                subscribe(&database).await?;
                Server::hookfast(&database.url, "ingress", None).await?
            }
            Contestant::WithoutHandler => Server::hookfast(&database.url, "ingress", None).await?,
        };
        let times = (Duration::from_secs(1), Duration::from_secs(self.seconds));
        let orders = Arc::new(Orders::new());
        let counted = Arc::new(AtomicU64::new(0));
        let meter = Meter::start(&server, postgres)?;
        let mut result =
            load::closed_loop(server.address, &orders, self.connections, times, &counted).await?;
        if !result.others.is_empty() {
            say(&format!(
                "  {}: not acknowledged: {}",
                contestant.name(),
                result.others()
            ));
        }
        let cost = meter.read(counted.load(Ordering::Relaxed))?;
        server.stop().await?;
        postgres.discard(database).await?;
        let rate = result.times.len() as f64 / times.1.as_secs_f64();
        let (p50, p99) = (result.times.percentile(0.5), result.times.percentile(0.99));
        Ok(Run {
            rate,
            p50,
            p99,
            cost,
        })
    }
}

/// Registers a handler by starting its worker once. From then on every event gets a delivery for
/// it.
async fn subscribe(database: &Database) -> anyhow::Result<()> {
    let config = config::one_handler(receiver::start(None)?, 32)?;
    Server::hookfast(&database.url, "worker", Some(config.path()))
        .await?
        .stop()
        .await
}

/// Compares each run with the one right after it, because both have much the same load from the
/// rest of the machine.
fn compare(name: &str, ours: &[Run], theirs: &[Run]) {
    let ratios = |figure: fn(&Run) -> f64| {
        let pairs = ours
            .iter()
            .zip(theirs)
            .map(|(ours, theirs)| figure(ours) / figure(theirs));
        let ratios: Vec<f64> = pairs.collect();
        let each: Vec<String> = ratios.iter().map(|ratio| fine(*ratio)).collect();
        format!(
            "{} (median; each: {})",
            fine(median(&ratios)),
            each.join(", ")
        )
    };
    say(&format!("  {name}: requests × {}", ratios(|run| run.rate)));
    say(&format!("  {name}: p99 × {}", ratios(|run| run.p99)));
}
