//! Completed and failed deliveries, retries, and durations.

use super::{claim, complete, running};
use crate::{
    app::{Running, source, subscription},
    support::{postgres::database, wait_until},
};
use hookfast::internals::domain::OnInvalidSignature::Reject;
use hookfast::internals::domain::RetryPolicy;
use sqlx::Row;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_completed_delivery_commits_with_its_work_and_once() {
    let database = database().await;
    let running = running(&database, 5).await;
    running
        .execute("CREATE TABLE ledger (delivery_id bigint)")
        .await;
    let claimed = claim(&running.pool, 3).await;
    assert_eq!((claimed.len(), claimed.iter().all(|c| c.2 == 1)), (3, true));
    assert_eq!(
        claim(&running.pool, 10).await.len(),
        2,
        "a held delivery is not claimed again"
    );
    let row = sqlx::query("SELECT source, type, origin, payload->>'request_id' AS request, headers->>'host' AS host, body = convert_to(payload::text, 'UTF8') IS NOT NULL AS body FROM hookfast.events WHERE type LIKE 'airalo.order%' LIMIT 1").fetch_one(&running.pool).await.expect("a row");
    assert_eq!(row.get::<String, _>("source"), "airalo");
    // Rolled back: neither the work nor the completion is stored.
    let mut transaction = running.pool.begin().await.expect("a transaction");
    sqlx::query("INSERT INTO ledger VALUES ($1)")
        .bind(claimed[0].1)
        .execute(&mut *transaction)
        .await
        .expect("work");
    complete(&mut *transaction, claimed[0]).await.expect("held");
    transaction.rollback().await.expect("rolled back");
    for claim in &claimed {
        let mut transaction = running.pool.begin().await.expect("a transaction");
        sqlx::query("INSERT INTO ledger VALUES ($1)")
            .bind(claim.1)
            .execute(&mut *transaction)
            .await
            .expect("work");
        complete(&mut *transaction, *claim).await.expect("held");
        transaction.commit().await.expect("committed");
    }
    assert_eq!(
        complete(&running.pool, claimed[0]).await,
        Err("HF002".into()),
        "completed twice"
    );
    assert_eq!(running.count("SELECT count(*) FROM ledger").await, 3);
    assert_eq!(
        running.count("SELECT count(*) FROM hookfast.attempts WHERE outcome = 'delivered' AND duration_ms >= 0").await,
        3
    );
    running.end().await;
}

/// From the claim to the end, as for attempts in a process.
#[tokio::test(flavor = "multi_thread")]
async fn durations_of_clients_are_in_the_health_of_their_handler() {
    let database = database().await;
    let running = running(&database, 2).await;
    let claimed = claim(&running.pool, 2).await;
    running
        .execute(
            "UPDATE hookfast_data.leases SET registered_at = registered_at - interval '3 seconds' WHERE kind = 'pull'",
        )
        .await;
    complete(&running.pool, claimed[0]).await.expect("held");
    let failing = sqlx::query("SELECT hookfast.fail($1, $2, 'oh')")
        .bind(claimed[1].0)
        .bind(claimed[1].1);
    failing.execute(&running.pool).await.expect("held");
    running
        .execute("SELECT hookfast_data.roll_up_counts()")
        .await;
    let health = "SELECT count(*) FROM hookfast.handler_health h JOIN hookfast.durations d USING (handler) \
        WHERE h.handler = 'shop' AND h.median_ms = 5000 AND h.p95_ms = 5000 AND d.attempts_last_5_minutes = 2";
    wait_until("the durations", async || running.count(health).await == 1).await;
    running.end().await;
}

