//! A connection that breaks during an attempt uses up no attempt, and a handler that breaks it
//! every time ends as a dead letter.

use super::{Running, source, subscription};
use crate::support::{airalo::order, postgres::database};
use hookfast::internals::domain::OnInvalidSignature::Reject;
use hookfast::internals::domain::{Delivery, RetryPolicy};
use hookfast::internals::handlers::{HandlerError, TransactionalHandler};
use hookfast::internals::store::SettlingTransaction;

/// `shop.once` breaks its connection at the first attempt, `shop.always` at every one.
const SHOP: &str = "
    CREATE TABLE ledger (handler text, attempt_number integer);
    CREATE SCHEMA shop;
    CREATE FUNCTION shop.once(event hookfast.event) RETURNS void LANGUAGE sql AS
        $$INSERT INTO ledger VALUES ('once', event.attempt_number);
        SELECT pg_terminate_backend(pg_backend_pid()) WHERE event.attempt_number = 1$$;
    CREATE FUNCTION shop.always(event hookfast.event) RETURNS void LANGUAGE sql AS
        'SELECT pg_terminate_backend(pg_backend_pid())'";

struct BreaksOnce;

impl TransactionalHandler for BreaksOnce {
    async fn handle(
        &self,
        delivery: &Delivery,
        transaction: &mut SettlingTransaction,
    ) -> Result<(), HandlerError> {
        let statement = match delivery.attempt {
            1 => "SELECT pg_terminate_backend(pg_backend_pid())",
            _ => "INSERT INTO ledger VALUES ('in_rust', 2)",
        };
        sqlx::query(statement)
            .execute(transaction.connection())
            .await?;
        Ok(())
    }
}

/// A subscription whose deliveries have one attempt.
fn one_try(name: &str) -> hookfast::internals::app::Subscription {
    let mut subscription = subscription(name);
    subscription.types = vec!["airalo.order.*".parse().expect("a pattern")];
    subscription.policy.retry = RetryPolicy::Delays(vec![]);
    subscription
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_breaks_uses_up_no_attempt() {
    let database = database().await;
    sqlx::raw_sql(SHOP)
        .execute(&mut database.connect().await)
        .await
        .expect("a shop");
    let running = Running::start(&database, |builder| {
        builder
            .source(source(Reject))
            .sql_handler(one_try("once"), "shop.once")
            .transactional_handler(one_try("in_rust"), BreaksOnce)
    })
    .await;
    assert_eq!(running.post(&order("request-0123456789", 1)).await.0, 200);
    running
        .until(
            "SELECT count(*) FROM hookfast.attempts WHERE outcome = 'delivered'",
            2,
        )
        .await;
    let booked =
        "SELECT string_agg(handler || ':' || attempt_number, ' ' ORDER BY handler) FROM ledger";
    assert_eq!(running.text(booked).await, "in_rust:2 once:2");
    let history = "SELECT string_agg(handler || ':' || outcome, ' ' ORDER BY handler, attempt_number) FROM hookfast.attempts";
    assert_eq!(
        running.text(history).await,
        "in_rust:lost in_rust:delivered once:lost once:delivered"
    );
    // The worker is alive: no alert reports that its lease was lost.
    running
        .execute("SELECT hookfast_data.evaluate_alerts()")
        .await;
    assert_eq!(
        running
            .count("SELECT count(*) FROM hookfast.alerts WHERE type = 'hookfast.lease.lost'")
            .await,
        0
    );
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_handler_that_breaks_every_connection_ends_as_a_dead_letter() {
    let database = database().await;
    sqlx::raw_sql(SHOP)
        .execute(&mut database.connect().await)
        .await
        .expect("a shop");
    let running = Running::start(&database, |builder| {
        builder
            .source(source(Reject))
            .sql_handler(one_try("always"), "shop.always")
    })
    .await;
    running
        .execute("SELECT hookfast.pause_handler('always', 'until it has been lost before')")
        .await;
    assert_eq!(running.post(&order("request-0123456789", 1)).await.0, 200);
    running
        .execute("UPDATE hookfast_data.outbox SET lost = 3")
        .await;
    running
        .execute("SELECT hookfast.resume_handler('always', why => 'a test')")
        .await;
    running
        .until("SELECT count(*) FROM hookfast.dead_letters", 1)
        .await;
    let dead = "SELECT d.reason || ' after ' || x.lost || ': ' || d.last_error FROM hookfast.dead_letters d
        JOIN hookfast_data.dead_letters x USING (delivery_id)";
    let dead = running.text(dead).await;
    assert!(
        dead.starts_with("lost after 5: the connection to the database broke: "),
        "{dead}"
    );
    assert_eq!(
        running
            .text("SELECT string_agg(outcome, ' ') FROM hookfast.attempts")
            .await,
        "lost lost"
    );
    running.end().await;
}
