//! SIGTERM: running attempts finish, deliveries that have not started are released, and no attempt
//! is counted.

use super::{count, gate::Gate};
use crate::support::{
    airalo::{order, post},
    postgres::database,
    server::Server,
    wait_until,
};
use nix::sys::signal::Signal;

#[tokio::test]
async fn sigterm_finishes_running_attempts_and_releases_the_rest() {
    let (database, gate) = (database().await, Gate::start().await);
    let pool = database.pool().await;
    let mut server = Server::serve(database.url(), &gate.config("concurrency = 2"), &[]);
    server.ready().await;
    let ingress = server.ingress().await;
    for i in 0..10 {
        assert_eq!(
            post(ingress, &order(&format!("shutdown-{i:016}"), i))
                .await
                .0,
            200
        );
    }
    wait_until("two attempts that run", async || gate.arrived() == 2).await;
    // The same number is claimed but not started, ready to run when one ends.
    wait_until("two that are held", async || {
        count(
            &pool,
            "SELECT count(*) FROM hookfast_data.outbox WHERE lease_id IS NOT NULL",
        )
        .await
            == 4
    })
    .await;

    server.signal(Signal::SIGTERM);
    server.logged("stopping").await;
    wait_until("the release of unstarted deliveries", async || {
        count(
            &pool,
            "SELECT count(*) FROM hookfast_data.outbox WHERE lease_id IS NOT NULL",
        )
        .await
            == 2
    })
    .await;
    wait_until("no new connections", async || {
        tokio::net::TcpStream::connect(ingress).await.is_err()
    })
    .await;
    gate.open();
    assert_eq!(server.ended().await.code(), Some(0));

    assert_eq!(
        gate.arrived(),
        2,
        "no delivery was started after the signal"
    );
    assert_eq!(
        count(
            &pool,
            "SELECT count(*) FROM hookfast.attempts WHERE outcome = 'delivered'"
        )
        .await,
        2
    );
    assert_eq!(
        count(&pool, "SELECT count(*) FROM hookfast.attempts").await,
        2,
        "a release is no attempt"
    );
    assert_eq!(
        count(&pool, "SELECT count(*) FROM hookfast_data.outbox WHERE lease_id IS NULL AND attempts_left = 12").await,
        8
    );
    assert_eq!(
        count(&pool, "SELECT count(*) FROM hookfast_data.leases").await,
        0,
        "the lease was released"
    );
}

#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let (database, gate) = (database().await, Gate::start().await);
    let mut server = Server::serve(database.url(), &gate.config(""), &[]);
    server.ready().await;
    assert_eq!(
        post(server.ingress().await, &order("second-signal", 1))
            .await
            .0,
        200
    );
    wait_until("an attempt that runs", async || gate.arrived() == 1).await;
    server.signal(Signal::SIGTERM);
    server.logged("stopping").await;
    server.signal(Signal::SIGTERM);
    assert_eq!(
        server.ended().await.code(),
        Some(130),
        "not only after the shutdown timeout: the gate is still closed"
    );
}
