//! A token distinguishes a crash of the server from other breaks of a connection.

use super::Store;
use crate::support::postgres::durable_cluster;
use hookfast::internals::store::Role;
use uuid::Uuid;

async fn token(store: &Store, role: Role) -> Option<Uuid> {
    let connection = store.connection(role).await;
    let epoch = connection.epoch();
    connection.close().await;
    epoch
}

#[tokio::test(flavor = "multi_thread")]
async fn the_epoch_survives_a_clean_restart_and_no_crash() {
    let mut cluster = durable_cluster().await;
    let store = Store::at(&cluster.url()).await;
    let first = token(&store, Role::Lease).await;
    assert!(first.is_some());
    for role in [Role::Claim, Role::Settle, Role::Transaction] {
        assert_eq!(
            token(&store, role).await,
            first,
            "all that act under a lease agree"
        );
    }
    assert_eq!(
        token(&store, Role::Ingest).await,
        None,
        "the others do not query it"
    );

    cluster.restart().await.expect("a clean restart");
    assert_eq!(token(&store, Role::Claim).await, first);

    cluster.stop_immediate().await.expect("it crashes");
    cluster.restart().await.expect("it recovers");
    // The first process makes the new token, and all others find it.
    let (a, b, c) = tokio::join!(
        token(&store, Role::Lease),
        token(&store, Role::Claim),
        token(&store, Role::Settle)
    );
    assert!(a.is_some() && a != first, "a crash is detected");
    assert_eq!((a, a), (b, c));
    assert_eq!(token(&store, Role::Transaction).await, a);
}
