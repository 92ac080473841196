//! A transactional handler runs only while its worker holds the delivery, and leaves no effects
//! otherwise.

use super::{Running, source, subscription};
use crate::support::{airalo::order, postgres::database, wait_until};
use hookfast::internals::domain::OnInvalidSignature::Reject;
use hookfast::internals::domain::{Connections, Delivery};
use hookfast::internals::handlers::{HandlerError, TransactionalHandler};
use hookfast::internals::store::SettlingTransaction;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Books each order after it is released.
struct Books(Arc<Semaphore>);

impl TransactionalHandler for Books {
    async fn handle(
        &self,
        delivery: &Delivery,
        transaction: &mut SettlingTransaction,
    ) -> Result<(), HandlerError> {
        sqlx::query("INSERT INTO ledger VALUES ($1)")
            .bind(&delivery.event.idempotency_key)
            .execute(transaction.connection())
            .await?;
        if delivery.event.idempotency_key.contains("moves") {
            // As if another worker had taken it over in the meantime.
            sqlx::query(
                "UPDATE hookfast_data.outbox SET attempt_number = attempt_number + 1 WHERE id = $1",
            )
            .bind(delivery.id.0)
            .execute(transaction.connection())
            .await?;
        }
        self.0.acquire().await?.forget();
        Ok(())
    }
}

const LEDGER: &str =
    "SELECT coalesce(string_agg(split_part(key, ':', 2), ' ' ORDER BY key), '') FROM ledger";
const DELIVERED: &str = "SELECT count(*) FROM hookfast.deliveries WHERE state = 'delivered'";

/// One attempt at a time, so that all earlier attempts have ended when a later one ends.
async fn running(database: &crate::support::postgres::Database, gate: &Arc<Semaphore>) -> Running {
    let pool = database.pool().await;
    sqlx::query("CREATE TABLE ledger (key text)")
        .execute(&pool)
        .await
        .expect("a table");
    Running::start(database, |builder| {
        let mut books = subscription("books");
        books.types = vec!["airalo.order.completed".parse().expect("a pattern")];
        books.policy.connections = Connections::new(1).expect("in range");
        builder
            .source(source(Reject))
            .transactional_handler(books, Books(gate.clone()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_rescued_before_its_start_is_not_run() {
    let (database, gate) = (database().await, Arc::new(Semaphore::new(0)));
    let running = running(&database, &gate).await;
    for (request, id) in [("first", 1), ("second", 2)] {
        assert_eq!(running.post(&order(request, id)).await.0, 200);
    }
    let held = "SELECT count(*) FROM hookfast_data.outbox WHERE lease_id IS NOT NULL";
    running.until(held, 2).await;
    // The delivery whose handler runs is locked. The other one waits, and another worker takes it
    // over.
    let take = "UPDATE hookfast_data.outbox SET attempt_number = attempt_number + 1, lease_id = (SELECT max(id) FROM hookfast_data.leases) \
        WHERE id IN (SELECT id FROM hookfast_data.outbox FOR UPDATE SKIP LOCKED) \
        RETURNING (SELECT split_part(idempotency_key, ':', 2) FROM hookfast.events e WHERE e.event_id = outbox.event_id)";
    sqlx::query("INSERT INTO hookfast_data.leases (kind, owner, expires_at) VALUES ('worker', 'another', 'infinity')")
        .execute(&running.pool)
        .await
        .expect("another worker");
    wait_until("the first to be at work", async || {
        let locked = "SELECT count(*) FROM hookfast_data.outbox WHERE id NOT IN (SELECT id FROM hookfast_data.outbox FOR UPDATE SKIP LOCKED)";
        running.count(locked).await == 1
    })
    .await;
    let taken: Vec<String> = sqlx::query_scalar(take)
        .fetch_all(&running.pool)
        .await
        .expect("accepted");
    let ran = match &taken[..] {
        [taken] if taken == "first" => "second",
        [taken] if taken == "second" => "first",
        taken => panic!("one of the two is taken over: {taken:?}"),
    };
    gate.add_permits(2);
    running.until(DELIVERED, 1).await;
    assert_eq!(running.post(&order("third", 3)).await.0, 200);
    running.until(DELIVERED, 2).await;
    assert_eq!(
        running.text(LEDGER).await,
        format!("{ran} third"),
        "the delivery that was taken over did not run"
    );
    // The other worker releases it.
    sqlx::query("UPDATE hookfast_data.outbox SET lease_id = NULL, due_at = now()")
        .execute(&running.pool)
        .await
        .expect("released");
    gate.add_permits(1);
    running.until(DELIVERED, 3).await;
    assert_eq!(running.text(LEDGER).await, "first second third");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn everything_is_rolled_back_if_the_fence_is_lost_midway() {
    let (database, gate) = (database().await, Arc::new(Semaphore::new(9)));
    let running = running(&database, &gate).await;
    assert_eq!(running.post(&order("moves", 1)).await.0, 200);
    wait_until("it to be at its end", async || {
        gate.available_permits() == 8
    })
    .await;
    assert_eq!(running.post(&order("after", 2)).await.0, 200);
    running.until(DELIVERED, 1).await;
    assert_eq!(running.text(LEDGER).await, "after");
    let row = "SELECT concat_ws(' ', attempt_number, attempts_left, lease_id IS NOT NULL) FROM hookfast_data.outbox";
    assert_eq!(
        running.text(row).await,
        "1 4 t",
        "unchanged since the claim"
    );
    assert_eq!(
        running
            .count("SELECT count(*) FROM hookfast.attempts")
            .await,
        1
    );
    running.end().await;
}
