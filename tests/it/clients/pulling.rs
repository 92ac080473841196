//! The pulling clients of `examples/pull`: woken by a notification, killed during the work,
//! returning too late.

use crate::support::{
    airalo::{order, post},
    client::Language,
    postgres::{Database, database},
    server::Server,
    tcp_proxy::TcpProxy,
    wait_until, wait_until_within,
};
use nix::sys::signal::Signal;
use sqlx::PgPool;
use std::time::Duration;

/// A lease of 2 s, and then the time after which a claim takes over its deliveries.
const TAKEN_OVER: Duration = Duration::from_secs(60);

const CONFIG: &str = "\
[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\n\
[handlers.shop]\nkind = 'pull'\ntypes = ['*']\nretry = { delays = ['10ms'] }\n";

const BOOKED: &str = "SELECT count(*) FROM shop.ledger";

/// A server, and the table that the clients book into.
async fn start(database: &Database) -> (Server, PgPool) {
    let pool = database.pool().await;
    let schema = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/pull/schema.sql");
    let schema = std::fs::read_to_string(schema).expect("the example's schema");
    sqlx::raw_sql(sqlx::AssertSqlSafe(schema))
        .execute(&pool)
        .await
        .expect("a table");
    let server = Server::serve(database.url(), CONFIG, &[]);
    server.ready().await;
    (server, pool)
}

async fn client(language: Language, database: &Database, environment: &[(&str, &str)]) -> Server {
    let client = language.start(database.url(), "shop", environment);
    client.logged("ready").await;
    client
}

async fn send(server: &Server, orders: std::ops::Range<u64>) {
    for i in orders {
        assert_eq!(
            post(server.ingress().await, &order(&format!("order-{i:019}"), i))
                .await
                .0,
            200
        );
    }
}

async fn count(pool: &PgPool, query: &'static str) -> i64 {
    sqlx::query_scalar(query)
        .fetch_one(pool)
        .await
        .expect("a number")
}

async fn booked(pool: &PgPool, orders: i64) {
    wait_until_within(TAKEN_OVER, "every order in the ledger", async || {
        count(pool, BOOKED).await == orders
    })
    .await;
    wait_until("nothing pending", async || {
        count(pool, "SELECT count(*) FROM hookfast_data.outbox").await == 0
    })
    .await;
    assert_eq!(count(pool, BOOKED).await, orders);
    assert_eq!(
        count(pool, "SELECT count(DISTINCT event_id) FROM shop.ledger").await,
        orders
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_wakes_a_client_that_would_sleep_for_an_hour() {
    for language in Language::tested() {
        let database = database().await;
        let (server, pool) = start(&database).await;
        let mut client = client(language, &database, &[("POLL_SECONDS", "3600")]).await;
        // Both have claimed once in vain: each is woken by the next events.
        for i in 0..5 {
            send(&server, i..i + 1).await;
            booked(&pool, i as i64 + 1).await;
        }
        client.signal(Signal::SIGTERM);
        // After a signal, Python's runtime still waits for a notification: the next one ends the
        // wait.
        send(&server, 5..6).await;
        assert!(client.ended().await.success(), "{language:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_delivery_is_retried_with_its_error_and_becomes_a_dead_letter() {
    for language in Language::tested() {
        let database = database().await;
        let (server, pool) = start(&database).await;
        sqlx::raw_sql("ALTER TABLE shop.ledger ADD CONSTRAINT no_second CHECK (payload->>'request_id' <> 'order-0000000000000000001')")
            .execute(&pool)
            .await
            .expect("a check");
        let _client = client(language, &database, &[]).await;
        send(&server, 0..3).await;
        booked(&pool, 2).await;
        let died = "SELECT count(*) FROM hookfast.dead_letters WHERE attempts = 2 AND last_error LIKE '%no_second%'";
        assert_eq!(count(&pool, died).await, 1, "{language:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_killed_halfway_commits_nothing_and_another_takes_over() {
    for language in Language::tested() {
        let database = database().await;
        let (server, pool) = start(&database).await;
        let mut lock = pool.begin().await.expect("a transaction");
        sqlx::query("LOCK TABLE shop.ledger")
            .execute(&mut *lock)
            .await
            .expect("locked");
        let mut first = client(language, &database, &[("LEASE", "2 seconds")]).await;
        send(&server, 0..3).await;
        wait_until("a client halfway through its work", async || {
            waiting(&pool).await == 1
        })
        .await;
        first.kill().await;
        lock.rollback().await.expect("unlocked");
        let _second = client(language, &database, &[]).await;
        booked(&pool, 3).await;
        let lost = "SELECT count(*) FROM hookfast.attempts WHERE outcome = 'lost'";
        assert!(
            count(&pool, lost).await >= 1,
            "{language:?}: the crash counts as an attempt"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_resumes_after_its_lease_expired_cannot_commit() {
    for language in Language::tested() {
        let database = database().await;
        let (server, pool) = start(&database).await;
        let mut lock = pool.begin().await.expect("a transaction");
        sqlx::query("LOCK TABLE shop.ledger")
            .execute(&mut *lock)
            .await
            .expect("locked");
        let late = client(
            language,
            &database,
            &[("LEASE", "2 seconds"), ("BATCH", "1")],
        )
        .await;
        send(&server, 0..1).await;
        wait_until("a client halfway through its work", async || {
            waiting(&pool).await == 1
        })
        .await;
        late.signal(Signal::SIGSTOP);
        lock.rollback().await.expect("unlocked");
        let _other = client(language, &database, &[]).await;
        // Its work is written and not committed. The other client repeats it and commits.
        booked(&pool, 1).await;
        late.signal(Signal::SIGCONT);
        late.logged("is not ours any more").await;
        // It continues normally.
        send(&server, 1..4).await;
        booked(&pool, 4).await;
    }
}

/// The client waits for an answer that never arrives. A supervisor can restart it only after it has
/// ended.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_whose_connection_has_died_silently_ends() {
    for language in Language::tested() {
        let database = database().await;
        let line = TcpProxy::start(database.url()).await;
        let (server, pool) = start(&database).await;
        let mut first = language.start(line.url(), "shop", &[("ANSWER_SECONDS", "2")]);
        first.logged("ready").await;
        line.freeze();
        assert!(!first.ended().await.success(), "{language:?}");
        send(&server, 0..1).await;
        let _second = client(language, &database, &[]).await;
        booked(&pool, 1).await;
    }
}

/// How many backends wait for the ledger.
async fn waiting(pool: &PgPool) -> i64 {
    let query =
        "SELECT count(*) FROM pg_locks WHERE relation = 'shop.ledger'::regclass AND NOT granted";
    count(pool, query).await
}
