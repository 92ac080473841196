//! Ordering keys of pull handlers.

use super::{claim, complete, in_order_of_steps};
use crate::support::postgres::database;
use std::time::Duration;

/// Two clients: one gives keys to new deliveries while the other settles the previous one. Whatever
/// the two see of each other, the next delivery of the key becomes due, and only a claim looks for
/// it.
#[tokio::test(flavor = "multi_thread")]
async fn no_wake_up_between_two_clients_is_lost() {
    const STEPS: i64 = 600;
    let database = database().await;
    let running = in_order_of_steps(&database).await;
    running
        .execute("CREATE TABLE ledger (at bigint GENERATED ALWAYS AS IDENTITY, delivery_id bigint)")
        .await;
    let mut tasks = tokio::task::JoinSet::new();
    let pool = running.pool.clone();
    tasks.spawn(async move {
        for step in 0..STEPS {
            // Runs while the previous delivery is being settled and no other delivery of the key
            // could make it due.
            let begun = "SELECT count(*) >= $1 FROM hookfast_data.attempts a FULL JOIN hookfast_data.outbox o ON o.id = a.delivery_id WHERE a.attempt_number = 1 OR o.attempt_number = 1";
            while !sqlx::query_scalar::<_, bool>(begun).bind(step).fetch_one(&pool).await.expect("an answer") {}
            let enqueue = "SELECT hookfast.enqueue('steps', 'step', '{\"key\":\"the only one\"}')";
            sqlx::query(enqueue).execute(&pool).await.expect("enqueued");
        }
    });
    for _ in 0..2 {
        let pool = running.pool.clone();
        tasks.spawn(async move {
            let done = async || {
                sqlx::query_scalar::<_, i64>("SELECT count(*) FROM ledger")
                    .fetch_one(&pool)
                    .await
            };
            while done().await.expect("a number") < STEPS {
                for held in claim(&pool, 10).await {
                    let mut transaction = pool.begin().await.expect("a transaction");
                    let book =
                        sqlx::query("INSERT INTO ledger (delivery_id) VALUES ($1)").bind(held.1);
                    book.execute(&mut *transaction).await.expect("work");
                    complete(&mut *transaction, held).await.expect("held");
                    transaction.commit().await.expect("committed");
                }
            }
        });
    }
    let all = async {
        while let Some(ended) = tasks.join_next().await {
            ended.expect("no panic")
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all)
        .await
        .expect("all steps are done and none waits forever");
    let out_of_order = "SELECT count(*) FROM (SELECT delivery_id < lag(delivery_id) OVER (ORDER BY at) AS back FROM ledger) x WHERE back";
    assert_eq!(
        (
            running.count("SELECT count(*) FROM ledger").await,
            running.count(out_of_order).await
        ),
        (STEPS, 0)
    );
    running.end().await;
}

/// The safety sweep for pull handlers, which no worker sweeps.
#[tokio::test(flavor = "multi_thread")]
async fn a_key_without_a_wake_up_is_found() {
    let database = database().await;
    let running = in_order_of_steps(&database).await;
    running.execute("SELECT hookfast.enqueue('steps', 'step', '{\"key\":\"k\"}') FROM generate_series(1, 2)").await;
    assert_eq!(claim(&running.pool, 1).await.len(), 1);
    running
        .execute("DELETE FROM hookfast_data.outbox WHERE lease_id IS NOT NULL")
        .await;
    assert!(
        claim(&running.pool, 1).await.is_empty(),
        "its end made nothing due"
    );
    for handler in hookfast::internals::store::pulled_handlers(&running.pool)
        .await
        .expect("handlers")
    {
        hookfast::internals::store::KeySweep::new(handler)
            .step(&running.pool)
            .await
            .expect("searched");
    }
    assert_eq!(claim(&running.pool, 1).await.len(), 1);
    running.end().await;
}
