//! Measures whether a handler is slowed by the pending deliveries of other handlers: the same runs,
//! alternating between an empty database and one with a backlog.

use crate::config;
use crate::database::{Database, Postgres};
use crate::figures::{Table, fine, median, say};
use crate::load;
use crate::orders::Orders;
use crate::receiver::{self, Arrivals};
use crate::server::Server;
use clap::Parser;
use hookfast::internals::store::ensure_indexes;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The warm-up: its webhooks are sent but not measured.
const WARM: Duration = Duration::from_secs(5);

/// Deliveries inserted by one statement.
const CHUNK: u64 = 1_000_000;

/// How many deliveries the killed process holds.
const HELD: u32 = 64;

/// How long a rescue, or the last deliveries of a load, may take.
const PATIENCE: Duration = Duration::from_secs(60);

const FIGURES: [&str; 7] = [
    "request to handler, median ms",
    "request to handler, p99 ms",
    "request to handler, longest ms",
    "start to ready, ms",
    "rescue after the lease's end, ms",
    "SIGTERM to exit, ms",
    "processor time of Postgres, µs a request",
];

#[derive(Parser)]
pub(crate) struct Backlog {
    /// Pending deliveries of a paused handler, half of them retries. All handlers are served.
    #[arg(long, default_value_t = 2_000_000)]
    paused: u64,
    /// Pending deliveries of an ordered handler, ten for each key, of which nine wait for the
    /// first.
    #[arg(long, default_value_t = 500_000)]
    parked: u64,
    /// Webhooks per second, for another handler.
    #[arg(long, default_value_t = 50.0)]
    rate: f64,
    /// Seconds of each run, after a warm-up of 5 s. In 70 s, each job that runs once a minute has
    /// run.
    #[arg(long, default_value_t = 70)]
    seconds: u64,
    /// Pairs of runs.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
}

impl Default for Backlog {
    fn default() -> Self {
        Self::parse_from(["backlog"])
    }
}

impl Backlog {
    pub(crate) async fn run(&self, postgres: &Postgres) -> anyhow::Result<()> {
        say(&format!(
            "\nbacklog: {} webhooks/s for one handler, {} s by turns on an empty database and beside {} deliveries of a paused \
             handler and {} of an ordered one",
            self.rate, self.seconds, self.paused, self.parked
        ));
        let (empty, full) = (postgres.fresh().await?, postgres.fresh().await?);
        for database in [&empty, &full] {
            self.prepare(database).await?;
        }
        let begun = Instant::now();
        self.fill(&full).await?;
        say(&format!("  filled in {:.0?}", begun.elapsed()));
        let mut figures = [const { Vec::new() }; 2];
        for round in 0..self.rounds {
            // The order alternates, so that neither database is always the second one.
            let turns = if round % 2 == 0 { [0, 1] } else { [1, 0] };
            for turn in turns {
                figures[turn].push(self.measure([&empty, &full][turn], postgres).await?);
            }
        }
        let mut table = Table::of(&[
            "medians of the runs",
            "empty",
            "backlog",
            "ratio",
            "ratios of the pairs",
            "aimed at",
        ]);
        for (i, name) in FIGURES.iter().enumerate() {
            let of = |turn: usize| {
                figures[turn]
                    .iter()
                    .map(|run: &[f64; 7]| run[i])
                    .collect::<Vec<_>>()
            };
            let ratios: Vec<f64> = of(0)
                .iter()
                .zip(of(1))
                .map(|(empty, full)| full / empty)
                .collect();
            table.row([
                (*name).to_owned(),
                fine(median(&of(0))),
                fine(median(&of(1))),
                fine(median(&ratios)),
                ratios
                    .iter()
                    .map(|ratio| fine(*ratio))
                    .collect::<Vec<_>>()
                    .join(", "),
                "< 1.2".to_owned(),
            ]);
        }
        table.print();
        postgres.discard(empty).await?;
        postgres.discard(full).await
    }

    /// Registers everything, builds all indexes, and pauses the handler of the backlog.
    async fn prepare(&self, database: &Database) -> anyhow::Result<()> {
        let config = config::three_handlers(receiver::start(None)?)?;
        Server::hookfast(&database.url, "ingress,worker", Some(config.path()))
            .await?
            .stop()
            .await?;
        ensure_indexes(&database.url.parse()?).await?;
        let mut connection = database.connect().await?;
        connection
            .execute("SELECT hookfast.pause_handler('paused', 'it is away')")
            .await?;
        connection.close().await.map_err(Into::into)
    }

