//! Random faults under load, and an account of every webhook: `scripts/torture`. See
//! docs/ARCHITECTURE.md.

#![allow(clippy::print_stdout, reason = "the report is for people")]

mod evidence;
mod exchange;
mod faults;
mod fleet;
mod oracle;
mod plan;
mod pull_client;
mod receiver;
mod report;
mod self_check;
mod sender;
#[path = "../it/support/mod.rs"]
mod support;

use clap::Parser;
use evidence::Evidence;
use faults::Victims;
use fleet::Fleet;
use pull_client::PullClients;
use receiver::Receiver;
use sender::Sender;
use sqlx::{Connection, PgConnection};
use std::{
    path::Path,
    process::ExitCode,
    time::{Duration, SystemTime},
};
use support::{postgres::durable_cluster, tcp_proxy::TcpProxy};
use tokio::time::Instant;

/// How long the senders may take for the orders that are under way when the faults end.
const LAST_ANSWERS: Duration = Duration::from_secs(60);

/// How long no delivery may end while some are pending: leases expire, and a new worker has to be
/// older than one lease before it judges others. The whole backlog of a long run takes longer.
const STUCK: Duration = Duration::from_secs(90);

/// Kills, stops and cuts off processes of Hookfast and Postgres at random while webhooks are sent,
/// and then accounts for every webhook. Exits with 0 if none was lost, stored twice, booked twice
/// or left behind.
#[derive(Parser)]
#[command(name = "torture", max_term_width = 110)]
struct Arguments {
    /// How long webhooks are sent and faults happen. From 25 on, workers are also stopped past
    /// their leases.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: u64,
    /// The same seed gives the same sequence of faults. Left out, it is drawn and printed.
    #[arg(long)]
    seed: Option<u64>,
    /// Prints the sequence of faults and does nothing.
    #[arg(long)]
    plan: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let (seed, length) = (
        arguments.seed.unwrap_or_else(rand::random),
        Duration::from_secs(arguments.seconds),
    );
    let plan = plan::plan(seed, length);
    if arguments.plan {
        plan.iter().for_each(|planned| println!("{planned}"));
        return ExitCode::SUCCESS;
    }
    let now = httpdate::fmt_http_date(SystemTime::now());
    println!("--seconds {} --seed {seed}, begun {now}", arguments.seconds);
    if run(seed, length, &plan).await {
        println!(
            "\nEvery webhook is accounted for, and the oracle reported all falsified evidence (seed {seed})."
        );
        ExitCode::SUCCESS
    } else {
        println!(
            "\nFAILED with --seconds {} --seed {seed}",
            arguments.seconds
        );
        ExitCode::FAILURE
    }
}

/// Whether everything is in order.
async fn run(seed: u64, length: Duration, plan: &[plan::Planned]) -> bool {
    let (cluster, receiver) = (durable_cluster().await, Receiver::start().await);
    let mut database = PgConnection::connect(&cluster.url())
        .await
        .expect("a connection");
    sqlx::raw_sql(evidence::LEDGER)
        .execute(&mut database)
        .await
        .expect("the ledger");
    drop(database);
    let line = TcpProxy::start(&cluster.url()).await;
    let fleet = Fleet::start(line.url(), &config(&receiver)).await;
    let clients = PullClients::start(line.url());
    let sender = Sender::start(seed, fleet.addresses());
    let mut victims = Victims {
        cluster,
        line,
        fleet,
    };
    victims.suffer(plan, length).await;

    println!(
        "{:7.2} s  no more faults; waiting for pending deliveries",
        length.as_secs_f64()
    );
    let sent = sender.finish(LAST_ANSWERS).await;
    victims.fleet.ready().await;
    let mut database = PgConnection::connect(&victims.cluster.url())
        .await
        .expect("a connection");
    wait_for_deliveries(&mut database).await;
    clients.stop().await;
    let mut faulty = victims.fleet.stop().await;
    let received = receiver.counts();
    let evidence = Evidence::collect(&mut database, &sent, &received)
        .await
        .expect("the tables");
    let failures = oracle::judge(&evidence);
    report::print_counts(&evidence, plan, &failures);
    if failures.is_empty() {
        faulty.extend(
            self_check::check_oracle(&mut database, &sent, &received)
                .await
                .expect("the tables"),
        );
    }
    report::print_failures(&failures);
    faulty.iter().for_each(|text| println!("{text}"));
    let is_in_order = failures.is_empty() && faulty.is_empty();
    if !is_in_order {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("torture-{seed}"));
        std::fs::create_dir_all(&folder).expect("a folder");
        victims.fleet.write_logs(&folder).expect("the logs");
        report::write_evidence(&folder, &evidence, &failures).expect("the evidence");
        let history = evidence::history(&mut database)
            .await
            .expect("the attempts");
        std::fs::write(folder.join("attempts.log"), history.join("\n")).expect("the attempts");
        println!(
            "\nThe logs of every process and of the sender, and every attempt, are in {}",
            folder.display()
        );
    }
    is_in_order
}

/// One handler for each way to deliver: by http, in the settling transaction, the same in order,
/// and pulled in order. They retry soon and often: with these faults no attempt may use up a
/// delivery.
fn config(receiver: &Receiver) -> String {
    let (address, retry) = (
        receiver.address,
        "retry = { exponential = { base = '1s', max = '5s', max_attempts = 20 } }",
    );
    // A frozen connection is abandoned at the handler's time limit.
    let limits = format!("timeout = '5s'\n{retry}");
    format!(
        "[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\n\
         [handlers.receiver]\nkind = 'http'\ntypes = ['*']\nurl = 'http://{address}/'\n\
         secrets = ['env:HANDLER_SECRET']\nallow_private = true\n{retry}\n\
         [handlers.ledger]\nkind = 'sql'\ntypes = ['*']\nfunction = 'torture.book'\n{limits}\n\
         [handlers.ordered]\nkind = 'sql'\ntypes = ['*']\nfunction = 'torture.book_in_order'\n\
         ordered_by = '/customer'\nconnections = 8\n{limits}\n\
         [handlers.pulled]\nkind = 'pull'\ntypes = ['*']\nordered_by = '/customer'\n{retry}\n"
    )
}

/// Waits until nothing is pending, as long as deliveries end; the oracle reports what still is.
async fn wait_for_deliveries(database: &mut PgConnection) {
    let (mut fewest, mut progressed) = (i64::MAX, Instant::now());
    while progressed.elapsed() < STUCK {
        let pending = sqlx::query_scalar("SELECT count(*) FROM hookfast_data.outbox")
            .fetch_one(&mut *database)
            .await;
        match pending.expect("an answer") {
            0 => break,
            pending if pending < fewest => (fewest, progressed) = (pending, Instant::now()),
            _ => {}
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}
