//! The helpers of the other tests work.

use crate::support::postgres::{Database, database};
use crate::support::tcp_proxy::TcpProxy;
use crate::support::{wait_until, wait_until_within};
use sqlx::{Connection, PgConnection};
use std::time::Duration;
use tokio::time::timeout;

async fn with_table() -> Database {
    let database = database().await;
    execute(&mut database.connect().await, "CREATE TABLE t (n int)")
        .await
        .expect("a table");
    database
}

async fn execute(
    connection: &mut PgConnection,
    statement: &'static str,
) -> Result<(), sqlx::Error> {
    sqlx::query(statement).execute(connection).await.map(|_| ())
}

async fn count(database: &Database) -> i64 {
    sqlx::query_scalar("SELECT count(*) FROM t")
        .fetch_one(&mut database.connect().await)
        .await
        .expect("a count")
}

#[tokio::test]
async fn each_test_has_a_database_of_its_own() {
    let (one, other) = (with_table().await, database().await);
    let there: Option<String> = sqlx::query_scalar("SELECT to_regclass('t')::text")
        .fetch_one(&mut other.connect().await)
        .await
        .expect("an answer");
    assert_eq!((count(&one).await, there), (0, None));
}

#[tokio::test]
async fn a_database_is_dropped_even_with_open_connections() {
    let (one, other) = (database().await, database().await);
    let name = url::Url::parse(one.url()).expect("a URL").path()[1..].to_owned();
    let (_connected, mut connection) = (one.connect().await, other.connect().await);
    drop(one);
    wait_until("the database to be dropped", async || {
        let found = sqlx::query("SELECT FROM pg_database WHERE datname = $1").bind(&name);
        found
            .fetch_optional(&mut connection)
            .await
            .expect("an answer")
            .is_none()
    })
    .await;
}

#[tokio::test]
#[should_panic(expected = "not within 1ms: pigs to fly")]
async fn a_timed_out_wait_names_its_condition() {
    wait_until_within(Duration::from_millis(1), "pigs to fly", async || false).await;
}

#[tokio::test]
async fn the_answer_to_a_commit_is_lost_and_the_commit_is_not() {
    let database = with_table().await;
    let proxy = TcpProxy::start(database.url()).await;
    let mut connection = PgConnection::connect(proxy.url())
        .await
        .expect("a connection through the proxy");
    let broken = proxy.lose_answer_to(b"COMMIT");
    let mut transaction = connection.begin().await.expect("a transaction");
    execute(&mut transaction, "INSERT INTO t VALUES (1)")
        .await
        .expect("an insert before the break");
    assert!(
        transaction.commit().await.is_err(),
        "the client has no answer"
    );
    broken.await.expect("the line is broken");
    assert_eq!(count(&database).await, 1);
    PgConnection::connect(proxy.url())
        .await
        .expect("only one connection was to break");
}

#[tokio::test]
async fn the_answer_to_a_statement_with_parameters_is_lost_and_its_effect_is_not() {
    let database = with_table().await;
    let proxy = TcpProxy::start(database.url()).await;
    let mut connection = PgConnection::connect(proxy.url())
        .await
        .expect("a connection through the proxy");
    let broken = proxy.lose_answer_to(b"a needle");
    let insert = sqlx::query("INSERT INTO t SELECT length($1)")
        .bind("hay, a needle, hay")
        .execute(&mut connection);
    assert!(insert.await.is_err(), "the client has no answer");
    broken.await.expect("the line is broken");
    assert_eq!(count(&database).await, 1);
}

#[tokio::test]
async fn the_connection_breaks_within_an_answer() {
    let database = with_table().await;
    let proxy = TcpProxy::start(database.url()).await;
    let mut connection = PgConnection::connect(proxy.url())
        .await
        .expect("a connection through the proxy");
    let broken = proxy.cut_after_server_bytes(100_000);
    let answer: Result<String, _> = sqlx::query_scalar("SELECT repeat('x', 200000)")
        .fetch_one(&mut connection)
        .await;
    assert!(answer.is_err(), "half an answer does not count");
    broken.await.expect("the line is broken");
}

#[tokio::test]
async fn a_cut_proxy_resets_all_connections_until_it_is_open_again() {
    let database = database().await;
    let proxy = TcpProxy::start(database.url()).await;
    let mut connection = PgConnection::connect(proxy.url())
        .await
        .expect("a connection through the proxy");
    proxy.cut();
    assert!(execute(&mut connection, "SELECT 1").await.is_err());
    assert!(PgConnection::connect(proxy.url()).await.is_err());
    proxy.open();
    PgConnection::connect(proxy.url())
        .await
        .expect("a connection through the restored proxy");
}

#[tokio::test]
async fn a_stalled_proxy_answers_once_it_moves() {
    let database = database().await;
    let proxy = TcpProxy::start(database.url()).await;
    let mut connection = PgConnection::connect(proxy.url())
        .await
        .expect("a connection through the proxy");
    proxy.stall();
    let mut select = Box::pin(execute(&mut connection, "SELECT 1"));
    assert!(
        timeout(Duration::from_millis(100), &mut select)
            .await
            .is_err(),
        "no bytes are transferred"
    );
    proxy.open();
    select.await.expect("the answer, late");
}