    /// Fills the backlog. All deliveries are of one event that does not exist, because only a claim
    /// reads the event.
    async fn fill(&self, database: &Database) -> anyhow::Result<()> {
        let mut connection = database.connect().await?;
        for from in (0..self.paused).step_by(CHUNK as usize) {
            let to = self.paused.min(from + CHUNK);
            insert(
                &mut connection,
                "paused",
                from,
                to,
                "CASE WHEN i % 2 = 0 THEN now() END, NULL",
            )
            .await?;
        }
        let keys = (self.parked / 10).max(1);
        let parked = format!(
            "CASE WHEN i < {keys} THEN now() + interval '1 day' ELSE 'infinity' END, 'key-' || i % {keys}"
        );
        for from in (0..self.parked).step_by(CHUNK as usize) {
            insert(
                &mut connection,
                "parked",
                from,
                self.parked.min(from + CHUNK),
                &parked,
            )
            .await?;
        }
        // The runs must not include the work that this insert leaves behind.
        connection
            .execute("VACUUM (ANALYZE) hookfast_data.outbox")
            .await?;
        let _ = connection.execute("CHECKPOINT").await;
        connection.close().await.map_err(Into::into)
    }

    async fn measure(&self, database: &Database, postgres: &Postgres) -> anyhow::Result<[f64; 7]> {
        let schedule = Arc::new(load::schedule(
            self.rate,
            WARM + Duration::from_secs(self.seconds),
            false,
        ));
        let orders = Arc::new(Orders::new());
        let epoch = Instant::now();
        let arrivals = Arrivals::new(epoch, schedule.len());
        let config = config::three_handlers(receiver::start(Some(arrivals.clone()))?)?;
        let begun = Instant::now();
        let victim = Server::hookfast(&database.url, "ingress,worker", Some(config.path())).await?;
        let ready = begun.elapsed();
        let mut connection = database.connect().await?;
        let lease: i64 = sqlx::query_scalar("SELECT max(id) FROM hookfast_data.leases")
            .fetch_one(&mut connection)
            .await?;
        // This process rescues. It must have been alive for a while before it may judge others.
        let other = Server::hookfast(&database.url, "worker", Some(config.path())).await?;
        let before = postgres.processor();
        let start = Instant::now();
        let (result, _) =
            load::open_loop(victim.address, &orders, 16, (start, WARM), &schedule).await?;
        anyhow::ensure!(
            result.others.is_empty(),
            "other answers: {}",
            result.others()
        );
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline
            && result
                .acknowledged
                .iter()
                .any(|&number| arrivals.at(number).is_none())
        {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let used = postgres
            .processor()
            .zip(before)
            .map_or(f64::NAN, |(now, then)| (now - then).as_secs_f64());
        let mut times = crate::figures::Times::default();
        for &number in &result.acknowledged {
            let at = schedule
                .get(usize::try_from(number)?)
                .copied()
                .unwrap_or_default();
            let arrived = arrivals
                .at(number)
                .ok_or_else(|| anyhow::anyhow!("order {number} did not arrive"))?;
            if at >= WARM {
                times.add((epoch + arrived).saturating_duration_since(start + at));
            }
        }
        victim.kill().await?;
        let rescued = rescue(&mut connection, lease).await?;
        let stopping = Instant::now();
        other.stop().await?;
        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        Ok([
            times.percentile(0.5),
            times.percentile(0.99),
            times.percentile(1.0),
            milliseconds(ready),
            milliseconds(rescued),
            milliseconds(stopping.elapsed()),
            used * 1e6 / result.acknowledged.len() as f64,
        ])
    }
}

async fn insert(
    connection: &mut PgConnection,
    handler: &str,
    from: u64,
    to: u64,
    rest: &str,
) -> anyhow::Result<()> {
    let statement = format!(
        "INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left, due_at, ordering_key) \
         SELECT h.id, '01900000-0000-7000-8000-000000000000', 3, {rest} \
         FROM hookfast_data.handlers h, generate_series({from}, {to} - 1) i WHERE h.name = '{handler}'"
    );
    connection.execute(AssertSqlSafe(statement)).await?;
    Ok(())
}

/// Gives some deliveries to the lease of the killed process, and waits until they are free. Returns
/// how long after the end of the lease that was.
async fn rescue(connection: &mut PgConnection, lease: i64) -> anyhow::Result<Duration> {
    let held = format!(
        "INSERT INTO hookfast_data.outbox (handler_id, event_id, attempts_left, lease_id, attempt_number) \
         SELECT h.id, e.id, 3, {lease}, 1 FROM hookfast_data.handlers h, \
            (SELECT id FROM hookfast_data.events ORDER BY id DESC LIMIT {HELD}) e WHERE h.name = 'receiver'"
    );
    connection.execute(AssertSqlSafe(held)).await?;
    let ended = format!(
        "SELECT extract(epoch FROM clock_timestamp() - expires_at)::float8 FROM hookfast_data.leases WHERE id = {lease}"
    );
    let deadline = Instant::now() + PATIENCE;
    let mut after = 0.0;
    while Instant::now() < deadline {
        match sqlx::query_scalar(AssertSqlSafe(ended.clone()))
            .fetch_optional(&mut *connection)
            .await?
        {
            Some(seconds) => after = seconds,
            None => return Ok(Duration::from_secs_f64(f64::max(after, 0.0))),
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    anyhow::bail!("nothing was rescued within {PATIENCE:?}")
}
