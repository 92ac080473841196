//! Measures how many events per second an application enqueues: one at a time, and many at once.

use crate::database::{Database, Postgres};
use crate::figures::{Table, fine, median, say, whole};
use anyhow::ensure;
use clap::Parser;
use sqlx::{AssertSqlSafe, Executor, PgConnection};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// A source, and a handler that gets each event and is not run.
const SETUP: &str = "
    INSERT INTO hookfast_data.sources (name, kind) VALUES ('own', 'sql');
    INSERT INTO hookfast_data.handlers (name, kind, types, max_attempts, registered_version)
        VALUES ('nothing', 'pull', '{own.*}', 12, 0);";

#[derive(Parser)]
pub(crate) struct Enqueue {
    /// Rounds, each way once in each.
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// Connections with one call at a time, for single events.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Events in one call, for many.
    #[arg(long, default_value_t = 1000)]
    batch: usize,
    /// Bytes of a payload.
    #[arg(long, default_value_t = 1024)]
    bytes: usize,
}

impl Default for Enqueue {
    fn default() -> Self {
        Self::parse_from(["enqueue"])
    }
}

/// One way to enqueue events.
struct Way {
    name: String,
    connections: usize,
    /// Each call enqueues so many.
    events: i64,
    statement: String,
}

/// The events per second, and the processor time of one in Postgres in microseconds.
struct Run {
    rate: f64,
    postgres: f64,
}

impl Enqueue {
    pub(crate) async fn run(&self, postgres: &Postgres) -> anyhow::Result<()> {
        say(&format!(
            "\nenqueue: events of {} bytes for one handler, {} s",
            self.bytes, self.seconds
        ));
        let mut table = Table::of(&["way", "round", "events/s", "Postgres µs"]);
        let ways = self.ways();
        let mut rates = vec![Vec::new(); ways.len()];
        for round in 1..=self.rounds {
            for (way, rates) in ways.iter().zip(&mut rates) {
                let run = self.once(postgres, way).await?;
                let cells = [whole(run.rate), whole(run.postgres)];
                let name = [way.name.clone(), round.to_string()];
                table.row(name.into_iter().chain(cells));
                rates.push(run.rate);
            }
        }
        table.print();
        let single = median(&rates[0]);
        for (way, rates) in ways.iter().zip(&rates) {
            let rate = median(rates);
            say(&format!(
                "  {}: {} events/s (median), × {} of the first",
                way.name,
                whole(rate),
                fine(rate / single)
            ));
        }
        say("  aimed at: 5,000 one at a time, 25,000 in batches");
        Ok(())
    }

    fn ways(&self) -> [Way; 2] {
        let payload = format!(
            "{{\"order\": \"{}\"}}",
            "x".repeat(self.bytes.saturating_sub(13))
        );
        [
            Way {
                name: format!("one at a time, {} in flight", self.connections),
                connections: self.connections,
                events: 1,
                statement: format!("SELECT hookfast.enqueue('own', 'own.paid', '{payload}')"),
            },
            Way {
                name: format!("{} at once, 2 in flight", self.batch),
                connections: 2,
                events: i64::try_from(self.batch).unwrap_or(i64::MAX),
                statement: format!(
                    "SELECT count(*) FROM hookfast.enqueue_many('own', 'own.paid', array_fill('{payload}'::jsonb, '{{{}}}'))",
                    self.batch
                ),
            },
        ]
    }

    async fn once(&self, postgres: &Postgres, way: &Way) -> anyhow::Result<Run> {
        let database = postgres.fresh().await?;
        hookfast::internals::store::migrate(&database.url.parse()?).await?;
        database.connect().await?.execute(SETUP).await?;
        let mut connections = Vec::new();
        for _ in 0..way.connections {
            let mut connection = database.connect().await?;
            // A session plans what the function does once.
            call(&mut connection, &way.statement).await?;
            connections.push(connection);
        }
        let before = postgres.processor();
        let (begun, length) = (Instant::now(), Duration::from_secs(self.seconds));
        let mut clients = JoinSet::new();
        let warmed = way.connections as i64 * way.events;
        for connection in connections {
            clients.spawn(client(connection, way.statement.clone(), begun + length));
        }
        let mut calls = 0;
        while let Some(ended) = clients.join_next().await {
            calls += ended??;
        }
        let (took, used) = (begun.elapsed(), postgres.processor());
        let events = calls * way.events;
        verify(&database, warmed + events).await?;
        postgres.discard(database).await?;
        let cost = |used: Duration| used.as_secs_f64() * 1e6 / events as f64;
        Ok(Run {
            rate: events as f64 / took.as_secs_f64(),
            postgres: (used.zip(before)).map_or(f64::NAN, |(now, then)| cost(now - then)),
        })
    }
}

/// Enqueues until the end. Returns how many calls it has made.
async fn client(
    mut connection: PgConnection,
    statement: String,
    end: Instant,
) -> anyhow::Result<i64> {
    let mut calls = 0;
    while Instant::now() < end {
        call(&mut connection, &statement).await?;
        calls += 1;
    }
    Ok(calls)
}

async fn call(connection: &mut PgConnection, statement: &str) -> anyhow::Result<()> {
    let call = sqlx::query(AssertSqlSafe(statement));
    call.execute(connection).await?;
    Ok(())
}

/// Each event and its delivery are in the database.
async fn verify(database: &Database, events: i64) -> anyhow::Result<()> {
    let counts = "SELECT (SELECT count(*) FROM hookfast_data.events), (SELECT count(*) FROM hookfast_data.outbox)";
    let counts: (i64, i64) = sqlx::query_as(counts)
        .fetch_one(&mut database.connect().await?)
        .await?;
    ensure!(
        counts == (events, events),
        "{events} events were enqueued, and there are {counts:?} events and deliveries"
    );
    Ok(())
}
