//! Measures how many deliveries per second each kind of handler completes if it does nothing. The
//! comparison is the plain path: a handler in Rust whose outcomes are settled in batches.

use crate::database::{Database, Postgres};
use crate::embedded::Kind;
use crate::figures::{Table, fine, median, say, whole};
use crate::load;
use crate::orders::Orders;
use crate::receiver;
use crate::server::Server;
use crate::usage::Meter;
use anyhow::bail;
use clap::{Parser, ValueEnum};
use sqlx::{Connection, Executor, PgConnection};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::task::JoinSet;

const FUNCTION: &str = "
    CREATE SCHEMA bench;
    CREATE FUNCTION bench.nothing(event hookfast.event) RETURNS void LANGUAGE plpgsql AS $$ BEGIN END $$;";

/// How long the processing of a backlog may take.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Parser)]
pub(crate) struct Kinds {
    /// Rounds, each kind once in each.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds for which the backlog grows before it is processed.
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// Attempts that run at the same time; for kind pull, clients.
    #[arg(long, default_value_t = 16)]
    concurrency: usize,
    /// How many deliveries a client claims at once.
    #[arg(long, default_value_t = 100)]
    batch: i32,
}

impl Default for Kinds {
    fn default() -> Self {
        Self::parse_from(["kinds"])
    }
}

/// The deliveries per second of one kind, and the cost of one in microseconds.
struct Run {
    rate: f64,
    server: f64,
    postgres: f64,
}

impl Kinds {
    pub(crate) async fn run(&self, postgres: &Postgres) -> anyhow::Result<()> {
        say(&format!(
            "\nkinds: a backlog of {} s is worked off by a handler that does nothing, {} at once, by turns",
            self.seconds, self.concurrency
        ));
        let mut table = Table::of(&["kind", "round", "deliveries/s", "server µs", "Postgres µs"]);
        let kinds = Kind::value_variants();
        let mut rates = vec![Vec::new(); kinds.len()];
        for round in 1..=self.rounds {
            for (kind, rates) in kinds.iter().zip(&mut rates) {
                let run = self.once(postgres, *kind).await?;
                table.row([
                    name(*kind),
                    round.to_string(),
                    whole(run.rate),
                    whole(run.server),
                    whole(run.postgres),
                ]);
                rates.push(run.rate);
            }
        }
        table.print();
        let plain = median(&rates[0]);
        for (kind, rates) in kinds.iter().zip(&rates) {
            let rate = median(rates);
            say(&format!(
                "  {}: {} deliveries/s (median), × {} of the plain path",
                name(*kind),
                whole(rate),
                fine(rate / plain)
            ));
        }
        Ok(())
    }

    async fn once(&self, postgres: &Postgres, kind: Kind) -> anyhow::Result<Run> {
        let database = postgres.fresh().await?;
        hookfast::internals::store::migrate(&database.url.parse()?).await?;
        let mut connection = database.connect().await?;
        connection.execute(FUNCTION).await?;
        let mut arguments = vec!["serve-embedded".to_owned(), "--kind".to_owned(), name(kind)];
        arguments.extend(["--concurrency".to_owned(), self.concurrency.to_string()]);
        if matches!(kind, Kind::Http) {
            arguments.extend(["--receiver".to_owned(), receiver::start(None)?.to_string()]);
        }
        let server = Server::ourselves(&database.url, arguments).await?;
        connection
            .execute("SELECT hookfast.pause_handler('nothing', 'until there is a backlog')")
            .await?;
        let backlog = self.fill(&server).await?;
        let meter = Meter::start(&server, postgres)?;
        connection
            .execute("SELECT hookfast.resume_handler('nothing', why => 'a test')")
            .await?;
        let completed = Arc::new(AtomicU64::new(0));
        let clients = self.clients(kind, &database, &completed);
        let (mut begun, started) = (None, Instant::now());
        let rate = loop {
            let done = match kind {
                Kind::Pull => completed.load(Ordering::Relaxed),
                _ => server.delivered().await?,
            };
            // Measured from the first completed delivery, so that no wake-up is included.
            if done > 0 {
                let (at, from) = *begun.get_or_insert_with(|| (Instant::now(), done));
                if done >= backlog {
                    break (done - from) as f64 / at.elapsed().as_secs_f64();
                }
            }
            if started.elapsed() > PATIENCE {
                bail!("{done} of {backlog} were done after {PATIENCE:?}");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        let cost = meter.read(backlog)?;
        drop(clients);
        server.stop().await?;
        postgres.discard(database).await?;
        Ok(Run {
            rate,
            server: cost.server,
            postgres: cost.postgres,
        })
    }

    /// Fills the backlog and returns its size.
    async fn fill(&self, server: &Server) -> anyhow::Result<u64> {
        let acknowledged = Arc::new(AtomicU64::new(0));
        let times = (Duration::ZERO, Duration::from_secs(self.seconds));
        load::closed_loop(
            server.address,
            &Arc::new(Orders::new()),
            64,
            times,
            &acknowledged,
        )
        .await?;
        Ok(acknowledged.load(Ordering::Relaxed))
    }

    /// Clients in this process. They end when the result is dropped.
    fn clients(
        &self,
        kind: Kind,
        database: &Database,
        completed: &Arc<AtomicU64>,
    ) -> JoinSet<anyhow::Result<()>> {
        let mut clients = JoinSet::new();
        if matches!(kind, Kind::Pull) {
            for _ in 0..self.concurrency {
                clients.spawn(pull(database.url.clone(), self.batch, completed.clone()));
            }
        }
        clients
    }
}

/// A client that claims batches and completes each in one transaction, as those in examples/pull do.
async fn pull(url: String, batch: i32, completed: Arc<AtomicU64>) -> anyhow::Result<()> {
    let mut connection = PgConnection::connect(&url).await?;
    loop {
        let claim = "SELECT lease_id, delivery_id FROM hookfast.claim('nothing', 'speed', $1)";
        let claimed: Vec<(i64, i64)> = sqlx::query_as(claim)
            .bind(batch)
            .fetch_all(&mut connection)
            .await?;
        let Some((lease, _)) = claimed.first() else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let deliveries: Vec<i64> = claimed.iter().map(|(_, delivery)| *delivery).collect();
        let mut transaction = connection.begin().await?;
        let complete = sqlx::query("SELECT hookfast.complete_many($1, $2)")
            .bind(lease)
            .bind(&deliveries);
        complete.execute(&mut *transaction).await?;
        transaction.commit().await?;
        completed.fetch_add(deliveries.len() as u64, Ordering::Relaxed);
    }
}

fn name(kind: Kind) -> String {
    kind.to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}
