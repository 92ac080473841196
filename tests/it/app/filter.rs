//! A handler gets the payloads that match its filter, and the others are settled without it.

use super::{Running, source, subscription};
use crate::support::{airalo::order, postgres::database};
use hookfast::internals::app::{Builder, RunError, Subscription};
use hookfast::internals::domain::OnInvalidSignature::Reject;
use hookfast::internals::domain::{Delivery, OnDeadLetter, Order, Outcome};
use sqlx::Row;
use std::sync::{Arc, Mutex};
use tokio_util::sync::CancellationToken;

fn filtered(name: &str, filter: &str) -> Subscription {
    let mut filtered = subscription(name);
    filtered.policy.filter = Some(filter.parse().expect("a filter"));
    filtered
}

/// The outcome of each delivery of a handler, and its number of attempts.
const STATES: &str = "SELECT string_agg(s.state || ' ' || n, ', ' ORDER BY s.state) FROM \
    (SELECT state || ':' || coalesce(attempts, 0) AS state, count(*) AS n FROM hookfast.deliveries WHERE handler = 'big' GROUP BY 1) s";

#[tokio::test(flavor = "multi_thread")]
async fn only_matching_events_are_handled_whatever_their_body() {
    let database = database().await;
    let seen: Arc<Mutex<Vec<u64>>> = Arc::default();
    let noted = seen.clone();
    let running = Running::start(&database, |builder| {
        builder.source(source(Reject)).handler(
            filtered("big", "$.data.id >= 5 && $.data.id < 50 && exists($.data.sims ? (@.iccid starts with \"89\"))"),
            move |delivery: Delivery| {
                let body: serde_json::Value = delivery.event.json().expect("JSON");
                noted.lock().expect("no panic").push(body["data"]["id"].as_u64().expect("an id"));
                async { Outcome::Delivered }
            },
        )
    })
    .await;
    for i in 0..10 {
        assert_eq!(
            running.post(&order(&format!("order-{i:019}"), i)).await.0,
            200
        );
    }
    // Bodies too long to be read with the claim: one matches, one does not.
    for (id, padding) in [(16, 20_000), (100, 20_000)] {
        let mut long: serde_json::Value =
            serde_json::from_slice(&order(&format!("long-{id:020}"), id)).expect("our own");
        long["padding"] = "x".repeat(padding).into();
        assert_eq!(running.post(long.to_string().as_bytes()).await.0, 200);
    }
    // None of these affects the other deliveries.
    let deep = [
        b"{\"a\":".repeat(100_000),
        b"5".to_vec(),
        b"}".repeat(100_000),
    ]
    .concat();
    for odd in [
        &b"not json"[..],
        b"",
        b"\xff\xfe",
        br#"{"data":{"id":7,"name":"\u0000"}}"#,
        br#"{"data":{"id":1e999999}}"#,
        &deep,
    ] {
        assert_eq!(running.post(odd).await.0, 200);
    }
    running
        .until("SELECT count(*) FROM hookfast_data.outbox", 0)
        .await;
    let mut seen = seen.lock().expect("no panic").clone();
    seen.sort_unstable();
    assert_eq!(seen, [5, 6, 7, 8, 9, 16]);
    // Five small orders, a long one, six bodies that are not orders, and the one that starts every
    // test.
    assert_eq!(running.text(STATES).await, "delivered:1 6, filtered:1 13");
    let unrun = "SELECT count(*) FROM hookfast.attempts WHERE outcome = 'filtered' AND duration_ms IS NULL AND error IS NULL";
    assert_eq!(running.count(unrun).await, 13);
    assert_eq!(
        running
            .count("SELECT count(*) FROM hookfast.dead_letters")
            .await,
        0
    );
    running.end().await;
}

