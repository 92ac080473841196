//! Measures whether throughput is sustained: while an empty, never analysed database fills, and
//! while another connection holds a snapshot open.

use crate::{
    database::{Database, Postgres},
    figures::{Table, fine, median, say, whole},
    load,
    orders::Orders,
    server::Server,
    usage::Meter,
};
use clap::Parser;
use sqlx::{Connection, Executor, PgConnection};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

/// How long the remaining deliveries may take.
const DRAIN: Duration = Duration::from_secs(60);

#[derive(Parser)]
pub(crate) struct Fill {
    /// Seconds.
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    #[command(flatten)]
    load: Load,
}

#[derive(Parser)]
pub(crate) struct Snapshot {
    /// Seconds before the snapshot is taken; the first third is not counted.
    #[arg(long, default_value_t = 30)]
    before: u64,
    /// Seconds for which the snapshot is held.
    #[arg(long, default_value_t = 60)]
    held: u64,
    #[command(flatten)]
    load: Load,
}

#[derive(clap::Args)]
struct Load {
    /// Keep-alive connections, each with one request at a time.
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Attempts that run at the same time; the handler does nothing.
    #[arg(long, default_value_t = 256)]
    concurrency: usize,
    /// Seconds of each window.
    #[arg(long, default_value_t = 5)]
    window: u64,
}

/// Rates per second in one window of a few seconds.
struct Window {
    at: f64,
    acknowledged: f64,
    handled: f64,
    waiting: u64,
}

impl Default for Fill {
    fn default() -> Self {
        Self::parse_from(["fill"])
    }
}

impl Default for Snapshot {
    fn default() -> Self {
        Self::parse_from(["snapshot"])
    }
}

impl Fill {
    pub(crate) async fn run(&self, postgres: &Postgres) -> anyhow::Result<()> {
        say(&format!(
            "\nfill: ingest and a handler in Rust that does nothing, {} s from an empty database",
            self.seconds
        ));
        let windows = self.load.run(postgres, self.seconds, None).await?;
        let third = windows.len() / 3;
        let (first, last) = (&windows[..third], &windows[windows.len() - third..]);
        compare("last third to first", first, last);
        say("  aimed at: it does not fall");
        Ok(())
    }
}

impl Snapshot {
    pub(crate) async fn run(&self, postgres: &Postgres) -> anyhow::Result<()> {
        say(&format!(
            "\nsnapshot: the same, and after {} s a snapshot is held open for {} s",
            self.before, self.held
        ));
        let windows = self
            .load
            .run(postgres, self.before + self.held, Some(self.before))
            .await?;
        let taken = self.before as f64;
        let is_before = |window: &&Window| window.at > taken / 3.0 && window.at <= taken;
        let before: Vec<&Window> = windows.iter().filter(is_before).collect();
        let held: Vec<&Window> = windows.iter().filter(|window| window.at > taken).collect();
        compare("held to before", &before, &held);
        let late = &held[held.len() - held.len() / 3..];
        compare("last third of it to before", &before, late);
        say("  aimed at: within a fifth, that is 0.80 and more");
        Ok(())
    }
}

impl Load {
    async fn run(
        &self,
        postgres: &Postgres,
        seconds: u64,
        snapshot: Option<u64>,
    ) -> anyhow::Result<Vec<Window>> {
        let database = postgres.fresh().await?;
        let concurrency = self.concurrency.to_string();
        let server = Server::ourselves(
            &database.url,
            ["serve-embedded", "--concurrency", &concurrency],
        )
        .await?;
        let meter = Meter::start(&server, postgres)?;
        let (orders, acknowledged) = (Arc::new(Orders::new()), Arc::new(AtomicU64::new(0)));
        let (address, connections, count) =
            (server.address, self.connections, acknowledged.clone());
        let times = (Duration::ZERO, Duration::from_secs(seconds));
        let loading = tokio::spawn(async move {
            load::closed_loop(address, &orders, connections, times, &count).await
        });
        let windows = self
            .watch(&server, &acknowledged, &database, seconds, snapshot)
            .await?;
        let mut result = loading.await??;
        let (sent, drained) = drain(&server, &acknowledged).await?;
        let cost = meter.read(sent)?;

        let mut table = Table::of(&["until s", "acknowledged/s", "handled/s", "waiting"]);
        for window in &windows {
            let cells = [
                whole(window.acknowledged),
                whole(window.handled),
                window.waiting.to_string(),
            ];
            table.row([whole(window.at)].into_iter().chain(cells));
        }
        table.print();
        let (p50, p99) = (result.times.percentile(0.5), result.times.percentile(0.99));
        say(&format!(
            "  request to 200: p50 {} ms, p99 {} ms; other answers: {}",
            fine(p50),
            fine(p99),
            result.others()
        ));
        say(&format!("  acknowledged {sent}; {drained}\n  {cost}"));
        server.stop().await?;
        postgres.discard(database).await?;
        Ok(windows)
    }

