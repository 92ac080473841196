//! The server's queue of notifications is shared by all databases, and any role may fill it.

use super::{Store, verdicts};
use hookfast::internals::dev::postgres::{Cluster, ClusterOptions, Durability};
use hookfast::internals::domain::Origin::Webhook;
use hookfast::internals::store::{Role, ensure_partitions, migrate};
use sqlx::{Connection, Executor, PgConnection, PgPool};

/// The first version with a queue that can be made small enough to be filled in a test.
const FIRST_MAJOR: i32 = 17;

/// A listener that leaves a transaction open keeps every notification in the queue.
#[tokio::test(flavor = "multi_thread")]
async fn events_are_stored_while_a_stranger_keeps_the_notification_queue_full() {
    let shared = crate::support::postgres::database().await;
    let version: String = sqlx::query_scalar("SHOW server_version_num")
        .fetch_one(&shared.pool().await)
        .await
        .expect("a version");
    if version.parse::<i32>().expect("a number") / 10_000 < FIRST_MAJOR {
        #[allow(clippy::print_stdout, reason = "it reports a skipped test")]
        {
            println!(
                "skipped: Postgres {version} has no max_notify_queue_pages; scripts/test --postgres 18 runs this"
            );
        }
        return;
    }
    let mut options = ClusterOptions::temporary(Durability::Fast);
    options
        .settings
        .push(("max_notify_queue_pages".to_owned(), "64".to_owned()));
    let cluster = Cluster::start(options).await.expect("a private Postgres");
    let database: hookfast::internals::store::Database = cluster.url().parse().expect("a URL");
    migrate(&database).await.expect("the migrations");
    ensure_partitions(&PgPool::connect(&cluster.url()).await.expect("connections"))
        .await
        .expect("the partitions");
    let store = Store::at(&cluster.url()).await;
    store
        .execute("INSERT INTO hookfast_data.sources (name, kind) VALUES ('own', 'sql')")
        .await;

    let mut listener = PgConnection::connect(&cluster.url())
        .await
        .expect("a connection");
    listener
        .execute("LISTEN strangers")
        .await
        .expect("everybody may");
    listener
        .execute("BEGIN; SELECT txid_current()")
        .await
        .expect("a transaction that is left open");
    let mut notified = 0;
    while store
        .pool
        .execute("SELECT pg_notify('strangers', repeat('x', 7900))")
        .await
        .is_ok()
    {
        notified += 1;
        assert!(notified < 10_000, "the queue is never full");
    }
    let usage = "SELECT round(pg_notification_queue_usage() * 100)::bigint";
    assert!(store.count(usage).await >= 90, "{notified} notifications");

    let mut ingest = store.connection(Role::Ingest).await;
    let stored = ingest
        .ingest(&[store.event("order-1", None)], Webhook)
        .await;
    assert_eq!(verdicts(&stored), ["stored"]);
    store
        .execute("SELECT hookfast.enqueue('own', 'own.paid', '{}')")
        .await;
    assert_eq!(store.count("SELECT count(*) FROM hookfast.events").await, 2);
    assert_eq!(
        store.claim_all(store.lease().await, 10).await.len(),
        2,
        "both are claimed"
    );
}
