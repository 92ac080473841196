//! A role that may only connect cannot block anything.

use super::{Running, source, subscription};
use crate::support::{airalo::order, postgres::database, wait_until_within};
use hookfast::internals::domain::OnInvalidSignature::Reject;
use hookfast::internals::domain::{Delivery, OnDeadLetter, Order, Outcome, RoleNames};
use hookfast::internals::store::{self, Role};
use sqlx::{Connection, Executor, PgConnection};
use std::time::Duration;

/// Polling alone takes one second; the rest is for a busy machine. A full scan runs once a minute
/// anyway.
const SOON: Duration = Duration::from_secs(10);

const DELIVERED: &str =
    "SELECT count(*) FROM hookfast.attempts WHERE outcome = 'delivered' AND handler = 'shop'";

/// Any role may notify, with any message.
#[tokio::test(flavor = "multi_thread")]
async fn no_notification_keeps_a_delivery_from_its_handler() {
    let database = database().await;
    let url = database.login("nobody", &[]).await;
    let running = Running::start(&database, |builder| {
        let mut shop = subscription("shop");
        shop.types = ["airalo.order.*", "own.*"]
            .map(|pattern| pattern.parse().expect("a pattern"))
            .to_vec();
        builder
            .source(source(Reject))
            .sql_source("own".parse().expect("a name"))
            .handler(shop, |_: Delivery| async { Outcome::Delivered })
    })
    .await;
    let mut nobody = PgConnection::connect(&url).await.expect("it may connect");
    let longest = "9".repeat(7999);
    let messages = [
        "-9000000000000000000",
        "-9223372036854775808",
        "9223372036854775807",
        "-9223372036854775809",
        "-1",
        "0",
        "",
        "a text",
        "infinity",
        &longest,
    ];
    for (n, message) in (1u32..).zip(messages) {
        for channel in ["hookfast_wake", "hookfast_quarantine"] {
            let notify = sqlx::query("SELECT pg_notify($1, $2)")
                .bind(channel)
                .bind(message);
            notify.execute(&mut nobody).await.expect("everybody may");
        }
        // One delivery straight from ingest, and one that is late.
        assert_eq!(
            running
                .post(&order(&format!("order-{n:019}"), n.into()))
                .await
                .0,
            200
        );
        let late = "SELECT hookfast.enqueue('own', 'own.late', '{}')";
        running.execute(late).await;
        let what = format!("both deliveries after NOTIFY {:.30}", message);
        wait_until_within(SOON, &what, async || {
            running.count(DELIVERED).await == i64::from(2 * n)
        })
        .await;
    }
    running.end().await;
}