    async fn watch(
        &self,
        server: &Server,
        acknowledged: &AtomicU64,
        database: &Database,
        seconds: u64,
        snapshot: Option<u64>,
    ) -> anyhow::Result<Vec<Window>> {
        let (start, mut holding) = (Instant::now(), None);
        let (mut last_at, mut last, mut windows) = (0.0, (0, 0), Vec::new());
        for window in 1..=seconds.div_ceil(self.window) {
            if snapshot.is_some_and(|at| at <= (window - 1) * self.window) && holding.is_none() {
                holding = Some(hold(database).await?);
            }
            let end = start + Duration::from_secs((window * self.window).min(seconds));
            tokio::time::sleep_until(end.into()).await;
            let now = (
                acknowledged.load(Ordering::Relaxed),
                server.delivered().await?,
            );
            let at = start.elapsed().as_secs_f64();
            let rate = |now: u64, then: u64| now.saturating_sub(then) as f64 / (at - last_at);
            let (acknowledged, handled) = (rate(now.0, last.0), rate(now.1, last.1));
            windows.push(Window {
                at,
                acknowledged,
                handled,
                waiting: now.0.saturating_sub(now.1),
            });
            (last_at, last) = (at, now);
        }
        if let Some(holding) = holding {
            holding.close().await?;
        }
        Ok(windows)
    }
}

/// A transaction that keeps its present snapshot open.
async fn hold(database: &Database) -> anyhow::Result<PgConnection> {
    let mut connection = database.connect().await?;
    connection
        .execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        .await?;
    connection
        .execute("SELECT count(*) FROM hookfast_data.handlers")
        .await?;
    Ok(connection)
}

/// Waits for deliveries that were acknowledged and are not handled yet. Returns how many were
/// acknowledged, and the result as text.
async fn drain(server: &Server, acknowledged: &AtomicU64) -> anyhow::Result<(u64, String)> {
    let begun = Instant::now();
    let sent = acknowledged.load(Ordering::Relaxed);
    let left = sent.saturating_sub(server.delivered().await?);
    loop {
        let handled = server.delivered().await?;
        let took = begun.elapsed();
        if handled >= sent {
            let rate = whole(left as f64 / took.as_secs_f64());
            return Ok((
                sent,
                format!("the {left} that were left were handled in {took:.1?}, {rate}/s"),
            ));
        }
        if took > DRAIN {
            return Ok((
                sent,
                format!("{} were still not handled after {DRAIN:?}", sent - handled),
            ));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn compare<W: std::borrow::Borrow<Window>>(name: &str, before: &[W], after: &[W]) {
    let of = |windows: &[W], figure: fn(&Window) -> f64| {
        median(
            &windows
                .iter()
                .map(|window| figure(window.borrow()))
                .collect::<Vec<_>>(),
        )
    };
    let ratio = |figure| fine(of(after, figure) / of(before, figure));
    let (acknowledged, handled) = (
        ratio(|window| window.acknowledged),
        ratio(|window| window.handled),
    );
    say(&format!(
        "  {name} (medians of windows): acknowledged × {acknowledged}, handled × {handled}"
    ));
}