/// The process and the functions of clients use the same counters.
#[tokio::test]
async fn durations_are_counted_by_the_same_bounds_in_sql_as_in_a_process() {
    let database = database().await;
    let pool = database.pool().await;
    let metrics = hookfast::internals::telemetry::metrics::Metrics::default();
    for bound in (0..10).flat_map(|power| [1u64, 2, 5].map(|n| n * 10u64.pow(power))) {
        for millis in [bound - 1, bound, bound + 1] {
            metrics.attempt_took("shop", Duration::from_millis(millis));
            let counter = sqlx::query_scalar("SELECT hookfast_data.duration_counter($1::bigint)");
            let counter: String = counter
                .bind(i64::try_from(millis).expect("small"))
                .fetch_one(&pool)
                .await
                .expect("a counter");
            assert_eq!(metrics.take_pending()[0].1, counter, "{millis}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_delivery_is_retried_up_to_its_maximum_of_attempts() {
    let database = database().await;
    let running = running(&database, 2).await;
    let refused = claim(&running.pool, 1).await[0];
    let fail = "SELECT hookfast.fail($1, $2, $3, dead => $4)";
    let fail = |claim: (i64, i64, i32), error: &'static str, dead: bool| {
        sqlx::query(fail)
            .bind(claim.0)
            .bind(claim.1)
            .bind(error)
            .bind(dead)
            .execute(&running.pool)
    };
    fail(refused, "never", true).await.expect("held");
    for attempt in 1..=4 {
        let mut claimed = Vec::new();
        wait_until("the next try", async || {
            claimed = claim(&running.pool, 10).await;
            !claimed.is_empty()
        })
        .await;
        assert_eq!((claimed.len(), claimed[0].2), (1, attempt));
        fail(claimed[0], "the shop is closed", false)
            .await
            .expect("held");
    }
    let dead = "SELECT string_agg(reason || ':' || last_error || ':' || attempts, ' ' ORDER BY reason) FROM hookfast.dead_letters";
    assert_eq!(
        running.text(dead).await,
        "attempts_exhausted:the shop is closed:4 rejected:never:1"
    );
    let waited = "SELECT hookfast_data.retry_delay('{\"delays_ms\": [1000, 60000]}', 7) BETWEEN interval '60 s' AND interval '72 s' \
        AND hookfast_data.retry_delay('{\"delays_ms\": []}', 1) = interval '0' \
        AND hookfast_data.retry_delay('{\"base_ms\": 1000, \"max_ms\": 4000, \"max_attempts\": 9}', 500) <= interval '4 s'";
    assert!(
        sqlx::query_scalar::<_, bool>(waited)
            .fetch_one(&running.pool)
            .await
            .expect("an answer")
    );
    running.end().await;
}

/// As the configuration writes it: a client whose shop is unavailable for minutes must not use up
/// all attempts within seconds.
#[tokio::test(flavor = "multi_thread")]
async fn an_exponential_delay_grows_with_each_failure() {
    let database = database().await;
    let (base, max) = (Duration::from_secs(10), Duration::from_secs(3600));
    let running = Running::start(&database, |builder| {
        let mut shop = subscription("shop");
        shop.policy.retry = RetryPolicy::Exponential {
            base,
            max,
            max_attempts: 10,
        };
        builder.source(source(Reject)).pull_handler(shop)
    })
    .await;
    let mut longest = 0.0_f64;
    for failure in 1..=9 {
        running
            .execute("UPDATE hookfast_data.outbox SET due_at = clock_timestamp()")
            .await;
        let mut claimed = Vec::new();
        wait_until("a claim", async || {
            claimed = claim(&running.pool, 1).await;
            !claimed.is_empty()
        })
        .await;
        let failed = sqlx::query("SELECT hookfast.fail($1, $2, 'away')")
            .bind(claimed[0].0)
            .bind(claimed[0].1);
        failed.execute(&running.pool).await.expect("held");
        let delay = "SELECT extract(epoch FROM due_at - clock_timestamp())::float8 FROM hookfast_data.outbox";
        let delay: f64 = sqlx::query_scalar(delay)
            .fetch_one(&running.pool)
            .await
            .expect("pending");
        assert!(
            delay <= 10.0 * 2.0_f64.powi(failure - 1),
            "{delay} s after failure {failure}"
        );
        longest = longest.max(delay);
    }
    // Each delay is random between zero and its bound. It is very improbable that the last five are
    // all this short.
    assert!(longest > 10.0, "{longest} s");
    running.end().await;
}
