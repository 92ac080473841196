//! Connections that die silently: nothing is closed or reset, nothing answers any more, and new
//! connections work. The causes are a failover behind a proxy, a dropped NAT entry, or a server
//! process that hangs.

use super::{all_settled, each_delivered_once};
use crate::support::{
    airalo::{Sending, order, post},
    postgres::{database, durable_cluster},
    server::{Server, get},
    sink::Sink,
    tcp_proxy::TcpProxy,
    wait_until, wait_until_within,
};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use sqlx::PgPool;
use std::time::{Duration, Instant};

/// Longer than any deadline of a statement.
const RECOVERY: Duration = Duration::from_secs(45);

const SHORT_GRACE: &str = "[worker]\nshutdown_timeout = \"3s\"";

/// Posts webhooks to a server whose connections have just died, until every one is acknowledged.
async fn intake_recovers(server: &Server) {
    let (ingress, admin, started) = (server.ingress().await, server.admin().await, Instant::now());
    let mut sending = Sending::start(vec![ingress], 100..130, 4);
    wait_until("requests that wait make it not ready", async || {
        get(admin, "/readyz").await == 503
    })
    .await;
    sending.finish().await;
    assert!(
        started.elapsed() < Duration::from_secs(30),
        "intake took {:?} to recover",
        started.elapsed()
    );
    wait_until("readiness", async || get(admin, "/readyz").await == 200).await;
}

