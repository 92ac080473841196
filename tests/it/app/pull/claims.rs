//! Claims, and the errors of clients.

use super::{claim, code, complete, running};
use crate::{
    app::{Running, source, subscription},
    support::{airalo::order, postgres::database},
};
use hookfast::internals::domain::OnInvalidSignature::Reject;
use sqlx::Row;

#[tokio::test(flavor = "multi_thread")]
async fn each_mistake_of_a_client_gets_an_error_with_a_hint() {
    let database = database().await;
    let running = running(&database, 1).await;
    let mut transaction = running.pool.begin().await.expect("a transaction");
    let row = sqlx::query("SELECT * FROM hookfast.claim('shop', 'a test')")
        .fetch_one(&mut *transaction)
        .await
        .expect("claimed");
    let claimed = (
        row.get("lease_id"),
        row.get("delivery_id"),
        row.get("attempt_number"),
    );
    assert_eq!(
        complete(&mut *transaction, claimed).await,
        Err("HF003".into()),
        "a crash would not count"
    );
    transaction.rollback().await.expect("rolled back");
    // The same if the claim was behind a savepoint.
    let mut transaction = running.pool.begin().await.expect("a transaction");
    sqlx::raw_sql("SAVEPOINT before")
        .execute(&mut *transaction)
        .await
        .expect("a savepoint");
    let row = sqlx::query("SELECT * FROM hookfast.claim('shop', 'a test')")
        .fetch_one(&mut *transaction)
        .await;
    let row = row.expect("claimed");
    sqlx::raw_sql("RELEASE before")
        .execute(&mut *transaction)
        .await
        .expect("released");
    let claimed = (
        row.get("lease_id"),
        row.get("delivery_id"),
        row.get("attempt_number"),
    );
    assert_eq!(
        complete(&mut *transaction, claimed).await,
        Err("HF003".into()),
        "a crash would not count"
    );
    transaction.rollback().await.expect("rolled back");
    for (statement, expected) in [
        ("SELECT * FROM hookfast.claim('nobody', 'x')", "HF004"),
        ("SELECT * FROM hookfast.claim('shop', 'x', 0)", "22023"),
        (
            "SELECT * FROM hookfast.claim('shop', 'x', 10, '0 s')",
            "22023",
        ),
        ("SELECT hookfast.complete(1, 1)", "HF002"),
    ] {
        let error = sqlx::query(statement)
            .execute(&running.pool)
            .await
            .expect_err(statement);
        assert_eq!(code(error), expected, "{statement}");
    }
    running
        .execute("SELECT hookfast.pause_handler('shop', 'a test')")
        .await;
    assert!(claim(&running.pool, 1).await.is_empty());
    running
        .execute("SELECT hookfast.resume_handler('shop', why => 'a test')")
        .await;
    assert_eq!(claim(&running.pool, 1).await.len(), 1);
    running.end().await;
}

/// Webhooks are in one index range of a claim, enqueued events in the other.
#[tokio::test(flavor = "multi_thread")]
async fn a_claim_is_filled_from_fresh_and_due_and_neither_starves() {
    let database = database().await;
    let running = Running::start(&database, |builder| {
        let mut shop = subscription("shop");
        shop.types = ["airalo.order.*", "jobs.*"]
            .map(|pattern| pattern.parse().expect("a pattern"))
            .to_vec();
        builder
            .source(source(Reject))
            .sql_source("jobs".parse().expect("a name"))
            .pull_handler(shop)
    })
    .await;
    let enqueue = "SELECT hookfast.enqueue('jobs', 'jobs.order.paid', to_jsonb(n)) FROM generate_series(1, 30) n";
    let send = async |orders: std::ops::Range<u64>| {
        for i in orders {
            assert_eq!(
                running.post(&order(&format!("order-{i:019}"), i)).await.0,
                200
            );
        }
    };
    running.execute(enqueue).await;
    assert_eq!(
        claim(&running.pool, 30).await.len(),
        30,
        "the late deliveries alone"
    );
    send(0..10).await;
    assert_eq!(
        claim(&running.pool, 10).await.len(),
        10,
        "the fresh deliveries alone"
    );
    running.execute(enqueue).await;
    send(10..40).await;
    // One at a time, with both ranges full: if one starved the other, all of these would be of one
    // source.
    let mut by_source = std::collections::HashMap::<String, usize>::new();
    for _ in 0..29 {
        let row = sqlx::query("SELECT source FROM hookfast.claim('shop', 'a test', 1)")
            .fetch_one(&running.pool)
            .await;
        *by_source
            .entry(row.expect("one").get("source"))
            .or_default() += 1;
    }
    assert!(by_source.len() == 2, "{by_source:?}");
    assert_eq!(
        claim(&running.pool, 100).await.len(),
        60 - 29,
        "both together"
    );
    running.end().await;
}
