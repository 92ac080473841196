//! The guarantees, against real processes that are signalled, stopped and killed.

mod canary;
mod connections;
mod dev;
mod dev_folder;
mod frozen;
mod gate;
mod killed;
mod outage;
mod read_only;
mod replay;
mod reverified;
mod shutdown;
mod start;
mod stopped;
mod unsettled;

use crate::support::wait_until_within;
use sqlx::PgPool;
use std::time::Duration;

/// Long enough for a lease to expire, for a worker to be old enough to judge leases, and for a
/// loaded machine.
const TAKEN_OVER: Duration = Duration::from_secs(90);

/// One number from the database.
async fn count(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query)
        .fetch_one(pool)
        .await
        .expect("a number")
}

/// Waits until nothing is pending any more.
async fn all_settled(pool: &PgPool) {
    wait_until_within(TAKEN_OVER, "an empty outbox", async || {
        count(pool, "SELECT count(*) FROM hookfast_data.outbox").await == 0
    })
    .await;
}

/// Asserts that each order is one event, and each event has one delivery that was delivered once.
async fn each_delivered_once(pool: &PgPool, orders: i64) {
    assert_eq!(
        count(
            pool,
            "SELECT count(*) FROM hookfast.events WHERE origin = 'webhook'"
        )
        .await,
        orders
    );
    assert_eq!(
        count(pool, "SELECT count(*) FROM hookfast.dead_letters").await,
        0
    );
    assert_eq!(
        count(
            pool,
            "SELECT count(*) FROM hookfast.attempts WHERE outcome = 'delivered'"
        )
        .await,
        orders
    );
    assert_eq!(
        count(
            pool,
            "SELECT count(DISTINCT event_id) FROM hookfast.attempts WHERE outcome = 'delivered'"
        )
        .await,
        orders
    );
}
