//! A transactional handler's effects commit with the end of its delivery, or not at all.

use super::{Running, source, subscription};
use crate::support::{airalo::order, postgres::database};
use hookfast::internals::domain::Delivery;
use hookfast::internals::domain::OnInvalidSignature::Reject;
use hookfast::internals::handlers::{HandlerError, TransactionalHandler};
use hookfast::internals::store::SettlingTransaction;
use std::time::Duration;

/// Books the event, and then ends as its request id specifies.
struct Books;

impl TransactionalHandler for Books {
    async fn handle(
        &self,
        delivery: &Delivery,
        transaction: &mut SettlingTransaction,
    ) -> Result<(), HandlerError> {
        sqlx::query("INSERT INTO ledger VALUES ($1, $2)")
            .bind(delivery.event.id.0)
            .bind(delivery.attempt)
            .execute(transaction.connection())
            .await?;
        let key = &delivery.event.idempotency_key;
        match delivery.attempt {
            1 if key.contains("error") => Err("x".parse::<i32>().expect_err("no number"))?,
            1 if key.contains("panic") => panic!("during the work"),
            1 if key.contains("hang") => std::future::pending().await,
            1 if key.contains("statement") => {
                sqlx::query("SELECT 1 / 0")
                    .execute(transaction.connection())
                    .await?;
            }
            // Errors that appear only at the commit are detected there.
            1 if key.contains("deferred") => sqlx::query("INSERT INTO line VALUES (1)")
                .execute(transaction.connection())
                .await
                .map(|_| ())?,
            _ if key.contains("refused") => return Err(HandlerError::dead("never")),
            _ => {}
        }
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn effects_happen_once_however_the_first_attempt_ended() {
    let database = database().await;
    let pool = database.pool().await;
    for statement in [
        "CREATE TABLE ledger (event_id uuid, attempt_number integer)",
        "CREATE TABLE head (id integer PRIMARY KEY)",
        "CREATE TABLE line (head integer REFERENCES head DEFERRABLE INITIALLY DEFERRED)",
    ] {
        sqlx::query(statement)
            .execute(&pool)
            .await
            .expect("a table");
    }
    let running = Running::start(&database, |builder| {
        let mut books = subscription("books");
        books.policy.timeout = Duration::from_millis(500);
        builder
            .source(source(Reject))
            .transactional_handler(books, Books)
    })
    .await;
    let cases = [
        "good",
        "error",
        "panic",
        "hang",
        "statement",
        "deferred",
        "refused",
    ];
    for (i, case) in cases.iter().enumerate() {
        assert_eq!(
            running
                .post(&order(&format!("{case}-0123456789"), i as u64))
                .await
                .0,
            200
        );
    }
    running
        .until("SELECT count(*) FROM hookfast_data.outbox", 0)
        .await;
    let booked = "SELECT string_agg(substring(idempotency_key FROM 'order:([a-z]+)') || ':' || attempt_number, ' ' ORDER BY idempotency_key) \
        FROM ledger JOIN hookfast.events USING (event_id) WHERE idempotency_key LIKE 'order:%'";
    assert_eq!(
        running.text(booked).await,
        "deferred:2 error:2 good:1 hang:2 panic:2 statement:2"
    );
    assert_eq!(
        running
            .text("SELECT string_agg(reason, ',') FROM hookfast.dead_letters")
            .await,
        "rejected"
    );
    let history = "SELECT string_agg(outcome, ',' ORDER BY attempt_number) FROM hookfast.attempts a JOIN hookfast.events e USING (event_id) WHERE e.idempotency_key LIKE 'order:deferred%'";
    assert_eq!(running.text(history).await, "retry,delivered");
    running.end().await;
}
