//! Measures whether retention slows down ingest: the same load, in alternation without and with
//! retention at work.

use crate::config;
use crate::database::{Database, Postgres};
use crate::figures::{Table, fine, median, say};
use crate::load;
use crate::orders::Orders;
use crate::receiver;
use crate::server::Server;
use clap::Parser;
use hookfast::internals::store::purge_expired;
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// The warm-up: its webhooks are sent but not measured.
const WARM: Duration = Duration::from_secs(3);

/// For how many days events are kept. The history begins the day after.
const KEPT: u32 = 20;

/// The advisory lock that a process holds while it purges expired data.
const TAKE: &str = "SELECT pg_advisory_lock(x'72657461696e'::bigint)";
const GIVE: &str = "SELECT pg_advisory_unlock(x'72657461696e'::bigint)";

#[derive(Parser)]
pub(crate) struct Retention {
    /// Webhooks per second.
    #[arg(long, default_value_t = 1000.0)]
    rate: f64,
    /// Seconds of each turn, after a warm-up of 3 s.
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// Turns of each kind.
    #[arg(long, default_value_t = 4)]
    rounds: u32,
    /// Days that are purged in a turn.
    #[arg(long, default_value_t = 1)]
    days: u32,
    /// Events of each of these days; one in a hundred is a dead letter and is not purged. By
    /// default a turn purges as many events as it receives, as in a steady state.
    #[arg(long)]
    events: Option<u32>,
    /// Keep-alive connections.
    #[arg(long, default_value_t = 64)]
    connections: usize,
}

impl Default for Retention {
    fn default() -> Self {
        Self::parse_from(["retention"])
    }
}

impl Retention {
    pub(crate) async fn run(&self, postgres: &Postgres) -> anyhow::Result<()> {
        say(&format!(
            "\nretention: {} webhooks/s, by turns of {} s without and with retention of {} days with {} events each",
            self.rate,
            self.seconds,
            self.days,
            self.events()
        ));
        let database = postgres.fresh().await?;
        let config = config::one_handler(receiver::start(None)?, 32)?;
        let server = Server::hookfast(&database.url, "ingress,worker", Some(config.path())).await?;
        let days = self.days * self.rounds;
        // The server's own retention run, a minute after its start, finds the lock taken.
        let mut alone = prepare(&database).await?;
        let mut table = Table::of(&[
            "ms",
            "p50",
            "p99",
            "p99.9",
            "purged days",
            "with survivors",
            "took",
        ]);
        let mut ratios = Vec::new();
        for round in 0..self.rounds {
            // Filled before both turns, so that they differ in nothing else.
            self.fill(&database, days - (round + 1) * self.days).await?;
            // The order alternates, because the second turn is slower by itself.
            let turns = if round % 2 == 0 {
                [false, true]
            } else {
                [true, false]
            };
            let mut p99s = [0.0; 2];
            for with in turns {
                let (schedule, orders) = (
                    Arc::new(load::schedule(
                        self.rate,
                        WARM + Duration::from_secs(self.seconds),
                        false,
                    )),
                    Arc::new(Orders::new()),
                );
                let start = Instant::now();
                let loading = load::open_loop(
                    server.address,
                    &orders,
                    self.connections,
                    (start, WARM),
                    &schedule,
                );
                let (loaded, left) = tokio::join!(loading, purge(&database, &mut alone, with));
                let (mut result, left) = (loaded?.0, left?);
                anyhow::ensure!(
                    result.others.is_empty(),
                    "other answers: {}",
                    result.others()
                );
                let times = [0.5, 0.99, 0.999].map(|share| result.times.percentile(share));
                let (name, gone) = match &left {
                    None => ("without", [String::new(), String::new(), String::new()]),
                    Some((days, survivors, took)) => (
                        "with",
                        [
                            days.to_string(),
                            survivors.to_string(),
                            format!("{took:.1?}"),
                        ],
                    ),
                };
                table.row(
                    [name.to_owned()]
                        .into_iter()
                        .chain(times.map(fine))
                        .chain(gone),
                );
                p99s[usize::from(with)] = times[1];
            }
            ratios.push(p99s[1] / p99s[0]);
        }
        table.print();
        let rounds: Vec<_> = ratios.iter().map(|ratio| fine(*ratio)).collect();
        say(&format!(
            "  p99 with to without: median × {} ({}); aimed at: it does not move",
            fine(median(&ratios)),
            rounds.join(", ")
        ));
        server.stop().await?;
        postgres.discard(database).await
    }

    fn events(&self) -> u32 {
        self.events
            .unwrap_or((self.rate * self.seconds as f64) as u32 / self.days)
    }

    /// Inserts days of history, the oldest to be purged first. `newer` days remain for later turns.
    async fn fill(&self, database: &Database, newer: u32) -> anyhow::Result<()> {
        let mut connection = database.connect().await?;
        let first = KEPT + newer + 2;
        begin(&mut connection, first, first + self.days - 1).await?;
        for day in first..first + self.days {
            let statements = include_str!("../../scripts/lib/history/day.sql")
                .replace("${day}", &day.to_string())
                .replace("${events}", &self.events().to_string())
                .replace("${dead}", &(self.events() / 100).to_string());
            connection.execute(AssertSqlSafe(statements)).await?;
        }
        // The turns must not include the work that this insert leaves behind.
        connection.execute("VACUUM (ANALYZE)").await?;
        let _ = connection.execute("CHECKPOINT").await;
        Ok(())
    }
}

/// Makes the days of a history, still empty.
async fn begin(connection: &mut PgConnection, from: u32, to: u32) -> anyhow::Result<()> {
    let statements = include_str!("../../scripts/lib/history/begin.sql");
    let statements = statements
        .replace("${from}", &from.to_string())
        .replace("${days}", &to.to_string());
    connection.execute(AssertSqlSafe(statements)).await?;
    Ok(())
}

/// Makes a source for the history, and a retention that has been announced.
async fn prepare(database: &Database) -> anyhow::Result<PgConnection> {
    let mut connection = database.connect().await?;
    begin(&mut connection, 1, 0).await?;
    let announced = format!(
        "UPDATE hookfast_data.retention SET keep = interval '{KEPT} days', announced_at = now() - interval '2 days', \
            announced_keep = interval '{KEPT} days' WHERE class = 'events'"
    );
    connection.execute(AssertSqlSafe(announced)).await?;
    connection.execute(TAKE).await?;
    Ok(connection)
}

/// Runs retention once the load is warm, as the maintenance does once an hour. Returns the number
/// of purged days, the number of days with survivors, and how long it took.
async fn purge(
    database: &Database,
    alone: &mut PgConnection,
    with: bool,
) -> anyhow::Result<Option<(usize, usize, Duration)>> {
    if !with {
        return Ok(None);
    }
    tokio::time::sleep(WARM + Duration::from_secs(1)).await;
    let of = database.url.parse()?;
    alone.execute(GIVE).await?;
    let begun = Instant::now();
    let (mut days, mut survivors, mut rounds) = (0, 0, 0);
    loop {
        let left = purge_expired(&of, || false).await?;
        (days, survivors, rounds) = (
            days + left.days,
            survivors + left.days_with_survivors,
            rounds + 1,
        );
        // Another session read a day for longer than retention waits, usually an autovacuum.
        if left.days_in_use == 0 {
            break;
        }
        anyhow::ensure!(rounds < 50, "{} days stay in use", left.days_in_use);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let took = begun.elapsed();
    alone.execute(TAKE).await?;
    Ok(Some((days, survivors, took)))
}