async fn ends_on_sigterm(server: &mut Server) {
    let started = Instant::now();
    server.signal(Signal::SIGTERM);
    assert_eq!(server.ended().await.code(), Some(0));
    assert!(
        started.elapsed() < Duration::from_secs(12),
        "the shutdown took {:?}",
        started.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn frozen_connections_delay_neither_intake_nor_deliveries_nor_the_end() {
    let (database, sink) = (database().await, Sink::start().await);
    let (line, pool) = (TcpProxy::start(database.url()).await, database.pool().await);
    let mut server = Server::serve(line.url(), &sink.config(SHORT_GRACE), &[]);
    server.ready().await;
    assert_eq!(
        post(server.ingress().await, &order("before", 1)).await.0,
        200
    );
    all_settled(&pool).await;
    line.freeze();
    intake_recovers(&server).await;
    all_settled(&pool).await;
    each_delivered_once(&pool, 31).await;
    assert_eq!(get(server.admin().await, "/healthz").await, 200);
    ends_on_sigterm(&mut server).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ingress_alone_recovers_from_frozen_connections() {
    let (database, sink) = (database().await, Sink::start().await);
    let line = TcpProxy::start(database.url()).await;
    let mut server = Server::serve(
        line.url(),
        &sink.config(SHORT_GRACE),
        &["--roles", "ingress"],
    );
    server.ready().await;
    assert_eq!(
        post(server.ingress().await, &order("before", 1)).await.0,
        200
    );
    line.freeze();
    intake_recovers(&server).await;
    ends_on_sigterm(&mut server).await;
}

/// No webhook arrives: the process detects it by itself, so that the next webhook does not have to.
#[tokio::test(flavor = "multi_thread")]
async fn an_idle_ingress_replaces_frozen_connections_before_a_webhook_needs_them() {
    let (database, sink) = (database().await, Sink::start().await);
    let line = TcpProxy::start(database.url()).await;
    let server = Server::serve(line.url(), &sink.config(""), &["--roles", "ingress"]);
    server.ready().await;
    let (ingress, admin) = (server.ingress().await, server.admin().await);
    line.freeze();
    wait_until_within(RECOVERY, "it is not ready", async || {
        get(admin, "/readyz").await == 503
    })
    .await;
    wait_until("readiness", async || get(admin, "/readyz").await == 200).await;
    let started = Instant::now();
    assert_eq!(post(ingress, &order("after", 1)).await.0, 200);
    assert!(
        started.elapsed() < Duration::from_secs(2),
        "a new connection existed: {:?}",
        started.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_alone_recovers_from_frozen_connections() {
    let (database, sink) = (database().await, Sink::start().await);
    let (line, pool) = (TcpProxy::start(database.url()).await, database.pool().await);
    let config = sink.config(SHORT_GRACE);
    let ingress = Server::serve(database.url(), &config, &["--roles", "ingress"]);
    let mut worker = Server::serve(line.url(), &config, &["--roles", "worker"]);
    ingress.ready().await;
    worker.ready().await;
    let (address, admin) = (ingress.ingress().await, worker.admin().await);
    assert_eq!(post(address, &order("before", 1)).await.0, 200);
    all_settled(&pool).await;
    line.freeze();
    assert_eq!(post(address, &order("after", 2)).await.0, 200);
    wait_until("it is not ready", async || {
        get(admin, "/readyz").await == 503
    })
    .await;
    wait_until_within(RECOVERY, "the delivery", async || sink.requests() == 2).await;
    all_settled(&pool).await;
    each_delivered_once(&pool, 2).await;
    wait_until("readiness", async || get(admin, "/readyz").await == 200).await;
    assert_eq!(get(admin, "/healthz").await, 200);
    ends_on_sigterm(&mut worker).await;
}

/// A handler that records the events it has seen.
const SEEN: &str = "CREATE SCHEMA shop; CREATE TABLE shop.seen (event uuid); \
    CREATE FUNCTION shop.on_webhook(event hookfast.event) RETURNS void LANGUAGE sql AS \
    'INSERT INTO shop.seen VALUES ((event).event_id)'";
const BOOKS: &str = "[handlers.books]\nkind = \"sql\"\ntypes = [\"*\"]\nfunction = \"shop.on_webhook\"\ntimeout = \"2s\"";

/// The server commits, and the answer never arrives: the rows of the handler exist once.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_a_response_blocks_no_handler_and_happens_once() {
    let (database, sink) = (database().await, Sink::start().await);
    let (line, pool) = (TcpProxy::start(database.url()).await, database.pool().await);
    sqlx::raw_sql(SEEN)
        .execute(&pool)
        .await
        .expect("a function");
    let server = Server::serve(line.url(), &sink.config(BOOKS), &[]);
    server.ready().await;
    let frozen = line.freeze_answer_to("hookfast transaction", b"COMMIT\0");
    assert_eq!(
        post(server.ingress().await, &order("commit", 1)).await.0,
        200
    );
    frozen.await.expect("a commit");
    assert_eq!(post(server.ingress().await, &order("next", 2)).await.0, 200);
    let seen = async |expected| {
        let query = "SELECT count(*) = $1 AND count(DISTINCT event) = $1 FROM shop.seen";
        sqlx::query_scalar(query)
            .bind(expected)
            .fetch_one(&pool)
            .await
            .expect("an answer")
    };
    wait_until("the next one", async || seen(2i64).await).await;
    // The outcome of the first delivery is settled, and found to be settled already.
    server.logged("a late outcome was discarded").await;
    all_settled(&pool).await;
    assert!(seen(2).await);
}

/// The time to detect that the server does not work on a statement any more.
const LONG_RECOVERY: Duration = Duration::from_secs(90);

/// The connection of a handler that may take an hour dies silently at a statement: its delivery is
/// run again long before that.
async fn a_frozen_response_blocks_no_delivery(statement: &[u8], logged: &str) {
    let (database, sink) = (database().await, Sink::start().await);
    let (line, pool) = (TcpProxy::start(database.url()).await, database.pool().await);
    sqlx::raw_sql(SEEN)
        .execute(&pool)
        .await
        .expect("a function");
    let server = Server::serve(line.url(), &sink.config(&BOOKS.replace("2s", "1h")), &[]);
    server.ready().await;
    let frozen = line.freeze_answer_to("hookfast transaction", statement);
    assert_eq!(post(server.ingress().await, &order("long", 1)).await.0, 200);
    frozen.await.expect("the statement was sent");
    let ended = async || {
        let query = "SELECT (SELECT count(*) FROM shop.seen) = 1 AND NOT EXISTS (SELECT FROM hookfast_data.outbox)";
        sqlx::query_scalar(query)
            .fetch_one(&pool)
            .await
            .expect("an answer")
    };
    wait_until_within(LONG_RECOVERY, "its effects, once", ended).await;
    wait_until_within(LONG_RECOVERY, logged, async || {
        server.log().contains(logged)
    })
    .await;
}

const NOT_BEGUN: &str = "a settling transaction could not begin";

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_lock_of_a_delivery_is_not_awaited_for_the_whole_timeout() {
    a_frozen_response_blocks_no_delivery(b"FOR UPDATE", NOT_BEGUN).await;
}

/// The server holds the lock already, with the handler's time limit.
#[tokio::test(flavor = "multi_thread")]
async fn a_connection_frozen_at_begin_does_not_keep_its_lock_for_the_whole_timeout() {
    a_frozen_response_blocks_no_delivery(b"plan_cache_mode = force_custom_plan", NOT_BEGUN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_response_of_a_function_is_not_awaited_for_the_whole_timeout() {
    a_frozen_response_blocks_no_delivery(
        b"hookfast: sql handler",
        "the connection to the database broke",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_commit_is_not_awaited_for_the_whole_timeout() {
    a_frozen_response_blocks_no_delivery(b"COMMIT\0", "a late outcome was discarded").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_in_time_with_every_connection_frozen() {
    let (database, sink) = (database().await, Sink::start().await);
    let line = TcpProxy::start(database.url()).await;
    let mut server = Server::serve(line.url(), &sink.config(SHORT_GRACE), &[]);
    server.ready().await;
    let ingress = server.ingress().await;
    assert_eq!(post(ingress, &order("before", 1)).await.0, 200);
    line.stall();
    let waits = tokio::spawn(async move { post(ingress, &order("during", 2)).await });
    ends_on_sigterm(&mut server).await;
    waits.abort();
}

/// The server's processes of the open connections, stopped until the value is dropped.
struct StoppedBackends(Vec<Pid>);

impl StoppedBackends {
    async fn stop(pool: &PgPool) -> Self {
        let pids: Vec<i32> = sqlx::query_scalar(
            "SELECT pid FROM pg_stat_activity WHERE backend_type = 'client backend' AND application_name LIKE 'hookfast%'",
        )
        .fetch_all(pool)
        .await
        .expect("the server's processes");
        assert!(pids.len() > 3, "{pids:?}");
        let pids: Vec<Pid> = pids.into_iter().map(Pid::from_raw).collect();
        for pid in &pids {
            kill(*pid, Signal::SIGSTOP).expect("it is there");
        }
        Self(pids)
    }
}

impl Drop for StoppedBackends {
    fn drop(&mut self) {
        for pid in &self.0 {
            let _ = kill(*pid, Signal::SIGCONT);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn stopped_server_processes_delay_neither_intake_nor_deliveries() {
    let (cluster, sink) = (durable_cluster().await, Sink::start().await);
    let pool = PgPool::connect(&cluster.url()).await.expect("a connection");
    let mut server = Server::serve(&cluster.url(), &sink.config(SHORT_GRACE), &[]);
    server.ready().await;
    assert_eq!(
        post(server.ingress().await, &order("before", 1)).await.0,
        200
    );
    all_settled(&pool).await;
    let stopped = StoppedBackends::stop(&pool).await;
    intake_recovers(&server).await;
    all_settled(&pool).await;
    each_delivered_once(&pool, 31).await;
    ends_on_sigterm(&mut server).await;
    drop(stopped);
}
