//! A stopping worker that knows it holds nothing does not search for deliveries, whatever the
//! backlog.

use super::{Running, source, subscription};
use crate::support::postgres::{Database, database};
use hookfast::internals::domain::OnInvalidSignature::Reject;
use hookfast::internals::domain::{Delivery, Outcome};
use std::{sync::Arc, time::Duration};
use tokio::sync::Semaphore;

/// How often the table was searched for deliveries of a lease. Sessions report that at their end.
const SEARCHES: &str =
    "SELECT coalesce(pg_stat_get_function_calls('hookfast_data.leased_deliveries'::regproc), 0)";

/// The test's session reports at once, and those of the application have ended.
async fn searches(database: &Database) -> i64 {
    let pool = database.pool().await;
    crate::support::wait_until("the sessions to end", async || {
        let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name LIKE 'hookfast%'";
        sqlx::query_scalar::<_, i64>(others).fetch_one(&pool).await.expect("a number") == 0
    })
    .await;
    sqlx::query_scalar(SEARCHES)
        .fetch_one(&pool)
        .await
        .expect("a number")
}

/// Functions that are not inlined are counted from now on.
async fn count_calls(database: &Database) {
    let count = "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET track_functions = ''all''', current_database()); END $$";
    sqlx::raw_sql(count)
        .execute(&mut database.connect().await)
        .await
        .expect("counted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_without_deliveries_does_not_search_the_backlog_at_its_end() {
    let database = database().await;
    count_calls(&database).await;
    let running = Running::start(&database, |builder| {
        builder
            .source(source(Reject))
            .handler(subscription("good"), |_: Delivery| async {
                Outcome::Delivered
            })
    })
    .await;
    // The webhook of the start.
    running
        .until(
            "SELECT count(*) FROM hookfast.attempts WHERE outcome = 'delivered'",
            1,
        )
        .await;
    running
        .until("SELECT count(*) FROM hookfast_data.leases", 1)
        .await;
    running.end().await;
    assert_eq!(searches(&database).await, 0);
    let leases = "SELECT count(*) FROM hookfast_data.leases";
    let leases: i64 = sqlx::query_scalar(leases)
        .fetch_one(&database.pool().await)
        .await
        .expect("a number");
    assert_eq!(leases, 0, "the lease is released all the same");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_attempts_outlast_the_shutdown_timeout_releases_them() {
    let database = database().await;
    count_calls(&database).await;
    let entered = Arc::new(Semaphore::new(0));
    let running = Running::start(&database, |builder| {
        let entered = entered.clone();
        builder
            .shutdown_timeout(Duration::from_millis(100))
            .source(source(Reject))
            .handler(subscription("hangs"), move |_: Delivery| {
                let entered = entered.clone();
                async move {
                    entered.add_permits(1);
                    std::future::pending::<Outcome>().await
                }
            })
    })
    .await;
    entered.acquire().await.expect("open").forget();
    running.end().await;
    assert!(searches(&database).await > 0);
    let held = "SELECT (SELECT count(*) FROM hookfast_data.leases), \
        (SELECT count(*) FROM hookfast_data.outbox WHERE lease_id IS NULL), \
        (SELECT count(*) FROM hookfast_data.outbox WHERE lease_id IS NOT NULL)";
    let counts: (i64, i64, i64) = sqlx::query_as(held)
        .fetch_one(&database.pool().await)
        .await
        .expect("numbers");
    assert_eq!(
        (counts.0, counts.2),
        (0, 0),
        "free at once, not only when the lease ends"
    );
    assert!(counts.1 > 0);
}
