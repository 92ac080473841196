//! SIGKILL of workers under load, and several workers side by side.

use super::{all_settled, each_delivered_once};
use crate::support::{airalo::Sending, postgres::database, server::Server, sink::Sink, wait_until};
use nix::sys::signal::Signal;

const ORDERS: u64 = 1500;

#[tokio::test(flavor = "multi_thread")]
async fn two_workers_handle_no_delivery_twice() {
    let (database, sink) = (database().await, Sink::start().await);
    let config = sink.config("");
    let ingress = Server::serve(database.url(), &config, &["--roles", "ingress"]);
    let mut workers =
        [0, 1].map(|_| Server::serve(database.url(), &config, &["--roles", "worker"]));
    for server in workers.iter().chain([&ingress]) {
        server.ready().await;
    }
    let mut sending = Sending::start(vec![ingress.ingress().await], 0..ORDERS, 16);
    sending.finish().await;
    let pool = database.pool().await;
    all_settled(&pool).await;
    each_delivered_once(&pool, ORDERS as i64).await;
    let counts = sink.counts();
    assert_eq!(counts.len(), ORDERS as usize);
    assert!(
        counts.values().all(|&times| times == 1),
        "no attempt was made twice"
    );
    let leases: i64 =
        sqlx::query_scalar("SELECT count(DISTINCT lease_id) FROM hookfast_data.attempts")
            .fetch_one(&pool)
            .await
            .expect("a number");
    assert_eq!(leases, 2, "both worked");
    for worker in &mut workers {
        worker.signal(Signal::SIGTERM);
        assert_eq!(worker.ended().await.code(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_delivery_arrives_although_a_worker_is_killed_under_load() {
    let (database, sink) = (database().await, Sink::start().await);
    let config = sink.config("");
    let ingress = Server::serve(database.url(), &config, &["--roles", "ingress"]);
    let mut victim = Server::serve(database.url(), &config, &["--roles", "worker"]);
    for server in [&ingress, &victim] {
        server.ready().await;
    }
    let mut sending = Sending::start(vec![ingress.ingress().await], 0..ORDERS, 16);
    wait_until("some deliveries", async || sink.requests() > 200).await;
    // It hangs now, so that the victim certainly holds deliveries when it dies.
    sink.mode
        .set(hookfast::internals::dev::receiver::Mode::Hang);
    let pool = database.pool().await;
    wait_until("deliveries in flight", async || {
        super::count(
            &pool,
            "SELECT count(*) FROM hookfast_data.outbox WHERE lease_id IS NOT NULL",
        )
        .await
            > 0
    })
    .await;
    victim.kill().await;
    sink.mode.set(hookfast::internals::dev::receiver::Mode::Ok);
    let survivor = Server::serve(database.url(), &config, &["--roles", "worker"]);
    survivor.ready().await;
    sending.finish().await;
    all_settled(&pool).await;
    each_delivered_once(&pool, ORDERS as i64).await;
    assert_eq!(sink.counts().len(), ORDERS as usize);
    let lost = super::count(
        &pool,
        "SELECT count(*) FROM hookfast.attempts WHERE outcome = 'lost'",
    )
    .await;
    assert!(lost > 0, "the victim's deliveries were taken over");
    drop(survivor);
}