/// Whatever makes the filter slow, each statement applies it to one long body, not to all
/// deliveries of a claim.
#[tokio::test(flavor = "multi_thread")]
async fn a_filter_that_is_slow_on_long_bodies_stops_no_handler() {
    let database = database().await;
    let running = Running::start(&database, |builder| {
        builder
            .source(source(Reject))
            .handler(filtered("big", "$.data.id < 100"), |_| async {
                Outcome::Delivered
            })
    })
    .await;
    running
        .execute("SELECT hookfast.pause_handler('big', 'until all are there')")
        .await;
    // 32 deliveries are claimed together. One claim would need more than its 10 seconds for all of
    // them.
    running
        .execute(
            "CREATE OR REPLACE FUNCTION hookfast_data.payload_matches(body bytea, filter jsonpath) RETURNS boolean \
             LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ BEGIN \
                PERFORM pg_sleep(0.5) WHERE octet_length(body) > 20000; \
                RETURN convert_from(body, 'UTF8')::jsonb @@ filter; END $$",
        )
        .await;
    for i in 0..64 {
        let mut long: serde_json::Value =
            serde_json::from_slice(&order(&format!("order-{i:019}"), i)).expect("our own");
        long["padding"] = "x".repeat(20_000).into();
        assert_eq!(running.post(long.to_string().as_bytes()).await.0, 200);
    }
    running
        .execute("SELECT hookfast.resume_handler('big', why => 'a test')")
        .await;
    running
        .until("SELECT count(*) FROM hookfast_data.outbox", 0)
        .await;
    assert_eq!(
        running
            .count("SELECT count(*) FROM hookfast.attempts WHERE outcome = 'delivered'")
            .await,
        64
    );
    running.end().await;
}

