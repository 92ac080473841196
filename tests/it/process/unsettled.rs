//! Commits that do not return: how far a worker runs ahead of them, and how many deliveries run
//! twice because of it.

use super::{all_settled, count};
use crate::support::{postgres::durable_cluster, server::Server, sink::Sink, wait_until};
use sqlx::{Connection, PgConnection};
use std::time::{Duration, Instant};

const EVENTS: usize = 2000;

/// The outcomes of one handler that may wait to be settled, and its slots: twice its concurrency.
const BOUND: usize = 512 + 2 * 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_whose_commits_do_not_return_runs_ahead_no_further_than_its_bound() {
    let (cluster, sink) = (durable_cluster().await, Sink::start().await);
    let config = format!(
        "{}\n[sources.shop]\nkind = \"sql\"\n",
        sink.config("concurrency = 4")
    );
    let mut server = Server::serve(&cluster.url(), &config, &[]);
    server.ready().await;
    let mut connection = PgConnection::connect(&cluster.url())
        .await
        .expect("a connection");
    for statement in [
        "SELECT hookfast.pause_handler('sink', 'until no commit returns')".to_owned(),
        format!(
            "SELECT hookfast.enqueue('shop', 'shop.sold', '{{}}') FROM generate_series(1, {EVENTS})"
        ),
        "ALTER SYSTEM SET synchronous_standby_names = 'away'".to_owned(),
        "SELECT pg_reload_conf()".to_owned(),
    ] {
        sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
            .execute(&mut connection)
            .await
            .expect("a statement");
    }
    // Commits of this connection do return.
    wait_until("the setting", async || {
        let shown: String = sqlx::query_scalar("SHOW synchronous_standby_names")
            .fetch_one(&mut connection)
            .await
            .expect("a setting");
        shown == "away"
    })
    .await;
    sqlx::raw_sql(
        "SET synchronous_commit = local; SELECT hookfast.resume_handler('sink', why => 'a test')",
    )
    .execute(&mut connection)
    .await
    .expect("it continues");
    wait_until("outcomes that wait", async || sink.requests() >= 512).await;
    // It has slots and time for far more than the bound, if nothing stops it.
    let watched = Instant::now();
    while watched.elapsed() < Duration::from_secs(2) {
        assert!(
            sink.requests() <= BOUND,
            "{} were delivered without being settled",
            sink.requests()
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    server.kill().await;
    let delivered = sink.requests();
    sqlx::raw_sql("ALTER SYSTEM RESET synchronous_standby_names")
        .execute(&mut connection)
        .await
        .expect("a setting");
    sqlx::raw_sql("SELECT pg_reload_conf()")
        .execute(&mut connection)
        .await
        .expect("a signal");
    let successor = Server::serve(&cluster.url(), &config, &[]);
    successor.ready().await;
    let pool = sqlx::PgPool::connect(&cluster.url())
        .await
        .expect("a connection");
    all_settled(&pool).await;
    assert_eq!(
        count(
            &pool,
            "SELECT count(*) FROM hookfast.attempts WHERE outcome = 'delivered'"
        )
        .await,
        EVENTS as i64
    );
    assert_eq!(sink.counts().len(), EVENTS);
    assert!(
        sink.requests() - EVENTS <= BOUND,
        "{delivered} before, {} in all",
        sink.requests()
    );
}