/// Any role may hold any advisory lock: those that Hookfast once used, and the numbers of all
/// handlers.
#[tokio::test(flavor = "multi_thread")]
async fn no_advisory_lock_blocks_any_work() {
    let database = database().await;
    let url = database.login("nobody", &[]).await;
    let mut nobody = PgConnection::connect(&url).await.expect("it may connect");
    for word in [
        "hookfast", "roles   ", "partitio", "indexes ", "retain", "history", "watch", "hold",
        "hook",
    ] {
        let lock = format!(
            "SELECT pg_advisory_lock(('x' || lpad(encode('{word}', 'hex'), 16, '0'))::bit(64)::bigint)"
        );
        nobody
            .execute(sqlx::AssertSqlSafe(lock))
            .await
            .expect("everybody may");
    }
    let pairs = "SELECT pg_advisory_lock(x'686f6f6b'::integer, n), pg_advisory_lock(x'686f6c64'::integer, n) \
        FROM generate_series(1, 50) n";
    nobody.execute(pairs).await.expect("everybody may");
    // A process starts, and ordered deliveries are delivered and retried.
    let running = Running::start(&database, |builder| {
        let mut shop = subscription("shop");
        shop.types = vec!["airalo.order.*".parse().expect("a pattern")];
        shop.policy.order = Some(Order {
            by: "/request_id".parse().expect("a path"),
            on_dead: OnDeadLetter::Block,
        });
        builder
            .source(source(Reject))
            .handler(shop, |delivery: Delivery| async move {
                if delivery.attempt == 1 {
                    Outcome::dead("not the first time")
                } else {
                    Outcome::Delivered
                }
            })
    })
    .await;
    for n in 1..=3 {
        assert_eq!(
            running.post(&order(&format!("order-{n:019}"), n)).await.0,
            200
        );
    }
    let dead = "SELECT count(*) FROM hookfast.dead_letters";
    wait_until_within(SOON, "the dead letters", async || {
        running.count(dead).await == 3
    })
    .await;
    let alerts = "SELECT count(*) FROM hookfast.alerts WHERE type = 'hookfast.delivery.dead'";
    wait_until_within(SOON, "the alert of them", async || {
        running.count(alerts).await == 3
    })
    .await;
    running.execute("SET lock_timeout = '5s'; SELECT * FROM hookfast.retry_all(why => 'a test', at_most => 10)").await;
    wait_until_within(SOON, "the retried delivery", async || {
        running.count(DELIVERED).await == 3
    })
    .await;
    running
        .execute("SELECT hookfast.pause_handler('shop', 'a test')")
        .await;
    let alerts = "SELECT count(*) FROM hookfast.alerts WHERE type = 'hookfast.handler.paused'";
    wait_until_within(SOON, "the alert of the pause", async || {
        running
            .execute("SELECT hookfast_data.evaluate_alerts()")
            .await;
        running.count(alerts).await == 1
    })
    .await;
    assert!(
        running
            .count("SELECT hookfast_data.alert_conflicts(100)")
            .await
            >= 0
    );
    running
        .execute("SELECT hookfast.hold_event(event_id, 'a test') FROM hookfast.events WHERE type LIKE 'airalo.order.%'")
        .await;
    running.execute("SELECT hookfast.airalo_project_event(ROW (e.event_id, e.source, e.type, e.topic, e.origin, e.received_at, \
        e.idempotency_key, e.conflicts_with, e.headers, e.payload, e.body, 1, 1)::hookfast.event) FROM hookfast.events e WHERE e.source = 'airalo'").await;
    assert_eq!(
        running
            .count("SELECT count(*) FROM hookfast.airalo_orders")
            .await,
        3
    );
    // Tasks that one process does at a time.
    let of: store::Database = database.url().parse().expect("a URL");
    running
        .execute("DROP INDEX hookfast_data.rollups_subject")
        .await;
    assert_eq!(store::ensure_indexes(&of).await.expect("built"), 1);
    let tomorrow = running
        .text("SELECT 'hookfast_data.events_' || to_char(now() AT TIME ZONE 'UTC' + interval '3 days', 'YYYYMMDD')")
        .await;
    running.execute(&format!("DROP TABLE {tomorrow}")).await;
    assert_eq!(
        store::ensure_partitions(&of.pool(Role::General, 1))
            .await
            .expect("made"),
        1
    );
    store::ensure_roles(&of, &RoleNames::default())
        .await
        .expect("granted");
    store::purge_expired(&of, || false).await.expect("a round");
    running.end().await;
}

/// A process that builds indexes or purges for hours holds its lock in an open transaction, which
/// must not prevent the removal of dead rows.
#[tokio::test(flavor = "multi_thread")]
async fn long_work_is_done_by_one_process_and_its_lock_keeps_no_snapshot() {
    let database = database().await;
    let of: store::Database = database.url().parse().expect("a URL");
    let mut admin = database.connect().await;
    admin
        .execute("DROP INDEX hookfast_data.rollups_subject")
        .await
        .expect("dropped");
    // A build waits for every session with a snapshot.
    let mut reader = database.connect().await;
    let mut reading = reader.begin().await.expect("a transaction");
    reading
        .execute("INSERT INTO hookfast_data.rollups (minute, subject, counter, value) VALUES (now(), 'x', 'x', 1)")
        .await
        .expect("a row");
    let building = tokio::spawn({
        let of = of.clone();
        async move { store::ensure_indexes(&of).await }
    });
    let holder = "SELECT count(*) FROM pg_locks l JOIN pg_stat_activity a USING (pid) \
        WHERE l.relation = 'hookfast_data.index_lock'::regclass AND l.granted \
            AND a.state = 'idle in transaction' AND a.backend_xid IS NULL AND a.backend_xmin IS NULL";
    let waits =
        "SELECT count(*) FROM pg_stat_progress_create_index WHERE datname = current_database()";
    wait_until_within(SOON, "the build to wait", async || {
        let count = async |query| {
            sqlx::query_scalar::<_, i64>(query)
                .fetch_one(&mut admin)
                .await
                .expect("a number")
        };
        let mut count = count;
        count(waits).await == 1 && count(holder).await == 1
    })
    .await;
    assert_eq!(store::ensure_indexes(&of).await.expect("not its turn"), 0);
    reading.rollback().await.expect("the reader ends");
    assert_eq!(building.await.expect("no panic").expect("built"), 1);
}
