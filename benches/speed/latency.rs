//! Measures the time from a webhook to its 200, and to its handler, at a steady rate.

use crate::config;
use crate::database::Postgres;
use crate::figures::{Table, Times, fine, say};
use crate::load;
use crate::orders::Orders;
use crate::receiver::{self, Arrivals};
use crate::server::Server;
use crate::usage::Meter;
use clap::Parser;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// How long the last deliveries may take to arrive.
const PATIENCE: Duration = Duration::from_secs(60);

/// The warm-up: its webhooks are sent but not measured.
const WARM: Duration = Duration::from_secs(5);

#[derive(Parser)]
pub(crate) struct Latency {
    /// Webhooks per second.
    #[arg(long, default_value_t = 2000.0)]
    rate: f64,
    /// Evenly spaced, and not like independent senders (Poisson).
    #[arg(long)]
    evenly: bool,
    /// Seconds, after a warm-up of 5 s.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Keep-alive connections.
    #[arg(long, default_value_t = 128)]
    connections: usize,
    /// Attempts that run at the same time.
    #[arg(long, default_value_t = 32)]
    concurrency: usize,
}

impl Default for Latency {
    fn default() -> Self {
        Self::parse_from(["latency"])
    }
}

impl Latency {
    pub(crate) async fn run(&self, postgres: &Postgres) -> anyhow::Result<()> {
        let spaced = if self.evenly {
            "evenly spaced"
        } else {
            "Poisson"
        };
        say(&format!(
            "\nlatency: {} webhooks/s, {spaced}, {} s after {WARM:?} of warming up; one http handler, {} at once",
            self.rate, self.seconds, self.concurrency
        ));
        let schedule = Arc::new(load::schedule(
            self.rate,
            WARM + Duration::from_secs(self.seconds),
            self.evenly,
        ));
        let database = postgres.fresh().await?;
        let orders = Arc::new(Orders::new());
        // The common time base of arrivals and the schedule. It is taken before the server starts.
        let epoch = Instant::now();
        let arrivals = Arrivals::new(epoch, schedule.len());
        let config =
            config::one_handler(receiver::start(Some(arrivals.clone()))?, self.concurrency)?;
        let server = Server::hookfast(&database.url, "ingress,worker", Some(config.path())).await?;
        let meter = Meter::start(&server, postgres)?;
        let start = Instant::now();
        let (mut result, late) = load::open_loop(
            server.address,
            &orders,
            self.connections,
            (start, WARM),
            &schedule,
        )
        .await?;
        wait_for(&arrivals, &result.acknowledged).await;
        let cost = meter.read(result.acknowledged.len() as u64)?;

        let (mut handled, mut lost) = (Times::default(), 0);
        for &number in &result.acknowledged {
            let at = usize::try_from(number)
                .ok()
                .and_then(|n| schedule.get(n))
                .copied()
                .unwrap_or_default();
            match arrivals.at(number) {
                Some(arrived) if at >= WARM => {
                    handled.add((epoch + arrived).saturating_duration_since(start + at))
                }
                Some(_) => {}
                None => lost += 1,
            }
        }
        let mut table = Table::of(&["ms", "p50", "p99", "p99.9", "aimed at"]);
        for (name, times, target) in [
            ("request to 200", &mut result.times, ""),
            ("request to handler", &mut handled, "p50 < 8, p99 < 30"),
        ] {
            let cells = [0.5, 0.99, 0.999].map(|share| fine(times.percentile(share)));
            table.row(
                [name.to_owned()]
                    .into_iter()
                    .chain(cells)
                    .chain([target.to_owned()]),
            );
        }
        table.print();
        say(&format!(
            "  sent {}, acknowledged {}, other answers: {}; lost {lost}, handled twice {} (aimed at: 0, 0)",
            schedule.len(),
            result.acknowledged.len(),
            result.others(),
            arrivals.repeated()
        ));
        say(&format!(
            "  the load itself was late by {} ms at worst, which is in the times",
            fine(late.as_secs_f64() * 1e3)
        ));
        say(&format!("  {cost}"));
        server.stop().await?;
        postgres.discard(database).await
    }
}

/// Waits until all orders have arrived, or until `PATIENCE` has passed.
async fn wait_for(arrivals: &Arrivals, acknowledged: &[u64]) {
    let deadline = Instant::now() + PATIENCE;
    while Instant::now() < deadline
        && acknowledged
            .iter()
            .any(|&number| arrivals.at(number).is_none())
    {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
