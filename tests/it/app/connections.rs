//! A transactional handler has its own connections, and an attempt that got no connection does not
//! count.

use super::{Running, subscription};
use crate::support::postgres::{Database, database};
use hookfast::internals::domain::{Delivery, Outcome};
use hookfast::internals::handlers::Handler;
use sqlx::Connection;

/// `shop.slow` waits as long as the test holds the lock; `shop.quick` does nothing.
const SHOP: &str = "
    CREATE SCHEMA shop;
    CREATE FUNCTION shop.slow(event hookfast.event) RETURNS void LANGUAGE sql AS 'SELECT pg_advisory_xact_lock(1)';
    CREATE FUNCTION shop.quick(event hookfast.event) RETURNS void LANGUAGE sql AS ''";

/// A handler outside the settling transaction.
struct Plain;

impl Handler for Plain {
    async fn handle(&self, _: &Delivery) -> Outcome {
        Outcome::Delivered
    }
}

async fn enqueue(running: &Running, source: &str, events: u32) {
    running
        // As an application that writes with the default of the database.
        .execute(&format!(
            "BEGIN READ WRITE; \
             SELECT hookfast.enqueue('{source}', 'x.y', '{{}}') FROM generate_series(1, {events}); COMMIT"
        ))
        .await;
}

/// Each handler gets the events of the source of the same name.
fn from(source: &str) -> hookfast::internals::app::Subscription {
    let mut subscription = subscription(source);
    subscription.sources = Some(vec![source.parse().expect("a name")]);
    subscription
}

async fn shop(database: &Database) -> Running {
    sqlx::raw_sql(SHOP)
        .execute(&mut database.connect().await)
        .await
        .expect("a shop");
    Running::start(database, |builder| {
        ["slow", "quick", "plain"]
            .iter()
            .fold(builder, |builder, source| {
                builder.sql_source(source.parse().expect("a name"))
            })
            .source(super::source(
                hookfast::internals::domain::OnInvalidSignature::Reject,
            ))
            .sql_handler(from("slow"), "shop.slow")
            .sql_handler(from("quick"), "shop.quick")
            .handler(from("plain"), Plain)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_handler_costs_others_no_connection_and_no_attempt() {
    let database = database().await;
    let running = shop(&database).await;
    let mut blocker = database.connect().await;
    sqlx::raw_sql("SELECT pg_advisory_lock(1)")
        .execute(&mut blocker)
        .await
        .expect("the lock");
    enqueue(&running, "slow", 32).await;
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted \
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    running.until(waiting, 4).await;
    enqueue(&running, "quick", 5).await;
    running.until("SELECT count(*) FROM hookfast.attempts WHERE handler = 'quick' AND outcome = 'delivered'", 5).await;
    assert_eq!(
        running.count(waiting).await,
        4,
        "no more than it has connections"
    );
    blocker.close().await.expect("the lock is free");
    running
        .until("SELECT count(*) FROM hookfast_data.outbox", 0)
        .await;
    assert_eq!(
        running
            .text("SELECT string_agg(DISTINCT outcome, ',') FROM hookfast.attempts")
            .await,
        "delivered"
    );
    running.end().await;
}

async fn alter_database(running: &Running, setting: &str) {
    let alter = format!("EXECUTE format('ALTER DATABASE %I {setting}', current_database())");
    // The test's own pool may open a connection at any time, which then is read-only too.
    running
        .execute(&format!(
            "BEGIN READ WRITE; DO $$ BEGIN {alter}; END $$; COMMIT"
        ))
        .await;
}

/// Claims and settlements continue: both settlers were connected before.
async fn new_connections_only_read(running: &Running) {
    crate::support::wait_until("both settlers", async || {
        enqueue(running, "plain", 20).await;
        let settlers = "SELECT count(*) FROM pg_stat_activity \
            WHERE datname = current_database() AND application_name = 'hookfast settle'";
        running.count(settlers).await == 2
    })
    .await;
    running
        .until("SELECT count(*) FROM hookfast_data.outbox", 0)
        .await;
    alter_database(running, "SET default_transaction_read_only = on").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_whose_transaction_could_not_begin_costs_no_attempt() {
    let database = database().await;
    let running = shop(&database).await;
    new_connections_only_read(&running).await;
    enqueue(&running, "quick", 3).await;
    // With three retries each delivery would be dead by now if these counted as attempts.
    running
        .until(
            "SELECT count(*) FROM hookfast_data.outbox WHERE attempt_number > 4",
            3,
        )
        .await;
    alter_database(&running, "RESET default_transaction_read_only").await;
    running
        .until("SELECT count(*) FROM hookfast_data.outbox", 0)
        .await;
    let outcomes = "SELECT string_agg(outcome, ',') FROM hookfast.attempts WHERE handler = 'quick'";
    assert_eq!(
        running.text(outcomes).await,
        "delivered,delivered,delivered"
    );
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_whose_transactions_cannot_begin_is_not_claimed_over_and_over() {
    let database = database().await;
    let running = shop(&database).await;
    new_connections_only_read(&running).await;
    enqueue(&running, "quick", 300).await;
    let claims = "SELECT sum(attempt_number)::bigint FROM hookfast_data.outbox";
    crate::support::wait_until("claims", async || running.count(claims).await > 0).await;
    let started = std::time::Instant::now();
    // A fixed time, since the count per time is measured.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    // Each of its four connections starts one delivery per second, and as many deliveries wait
    // behind them.
    let claims = running.count(claims).await;
    let took = started.elapsed();
    assert!(
        claims <= 20 + 5 * i64::try_from(took.as_secs()).expect("short"),
        "{claims} claims in {took:?}"
    );
    alter_database(&running, "RESET default_transaction_read_only").await;
    running
        .until("SELECT count(*) FROM hookfast_data.outbox", 0)
        .await;
    running.end().await;
}
