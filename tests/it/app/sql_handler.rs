//! A handler that is a Postgres function: its effects commit with the end of its delivery, or not
//! at all.

use super::{Running, source, subscription};
use crate::support::{airalo::order, postgres::database};
use hookfast::internals::app::{Builder, RunError};
use hookfast::internals::domain::OnInvalidSignature::Reject;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Books the event, and then ends as its request id specifies.
const SHOP: &str = r#"
CREATE SCHEMA shop;
CREATE TABLE shop.ledger (event_id uuid, attempt_number integer, request_id text, type text);
CREATE TABLE shop.head (id integer PRIMARY KEY);
CREATE TABLE shop.line (head integer REFERENCES shop.head DEFERRABLE INITIALLY DEFERRED);
CREATE FUNCTION shop."on webhook"(event hookfast.event) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF event.origin <> 'webhook' OR event.source <> 'airalo' OR event.headers->>'host' IS NULL OR event.delivery_id IS NULL
        OR event.received_at IS NULL OR convert_from(event.body, 'UTF8')::jsonb <> event.payload THEN
        RAISE 'not what it should be: %', event USING ERRCODE = 'HF001';
    END IF;
    INSERT INTO shop.ledger VALUES (event.event_id, event.attempt_number, event.payload->>'request_id', event.type);
    CASE
        WHEN event.attempt_number = 1 AND event.idempotency_key LIKE '%error%' THEN RAISE 'the shop is closed' USING DETAIL = 'it opens at nine';
        WHEN event.attempt_number = 1 AND event.idempotency_key LIKE '%hang%' THEN PERFORM pg_sleep(60);
        WHEN event.attempt_number = 1 AND event.idempotency_key LIKE '%deferred%' THEN INSERT INTO shop.line VALUES (1);
        WHEN event.idempotency_key LIKE '%refused%' THEN RAISE 'never' USING ERRCODE = 'HF001';
        ELSE NULL;
    END CASE;
END $$;
"#;

#[tokio::test(flavor = "multi_thread")]
async fn effects_happen_once_however_the_first_attempt_ended() {
    let database = database().await;
    sqlx::raw_sql(SHOP)
        .execute(&mut database.connect().await)
        .await
        .expect("a shop");
    let running = Running::start(&database, |builder| {
        let mut shop = subscription("shop");
        shop.types = vec!["airalo.order.*".parse().expect("a pattern")];
        shop.policy.timeout = Duration::from_millis(700);
        builder
            .source(source(Reject))
            .sql_handler(shop, r#"shop."on webhook""#)
    })
    .await;
    for (i, case) in ["good", "error", "hang", "deferred", "refused"]
        .iter()
        .enumerate()
    {
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
    let booked = "SELECT string_agg(substring(request_id FROM '[a-z]+') || ':' || attempt_number, ' ' ORDER BY request_id) FROM shop.ledger";
    assert_eq!(
        running.text(booked).await,
        "deferred:2 error:2 good:1 hang:2"
    );
    let dead = "SELECT string_agg(reason || ': ' || last_error, ',') FROM hookfast.dead_letters";
    // The spelling of the type depends on the search path.
    let unqualified = |text: String| text.replace("(hookfast.event)", "(event)");
    let dead = unqualified(running.text(dead).await);
    assert!(
        dead.starts_with("rejected: never: at: PL/pgSQL function shop.\"on webhook\"(event) line"),
        "{dead}"
    );
    let why = "SELECT string_agg(error, '; ' ORDER BY error) FROM hookfast.attempts WHERE outcome = 'retry'";
    let why = unqualified(running.text(why).await);
    for part in [
        "the shop is closed (SQLSTATE P0001): detail: it opens at nine; at: PL/pgSQL function shop.\"on webhook\"(event) line 9 at RAISE",
        "the commit failed",
        "timed out after 700 ms: the handler did not end in this time (setting timeout)",
    ] {
        assert!(why.contains(part), "{part}: {why}");
    }
    running.end().await;
}

#[tokio::test]
async fn a_missing_function_stops_the_start_and_registers_nothing() {
    let database = database().await;
    sqlx::raw_sql("CREATE FUNCTION public.takes_text(event text) RETURNS void LANGUAGE sql AS ''")
        .execute(&mut database.connect().await)
        .await
        .expect("another function");
    for name in [
        "shop.on_webhook",
        "public.takes_text",
        "no name; at all (",
        "",
    ] {
        let app = Builder::new(database.url())
            .expect("a URL")
            .sql_handler(subscription("shop"), name)
            .build();
        let error = app.run(CancellationToken::new()).await.expect_err(name);
        assert!(matches!(error, RunError::Function(..)), "{name}: {error}");
        assert!(error.to_string().contains("handler 'shop'"), "{error}");
    }
    let handlers: i64 = sqlx::query_scalar("SELECT count(*) FROM hookfast_data.handlers")
        .fetch_one(&database.pool().await)
        .await
        .expect("a number");
    assert_eq!(handlers, 0);
}
