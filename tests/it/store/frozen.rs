//! A connection that does not answer any more is abandoned in bounded time, whatever it was used
//! for.

use super::Store;
use crate::support::tcp_proxy::TcpProxy;
use hookfast::internals::domain::Origin;
use hookfast::internals::store::{
    Channel, Database, IngestError, LeaseId, Listener, Role, ensure_indexes, ensure_partitions,
    migrate, source_ids,
};
use std::time::{Duration, Instant};

async fn line_to(store: &Store) -> (TcpProxy, Database) {
    let line = TcpProxy::start(store.url()).await;
    let database = line.url().parse().expect("a URL");
    (line, database)
}

#[tokio::test]
async fn a_request_on_a_frozen_connection_fails_before_its_sender_times_out() {
    let store = Store::new().await;
    let (line, database) = line_to(&store).await;
    let mut connection = database.connect(Role::Ingest).await.expect("a connection");
    line.freeze();
    let started = Instant::now();
    let answers = connection
        .ingest(&[store.event("frozen", None)], Origin::Webhook)
        .await;
    assert_eq!(answers, [Err(IngestError::Lost)]);
    assert!(
        started.elapsed() < Duration::from_secs(10),
        "{:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_renewal_on_a_frozen_connection_fails_in_time_for_another() {
    let store = Store::new().await;
    let (line, database) = line_to(&store).await;
    let mut connection = database.connect(Role::Lease).await.expect("a connection");
    line.freeze();
    let started = Instant::now();
    connection
        .renew_lease(LeaseId(1), Duration::from_secs(15))
        .await
        .expect_err("no answer");
    assert!(
        started.elapsed() < Duration::from_secs(7),
        "a lease lasts 15 s: {:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn a_pool_whose_idle_connections_are_frozen_uses_new_ones() {
    let store = Store::new().await;
    let (line, database) = line_to(&store).await;
    let pool = database.pool(Role::General, 2);
    let (one, other) = tokio::join!(source_ids(&pool), ensure_partitions(&pool));
    one.expect("sources");
    other.expect("partitions");
    line.freeze();
    // More often than there are connections: each abandoned one makes room for another.
    for _ in 0..4 {
        source_ids(&pool).await.expect("a new connection");
    }
}

#[tokio::test]
async fn a_quiet_listener_finds_out_that_its_connection_is_frozen() {
    let store = Store::new().await;
    let (line, database) = line_to(&store).await;
    let mut listener = Listener::connect(&database, Channel::Wake)
        .await
        .expect("it listens");
    line.freeze();
    let received = tokio::time::timeout(Duration::from_secs(25), listener.next())
        .await
        .expect("not forever");
    received.expect_err("the connection is dead");
}

/// Such work has no deadline; the server reports that it does not work on it any more.
const NOTICED: Duration = Duration::from_secs(60);

#[tokio::test]
async fn an_index_build_over_a_frozen_connection_is_not_awaited() {
    let store = Store::new().await;
    let (line, database) = line_to(&store).await;
    store
        .execute("DROP INDEX IF EXISTS hookfast_data.dead_letters_died")
        .await;
    let frozen = line.freeze_answer_to("hookfast", b"CREATE INDEX CONCURRENTLY");
    let built = tokio::time::timeout(NOTICED, ensure_indexes(&database))
        .await
        .expect("not forever");
    built.expect_err("the answer does not arrive");
    frozen.await.expect("the build was begun");
    ensure_indexes(&database).await.expect("a new connection");
}

#[tokio::test]
async fn a_migration_over_a_frozen_connection_blocks_no_other() {
    let store = Store::new().await;
    let (line, database) = line_to(&store).await;
    store
        .execute("DELETE FROM hookfast_data.schema_objects WHERE name = 'hookfast.status'")
        .await;
    let frozen = line.freeze_answer_to("hookfast", b"CREATE OR REPLACE FUNCTION hookfast.status");
    let migrated = tokio::time::timeout(NOTICED, migrate(&database))
        .await
        .expect("not forever");
    migrated.expect_err("the answer does not arrive");
    frozen.await.expect("the function was sent");
    let started = Instant::now();
    assert_eq!(
        migrate(&database).await.expect("the lock is free").objects,
        1
    );
    assert!(
        started.elapsed() < Duration::from_secs(30),
        "{:?}",
        started.elapsed()
    );
}
