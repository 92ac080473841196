//! SIGSTOP past the lease, then SIGCONT: others have taken over, and late results change nothing.

use super::{TAKEN_OVER, all_settled, count, gate::Gate};
use crate::support::{
    airalo::{order, post},
    postgres::database,
    server::Server,
    wait_until, wait_until_within,
};
use nix::sys::signal::Signal;

#[tokio::test(flavor = "multi_thread")]
async fn a_late_outcome_is_discarded() {
    let (database, gate) = (database().await, Gate::start().await);
    let pool = database.pool().await;
    let config = gate.config("");
    let stopped = Server::serve(database.url(), &config, &[]);
    stopped.ready().await;
    assert_eq!(
        post(stopped.ingress().await, &order("stopped", 1)).await.0,
        200
    );
    wait_until("the late attempt", async || gate.arrived() == 1).await;
    stopped.signal(Signal::SIGSTOP);

    let other = Server::serve(database.url(), &config, &["--roles", "worker"]);
    other.ready().await;
    wait_until_within(
        TAKEN_OVER,
        "the second attempt, by the other worker",
        async || gate.arrived() == 2,
    )
    .await;
    gate.open();
    all_settled(&pool).await;
    let history = "SELECT string_agg(outcome, ',' ORDER BY attempt_number) FROM hookfast.attempts";
    let before: String = sqlx::query_scalar(history)
        .fetch_one(&pool)
        .await
        .expect("the attempts");
    assert_eq!(before, "lost,delivered");

    stopped.signal(Signal::SIGCONT);
    // It detects that its lease is lost and gets a new one. Only then has all of its old work
    // ended.
    stopped.logged("this worker's lease no longer exists").await;
    wait_until("its new lease", async || {
        count(
            &pool,
            "SELECT count(*) FROM hookfast_data.leases WHERE expires_at > clock_timestamp()",
        )
        .await
            == 2
    })
    .await;
    assert_eq!(
        post(stopped.ingress().await, &order("after", 2)).await.0,
        200,
        "it works again"
    );
    all_settled(&pool).await;
    let after: String = sqlx::query_scalar(
        "SELECT string_agg(outcome, ',' ORDER BY event_id, attempt_number) FROM hookfast.attempts",
    )
    .fetch_one(&pool)
    .await
    .expect("the attempts");
    assert_eq!(
        after, "lost,delivered,delivered",
        "the late attempt recorded nothing"
    );
    drop(other);
}