/// Slow every time, and for short bodies too.
#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_a_filter_is_too_slow_for_becomes_a_dead_letter() {
    let database = database().await;
    let running = Running::start(&database, |builder| {
        let mut big = filtered("big", "$.data.id < 100");
        big.policy.retry = hookfast::internals::domain::RetryPolicy::Delays(vec![
            std::time::Duration::from_millis(1),
        ]);
        builder
            .source(source(Reject))
            .handler(big, |_| async { Outcome::Delivered })
    })
    .await;
    running
        .execute("SELECT hookfast.pause_handler('big', 'until all are there')")
        .await;
    running
        .execute(
            "CREATE OR REPLACE FUNCTION hookfast_data.payload_matches(body bytea, filter jsonpath) RETURNS boolean \
             LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ BEGIN \
                PERFORM pg_sleep(20) WHERE convert_from(body, 'UTF8') LIKE '%slow%'; \
                RETURN convert_from(body, 'UTF8')::jsonb @@ filter; END $$",
        )
        .await;
    for i in 0..12 {
        let code = if i % 6 == 0 {
            format!("slow-{i:020}")
        } else {
            format!("quick-{i:019}")
        };
        assert_eq!(running.post(&order(&code, i)).await.0, 200);
    }
    running
        .execute("SELECT hookfast.resume_handler('big', why => 'a test')")
        .await;
    running
        .until("SELECT count(*) FROM hookfast_data.outbox", 0)
        .await;
    assert_eq!(
        running
            .count("SELECT count(*) FROM hookfast.attempts WHERE outcome = 'delivered'")
            .await,
        10
    );
    let dead = "SELECT count(*) FROM hookfast.dead_letters \
        WHERE attempts = 2 AND last_error LIKE 'the payload filter took longer than 5 s%'";
    assert_eq!(running.count(dead).await, 2);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filtered_delivery_releases_the_next_of_its_key() {
    let database = database().await;
    let seen: Arc<Mutex<Vec<i64>>> = Arc::default();
    let noted = seen.clone();
    let running = Running::start(&database, |builder| {
        let mut odd = filtered("big", "$.odd == true");
        odd.types = vec!["job".parse().expect("a pattern")];
        odd.policy.order = Some(Order {
            by: "/key".parse().expect("a path"),
            on_dead: OnDeadLetter::Block,
        });
        builder
            .source(source(Reject))
            .sql_source("jobs".parse().expect("a name"))
            .handler(odd, move |delivery: Delivery| {
                let body: serde_json::Value = delivery.event.json().expect("JSON");
                noted
                    .lock()
                    .expect("no panic")
                    .push(body["n"].as_i64().expect("a number"));
                async { Outcome::Delivered }
            })
    })
    .await;
    running.execute("SELECT hookfast.enqueue('jobs', 'job', jsonb_build_object('key', 'a', 'n', n, 'odd', n % 2 = 1)) FROM generate_series(1, 8) n").await;
    running
        .until("SELECT count(*) FROM hookfast_data.outbox", 0)
        .await;
    assert_eq!(*seen.lock().expect("no panic"), [1, 3, 5, 7]);
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pulling_client_receives_only_matching_events() {
    let database = database().await;
    let running = Running::start(&database, |builder| {
        let mut big = filtered("big", "$.n > 390");
        big.types = vec!["job".parse().expect("a pattern")];
        builder
            .source(source(Reject))
            .sql_source("jobs".parse().expect("a name"))
            .pull_handler(big)
    })
    .await;
    running
        .execute("SELECT hookfast.enqueue('jobs', 'job', jsonb_build_object('n', n)) FROM generate_series(1, 400) n")
        .await;
    // Rolled back: nothing was filtered.
    let mut transaction = running.pool.begin().await.expect("a transaction");
    let claim = "SELECT * FROM hookfast.claim('big', 'a test', 3)";
    assert!(
        (1..=3).contains(
            &sqlx::query(claim)
                .fetch_all(&mut *transaction)
                .await
                .expect("claimed")
                .len()
        )
    );
    transaction.rollback().await.expect("rolled back");
    assert_eq!(running.text(STATES).await, "ready:0 400");

    let mut got = Vec::new();
    loop {
        let rows = sqlx::query(claim)
            .fetch_all(&running.pool)
            .await
            .expect("claimed");
        if rows.is_empty() {
            break;
        }
        assert!(rows.len() <= 3);
        for row in rows {
            got.push(
                row.get::<serde_json::Value, _>("payload")["n"]
                    .as_i64()
                    .expect("a number"),
            );
            running.complete(&row).await;
        }
    }
    got.sort_unstable();
    assert_eq!(got, (391..=400).collect::<Vec<_>>());
    assert_eq!(running.text(STATES).await, "delivered:1 10, filtered:1 390");
    running.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filtered_events_do_not_block_a_pulling_client_of_an_ordered_handler() {
    let database = database().await;
    let running = Running::start(&database, |builder| {
        let mut odd = filtered("big", "$.n == 1 || $.n == 8");
        odd.types = vec!["job".parse().expect("a pattern")];
        odd.policy.order = Some(Order {
            by: "/key".parse().expect("a path"),
            on_dead: OnDeadLetter::Block,
        });
        builder
            .source(source(Reject))
            .sql_source("jobs".parse().expect("a name"))
            .pull_handler(odd)
    })
    .await;
    running.execute("SELECT hookfast.enqueue('jobs', 'job', jsonb_build_object('key', 'a', 'n', n)) FROM generate_series(1, 8) n").await;
    for n in [1, 8] {
        // The six deliveries between them are settled in the second of these two claims, one after
        // the other.
        let row = sqlx::query("SELECT * FROM hookfast.claim('big', 'a test')")
            .fetch_one(&running.pool)
            .await
            .expect("one");
        assert_eq!(row.get::<serde_json::Value, _>("payload")["n"], n);
        running.complete(&row).await;
    }
    assert_eq!(running.text(STATES).await, "delivered:1 2, filtered:1 6");
    running.end().await;
}

/// A filter that rejects everything by mistake would look like a working handler.
#[tokio::test]
async fn an_invalid_filter_stops_the_start_and_registers_nothing() {
    let database = database().await;
    for filter in [
        "$.a ==",
        "$ ? (@.a == 1)",
        "$.a",
        "strict $.a[*]",
        "a = 1",
        "$.a like_regex \"(\"",
        "$.a.size()",
    ] {
        let app = Builder::new(database.url())
            .expect("a URL")
            .pull_handler(filtered("shop", filter))
            .build();
        let error = app.run(CancellationToken::new()).await.expect_err(filter);
        assert!(matches!(error, RunError::Filter(..)), "{filter}: {error}");
        assert!(
            error.to_string().contains("handler 'shop'") && error.to_string().contains(filter),
            "{error}"
        );
    }
    let handlers: i64 = sqlx::query_scalar("SELECT count(*) FROM hookfast_data.handlers")
        .fetch_one(&database.pool().await)
        .await
        .expect("a number");
    assert_eq!(handlers, 0);
    for good in [
        "$.a == 1",
        "exists($.a)",
        "exists ($ ? (@.a == 1))",
        "!($.a == 1)",
        "$.a starts with \"x\"",
        "$.a like_regex \"^x\" flag \"i\"",
        "($.a > 1) is unknown",
        "strict $.a == null && (lax $.b > 2 || exists($.c))",
        "strict exists($.a[*])",
    ] {
        let checked = hookfast::internals::store::check_filter(
            &database.pool().await,
            &good.parse().expect("a filter"),
        )
        .await;
        // lax and strict apply to the whole path.
        assert_eq!(
            checked.is_ok(),
            !good.contains("(lax"),
            "{good}: {checked:?}"
        );
    }
}
