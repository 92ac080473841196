//! A process that is started on a read-only server waits, and continues when it may write.

use super::count;
use crate::support::{
    airalo::post,
    postgres::{database, durable_cluster},
    server::Server,
    sink::Sink,
    wait_until, wait_until_within,
};
use hookfast::sources::airalo::sample;
use std::{process::Command, time::Duration};

/// Well below the five seconds after which a process adds its counts at the latest.
const SOON: Duration = Duration::from_secs(3);

const CONFIG: &str =
    "[sources.airalo]\nkind = \"airalo\"\nsecrets = [\"env:AIRALO_CLIENT_SECRET\"]\n";

#[tokio::test(flavor = "multi_thread")]
async fn on_a_standby_it_waits_and_accepts_webhooks_once_that_is_promoted() {
    let mut cluster = durable_cluster().await;
    // A first start registers everything.
    let mut before = Server::serve(&cluster.url(), CONFIG, &[]);
    before.ready().await;
    before.kill().await;
    std::fs::write(cluster.data_dir().join("standby.signal"), "").expect("a standby from now on");
    cluster.restart().await.expect("a standby");
    let pool = sqlx::PgPool::connect(&cluster.url())
        .await
        .expect("connections");
    assert_eq!(
        count(&pool, "SELECT pg_is_in_recovery()::integer::bigint").await,
        1
    );

    let server = Server::serve(&cluster.url(), CONFIG, &[]);
    server.logged("the server is read-only").await;
    let body = sample("order.completed").expect("a sample");
    assert_eq!(post(server.ingress().await, body).await.0, 503);
    let mut migrate = Command::new(env!("CARGO_BIN_EXE_hookfast"));
    let migrated = migrate
        .arg("migrate")
        .env("DATABASE_URL", cluster.url())
        .output()
        .expect("it runs");
    let printed = String::from_utf8_lossy(&migrated.stdout);
    assert!(
        migrated.status.success() && printed.contains("the server only reads"),
        "{migrated:?}"
    );

    sqlx::query("SELECT pg_promote()")
        .execute(&pool)
        .await
        .expect("promoted");
    server.ready().await;
    assert_eq!(post(server.ingress().await, body).await.0, 200);
}

/// As after an upgrade of the program while the disk is full.
#[tokio::test(flavor = "multi_thread")]
async fn with_migrations_pending_it_waits_for_a_read_only_database() {
    let database = database().await;
    let mut connection = database.connect().await;
    let mut run = async |statement: &str| {
        let statement =
            format!("DO $$ BEGIN EXECUTE format('{statement}', current_database()); END $$");
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut connection)
            .await
            .expect("a statement");
    };
    run("DROP SCHEMA hookfast, hookfast_data CASCADE").await;
    run("ALTER DATABASE %I SET default_transaction_read_only = on").await;
    let server = Server::serve(database.url(), CONFIG, &[]);
    server.logged("the database cannot be reached").await;
    let body = sample("order.completed").expect("a sample");
    assert_eq!(post(server.ingress().await, body).await.0, 503);
    run("ALTER DATABASE %I RESET default_transaction_read_only").await;
    server.ready().await;
    assert_eq!(post(server.ingress().await, body).await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_names_handlers_that_no_configuration_has_and_discards_for_retired_ones() {
    let (database, sink) = (database().await, Sink::start().await);
    let pool = database.pool().await;
    let mut before = Server::serve(database.url(), &sink.config(""), &[]);
    before.ready().await;
    let registered = "SELECT count(*) FROM hookfast.processes WHERE handlers = '{sink}' AND sources = '{airalo}'";
    wait_until("the first heartbeat", async || {
        count(&pool, registered).await == 1
    })
    .await;
    // Another process in a rolling deployment: the first still has the handler.
    let renamed = sink
        .config("")
        .replace("[handlers.sink]", "[handlers.renamed]");
    let mut deployed = Server::serve(database.url(), &renamed, &[]);
    deployed.ready().await;
    assert!(
        !deployed.log().contains("hookfast handlers retire"),
        "{}",
        deployed.log()
    );
    before.signal(nix::sys::signal::Signal::SIGTERM);
    before.ended().await;
    deployed.kill().await;

    let server = Server::serve(database.url(), &renamed, &[]);
    server.ready().await;
    server
        .logged("registered handlers are neither in this configuration")
        .await;
    server.logged("handlers=\"sink\"").await;
    let body = sample("order.completed").expect("a sample");
    assert_eq!(post(server.ingress().await, body).await.0, 200);
    let retire = "SELECT hookfast.retire_handler('sink', 'renamed', 'keep', at_most => 10)";
    sqlx::query(retire).execute(&pool).await.expect("retired");
    let kept =
        "SELECT count(*) FROM hookfast.deliveries WHERE handler = 'sink' AND state = 'retired'";
    assert_eq!(count(&pool, kept).await, 1);
    sqlx::query(
        "UPDATE hookfast_data.handlers SET retired_pending = 'discard' WHERE name = 'sink'",
    )
    .execute(&pool)
    .await
    .expect("as if it had arrived late");
    wait_until_within(Duration::from_secs(30), "a discarded delivery", async || {
        count(&pool, "SELECT count(*) FROM hookfast.deliveries WHERE handler = 'sink' AND state = 'discarded'").await
            == 1
    })
    .await;
    let refused = sqlx::query("SELECT hookfast.retire_handler('renamed', 'x', at_most => 10)")
        .execute(&pool)
        .await;
    let refused = refused.expect_err("it is served").to_string();
    assert!(
        refused.contains("handler renamed is in use: the process "),
        "{refused}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn status_is_right_soon_after_a_start_and_soon_after_an_event() {
    let (database, sink) = (database().await, Sink::start().await);
    let pool = database.pool().await;
    let printed = async |area: &str| -> String {
        let query = "SELECT coalesce(string_agg(state || ' | ' || message, '; '), 'nothing') FROM hookfast.status() WHERE area = $1";
        sqlx::query_scalar(query)
            .bind(area)
            .fetch_one(&pool)
            .await
            .expect("the status")
    };
    let server = Server::serve(database.url(), &sink.config(""), &[]);
    server.ready().await;
    wait_until_within(
        SOON,
        "a status that knows the process is ready",
        async || {
            printed("intake")
                .await
                .contains("ok | 1 of 1 live process receives webhooks")
        },
    )
    .await;
    let body = sample("order.completed").expect("a sample");
    assert_eq!(post(server.ingress().await, body).await.0, 200);
    wait_until_within(
        SOON,
        "a status that knows the event and its delivery",
        async || {
            printed("source").await.contains(", 1 in the last hour")
                && printed("handler")
                    .await
                    .contains(" 1 delivered and 0 failed")
        },
    )
    .await;
    wait_until_within(SOON, "how long the attempt took", async || {
        count(&pool, "SELECT count(*) FROM hookfast.durations WHERE handler = 'sink' AND attempts_last_hour = 1").await
            == 1
    })
    .await;
}
