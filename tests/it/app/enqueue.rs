//! An event that an application enqueues in its own transaction exists after the commit, and never
//! after a rollback.

use super::{Running, subscription};
use crate::support::postgres::database;
use hookfast::internals::domain::{Delivery, Outcome};
use std::time::{Duration, Instant};
use uuid::Uuid;

const ENQUEUE: &str = "SELECT hookfast.enqueue('orders', 'shop.order.paid', $1::jsonb, $2)";

async fn good(_: Delivery) -> Outcome {
    Outcome::Delivered
}

async fn running(database: &crate::support::postgres::Database) -> Running {
    Running::start(database, |builder| {
        builder
            .source(super::source(
                hookfast::internals::domain::OnInvalidSignature::Reject,
            ))
            .sql_source("orders".parse().expect("a name"))
            .handler(subscription("all"), good)
    })
    .await
}

async fn enqueue(
    to: impl sqlx::PgExecutor<'_>,
    payload: &str,
    key: Option<&str>,
) -> Result<Uuid, sqlx::Error> {
    sqlx::query_scalar(ENQUEUE)
        .bind(payload)
        .bind(key)
        .fetch_one(to)
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_committed_transaction_enqueues_its_events() {
    let database = database().await;
    let running = running(&database).await;
    let mut rolled_back = running.pool.begin().await.expect("a transaction");
    for i in 0..100 {
        enqueue(&mut *rolled_back, r#"{"n":1}"#, Some(&format!("order-{i}")))
            .await
            .expect("enqueued");
    }
    rolled_back.rollback().await.expect("rolled back");
    for table in ["events", "idempotency_keys"] {
        let left = format!(
            "SELECT count(*) FROM hookfast_data.{table} WHERE source_id = (SELECT id FROM hookfast_data.sources WHERE name = 'orders')"
        );
        let left: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(left))
            .fetch_one(&running.pool)
            .await
            .expect("a number");
        assert_eq!(left, 0, "{table}");
    }
    let mut committed = running.pool.begin().await.expect("a transaction");
    let id = enqueue(&mut *committed, r#"{"n": 1}"#, Some("order-1"))
        .await
        .expect("a new one");
    assert_eq!(
        enqueue(&mut *committed, r#"{"n":1}"#, Some("order-1"))
            .await
            .expect("a repeat"),
        id
    );
    let other = enqueue(&mut *committed, r#"{"n":2}"#, Some("order-1"))
        .await
        .expect("a conflict");
    assert_ne!(other, id);
    assert_eq!(
        enqueue(&mut *committed, r#"{"n":2}"#, Some("order-1"))
            .await
            .expect("the conflict again"),
        other
    );
    let without_key = [
        enqueue(&mut *committed, "3", None)
            .await
            .expect("a new one"),
        enqueue(&mut *committed, "3", None).await.expect("another"),
    ];
    assert_ne!(without_key[0], without_key[1]);
    committed.commit().await.expect("committed");
    running.until("SELECT count(*) FROM hookfast.deliveries d JOIN hookfast.events e USING (event_id) WHERE e.source = 'orders' AND state = 'delivered'", 4).await;
    let seen = "SELECT string_agg(type || ':' || origin || ':' || payload::text, ' ' ORDER BY type, payload::text) FROM hookfast.events WHERE source = 'orders'";
    assert_eq!(
        running.text(seen).await,
        r#"shop.order.paid:enqueue:3 shop.order.paid:enqueue:3 shop.order.paid:enqueue:{"n": 1} shop.order.paid.conflict:enqueue:{"n": 2}"#
    );
    running.end().await;
}

/// Its due time is earlier than the range that claims read by then. The notification at its commit
/// reports that.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_commits_late_is_found_at_once() {
    let database = database().await;
    let running = running(&database).await;
    let mut late = running.pool.begin().await.expect("a transaction");
    enqueue(&mut *late, "1", Some("late"))
        .await
        .expect("enqueued");
    // As if the transaction had begun an hour ago.
    sqlx::query("UPDATE hookfast_data.outbox SET due_at = due_at - interval '1 hour' WHERE due_at IS NOT NULL")
        .execute(&mut *late)
        .await
        .expect("older");
    sqlx::query("SELECT pg_notify('hookfast_wake', floor(extract(epoch FROM now() - interval '1 hour') * 1000000)::bigint::text)")
        .execute(&mut *late)
        .await
        .expect("as enqueue does");
    enqueue(&running.pool, "2", Some("meanwhile"))
        .await
        .expect("enqueued");
    let delivered = "SELECT count(*) FROM hookfast.deliveries d JOIN hookfast.events e USING (event_id) WHERE source = 'orders' AND state = 'delivered'";
    running.until(delivered, 1).await;
    let committed = Instant::now();
    late.commit().await.expect("committed");
    running.until(delivered, 2).await;
    // A scan without watermarks runs only once a minute.
    assert!(
        committed.elapsed() < Duration::from_secs(15),
        "{:?}",
        committed.elapsed()
    );
    running.end().await;
}

/// A claim of many deliveries must not fail because of one that it would claim each time.
#[tokio::test(flavor = "multi_thread")]
async fn headers_that_cannot_be_read_cost_no_delivery_anything() {
    let database = database().await;
    let running = running(&database).await;
    for headers in [
        "(repeat('[', 200) || repeat(']', 200))::jsonb",
        "'{\"a\": 1e400}'",
        "'null'",
        "'7'",
    ] {
        running
            .execute(&format!(
                "SELECT hookfast.enqueue('orders', 'shop.order.paid', '1', headers => {headers})"
            ))
            .await;
    }
    enqueue(&running.pool, "1", None).await.expect("enqueued");
    running.until("SELECT count(*) FROM hookfast.deliveries d JOIN hookfast.events e USING (event_id) WHERE e.source = 'orders' AND state = 'delivered'", 5).await;
    let role = running
        .text("SELECT value FROM hookfast_data.settings WHERE name = 'reader_role'")
        .await;
    let read = format!(
        "BEGIN; SET LOCAL ROLE {role}; SELECT headers, payload FROM hookfast.events; ROLLBACK"
    );
    running.execute(&read).await;
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_enqueue_has_a_reason() {
    let database = database().await;
    let running = running(&database).await;
    for (statement, code, expected) in [
        (
            "SELECT hookfast.enqueue('airalo', 'a', '1')",
            "HF004",
            "no source of kind sql is named airalo",
        ),
        (
            "SELECT hookfast.enqueue('nobody', 'a', '1')",
            "HF004",
            "nothing was enqueued",
        ),
        (
            "SELECT hookfast.enqueue('orders', 'Not A Type', '1')",
            "22023",
            "invalid type 'Not A Type'",
        ),
        (
            "SELECT hookfast.enqueue('orders', NULL, '1')",
            "22023",
            "invalid type null",
        ),
        (
            "SELECT hookfast.enqueue('orders', 'hookfast.dead_letter', '1')",
            "22023",
            "are reserved for Hookfast",
        ),
        (
            "SELECT hookfast.enqueue('orders', 'airalo.order.completed', '1')",
            "22023",
            "are reserved for Hookfast",
        ),
        (
            "SELECT hookfast.enqueue('orders', 'a', NULL)",
            "22004",
            "the payload is null",
        ),
    ] {
        let error = sqlx::query(statement)
            .execute(&running.pool)
            .await
            .expect_err(statement);
        let error = error.into_database_error().expect("the server's");
        assert_eq!(error.code().as_deref(), Some(code), "{statement}");
        assert!(error.message().contains(expected), "{error}");
    }
    let long = "k".repeat(5000);
    for key in ["", "a#conflict:b", &long] {
        enqueue(&running.pool, "1", Some(key))
            .await
            .expect("any key");
    }
    let hashed = "SELECT count(*) FROM hookfast.events WHERE source = 'orders' AND idempotency_key ~ '^sha256:[0-9a-f]{64}$'";
    assert_eq!(running.count(hashed).await, 3);
    running.end().await;
}
