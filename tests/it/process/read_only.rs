//! A database that answers and stores nothing: read-only after a failover, or with a full disk.

use super::{all_settled, count, each_delivered_once, gate::Gate};
use crate::support::{
    airalo::{order, post},
    postgres::{database, durable_cluster},
    server::{Server, get},
    wait_until,
};
use sqlx::{AssertSqlSafe, Executor, PgPool};
use std::time::Duration;

const CONFIG: &str = "[sources.airalo]\nkind = 'airalo'\nsecrets = ['env:AIRALO_CLIENT_SECRET']\n";

/// Warnings and errors logged, and sessions opened, within ten seconds of an outcome that cannot be
/// stored.
async fn ten_seconds_of_failure(server: &Server, pool: &PgPool) -> (usize, i64) {
    let sessions = async || {
        // The statistics arrive late, but they count every session.
        count(
            pool,
            "SELECT sessions FROM pg_stat_database WHERE datname = current_database()",
        )
        .await
    };
    let lines = || {
        server
            .log()
            .lines()
            .filter(|line| line.contains("WARN") || line.contains("ERROR"))
            .count()
    };
    let before = (lines(), sessions().await);
    // A fixed time, since the count per time is measured.
    tokio::time::sleep(Duration::from_secs(10)).await;
    (lines() - before.0, sessions().await - before.1)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_database_gets_no_writes_and_settles_once_writable() {
    let (cluster, gate) = (durable_cluster().await, Gate::start().await);
    let pool = PgPool::connect(&cluster.url()).await.expect("a connection");
    let server = Server::serve(&cluster.url(), &gate.config(""), &[]);
    server.ready().await;
    assert_eq!(
        post(server.ingress().await, &order("read-only", 1)).await.0,
        200
    );
    wait_until("an attempt that runs", async || gate.arrived() == 1).await;
    let read_only = async |to: &'static str| {
        pool.execute(AssertSqlSafe(format!(
            "ALTER SYSTEM SET default_transaction_read_only = {to}"
        )))
        .await
        .expect("set");
        pool.execute("SELECT pg_reload_conf()")
            .await
            .expect("reloaded");
    };
    read_only("on").await;
    gate.open();
    server.logged("settle: ").await;
    let (lines, sessions) = ten_seconds_of_failure(&server, &pool).await;
    // One line for each part and job that needs the database.
    assert!(
        lines <= 20 && sessions <= 40,
        "{lines} lines and {sessions} sessions in ten seconds"
    );

    let (ingress, admin) = (server.ingress().await, server.admin().await);
    assert_eq!(post(ingress, &order("refused", 2)).await.0, 503);
    wait_until("it is not ready", async || {
        get(admin, "/readyz").await == 503
    })
    .await;
    read_only("off").await;
    all_settled(&pool).await;
    each_delivered_once(&pool, 1).await;
    wait_until("readiness", async || get(admin, "/readyz").await == 200).await;
    assert_eq!(post(ingress, &order("refused", 2)).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_waited_for_without_spinning() {
    let (database, gate) = (database().await, Gate::start().await);
    let pool = database.pool().await;
    let server = Server::serve(database.url(), &gate.config(""), &[]);
    server.ready().await;
    assert_eq!(
        post(server.ingress().await, &order("full-disk", 1)).await.0,
        200
    );
    wait_until("an attempt that runs", async || gate.arrived() == 1).await;
    pool.execute(
        "CREATE FUNCTION public.disk_is_full() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE 'no space left on device' USING ERRCODE = '53100'; END $$; \
         CREATE TRIGGER disk_is_full BEFORE INSERT ON hookfast_data.attempts \
         FOR EACH ROW EXECUTE FUNCTION public.disk_is_full()",
    )
    .await
    .expect("a trigger");
    gate.open();
    server.logged("settle: ").await;
    let (lines, sessions) = ten_seconds_of_failure(&server, &pool).await;
    assert!(
        lines <= 5 && sessions <= 20,
        "{lines} lines and {sessions} sessions in ten seconds"
    );
    pool.execute("DROP TRIGGER disk_is_full ON hookfast_data.attempts")
        .await
        .expect("dropped");
    all_settled(&pool).await;
    each_delivered_once(&pool, 1).await;
}

/// A sender whose webhooks are rejected may pause for long, and a load balancer sends nothing to a
/// process that is not ready.
#[tokio::test(flavor = "multi_thread")]
async fn an_intake_that_stores_nothing_is_not_ready_until_it_would_store() {
    let database = database().await;
    let pool = database.pool().await;
    let server = Server::serve(database.url(), CONFIG, &["--roles", "ingress"]);
    server.ready().await;
    let (ingress, admin) = (server.ingress().await, server.admin().await);
    pool.execute(
        "CREATE FUNCTION public.disk_is_full() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN RAISE 'no space left on device' USING ERRCODE = '53100'; END $$; \
         CREATE TRIGGER disk_is_full BEFORE INSERT ON hookfast_data.events \
         FOR EACH ROW EXECUTE FUNCTION public.disk_is_full()",
    )
    .await
    .expect("a trigger");
    assert_eq!(post(ingress, &order("full", 1)).await.0, 503);
    wait_until("it is not ready", async || {
        get(admin, "/readyz").await == 503
    })
    .await;
    // An idle connection is checked every five seconds.
    for _ in 0..12 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(get(admin, "/readyz").await, 503, "{}", server.log());
    }
    pool.execute("DROP TRIGGER disk_is_full ON hookfast_data.events")
        .await
        .expect("dropped");
    wait_until("readiness without a webhook", async || {
        get(admin, "/readyz").await == 200
    })
    .await;
    assert_eq!(post(ingress, &order("full", 1)).await.0, 200);
    assert_eq!(
        count(
            &pool,
            "SELECT count(*) FROM hookfast.events WHERE origin <> 'hookfast'"
        )
        .await,
        1
    );
}
